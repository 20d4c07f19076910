// Installs the command as the README says, in empty directories: from the tarballs of this tree, as before a publication,
// and from a registry of this machine to which all packages are published. Packages of others come through the user's own
// registry. The registry is verdaccio, installed for this alone when it runs. Exit code 1 when something does not hold.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pnpm, root, run, setUp } from './setup.mjs';

/** The newest that runs on Node 20. It asks for node-fetch by a tag that not every registry keeps. */
const VERDACCIO = { private: true, dependencies: { verdaccio: '6.3.2' }, overrides: { 'node-fetch': '2.7.0' } };
const FILTER = ['-r', '--filter', './packages/*'];
const WAIT_MS = 120_000;

let failures = 0;

/** Prints one line for a step; the whole text when it failed. */
function report(name, { status, stdout = '', stderr = '', error }) {
  const isGood = status === 0;
  if (!isGood) failures += 1;
  process.stdout.write(isGood ? `ok: ${name}\n` : `failed: ${name}\n${stdout}${stderr}${error ?? ''}\n`);
  return isGood;
}

/** Lines of a README that install something, without their comments. */
function installLines(readme) {
  const lines = readFileSync(join(root, readme), 'utf8').split('\n');
  return lines.filter((line) => /^npm install /.test(line)).map((line) => line.split(/ # | && /)[0].trim());
}

/** Runs commands in a new directory, then the command that they installed. */
function tryInstall(name, lines, directory, env) {
  mkdirSync(directory, { recursive: true });
  const options = { quiet: true, cwd: directory, env: { npm_config_audit: 'false', npm_config_fund: 'false', ...env } };
  for (const line of lines) if (!report(`${name}: ${line}`, run('sh', ['-c', line], options))) return;
  for (const args of [['--version'], ['plugins'], ['init', 'dpo'], ['doctor', '--quick']]) {
    report(`${name}: npx metaapo ${args.join(' ')}`, run('npx', ['--no', 'metaapo', ...args], options));
  }
}

async function freePort() {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A registry that has our packages alone, and asks the user's own for others. */
async function startRegistry(directory) {
  const upstream = run('npm', ['config', 'get', 'registry'], { quiet: true }).stdout.trim();
  const rights = 'access: $all\n    publish: $all\n    unpublish: $all';
  writeFileSync(
    join(directory, 'config.yaml'),
    `storage: ${join(directory, 'storage')}
uplinks:
  upstream: { url: '${upstream}', maxage: 60m, timeout: 120s }
packages:
  '@metaapo/*':
    ${rights}
  '**':
    access: $all
    proxy: upstream
max_body_size: 50mb
log: { type: stdout, level: error }
`,
  );
  const port = await freePort();
  writeFileSync(join(directory, 'package.json'), JSON.stringify(VERDACCIO));
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'];
  report('npm install of the registry', run('npm', ['install', ...flags], { quiet: true, cwd: directory }));
  const args = ['--config', join(directory, 'config.yaml'), '--listen', `127.0.0.1:${port}`];
  const server = join(directory, 'node_modules', '.bin', 'verdaccio');
  const child = spawn(server, args, { cwd: directory, stdio: 'ignore', detached: true });
  child.once('error', () => undefined);
  const url = `http://127.0.0.1:${port}/`;
  writeFileSync(join(directory, 'npmrc'), `registry=${url}\n//127.0.0.1:${port}/:_authToken=anyone\n`);
  return { url, isUp: await answers(url), stop: () => stop(child), npmrc: join(directory, 'npmrc') };
}

/** Ends the registry, unless it has ended by itself or never began. */
function stop({ pid, exitCode }) {
  if (exitCode === null && pid !== undefined) process.kill(-pid);
}

async function answers(url) {
  for (const end = Date.now() + WAIT_MS; Date.now() < end; ) {
    const reply = await fetch(`${url}-/ping`).catch(() => undefined);
    if (reply?.ok) return true;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return false;
}

/** Publishes what a tarball holds, without the provenance that only a workflow of the repository's host can state. */
function publish(tarball, directory, env) {
  mkdirSync(directory, { recursive: true });
  const unpacked = run('tar', ['-xzf', tarball, '-C', directory], { quiet: true });
  if (!report(`unpacking ${basename(tarball)}`, unpacked)) return false;
  const folder = join(directory, 'package');
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  delete manifest.publishConfig.provenance;
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  return report(`publishing ${manifest.name}`, run('npm', ['publish'], { quiet: true, cwd: folder, env }));
}

async function fromRegistry(directory, tarballs) {
  mkdirSync(directory);
  const registry = await startRegistry(directory);
  try {
    if (!report('a registry of this machine', { status: registry.isUp ? 0 : 1, stderr: 'it does not answer' })) return;
    const env = { npm_config_userconfig: registry.npmrc, npm_config_registry: registry.url };
    for (const tarball of tarballs) if (!publish(tarball, join(directory, 'published', basename(tarball)), env)) return;
    for (const [index, readme] of ['README.md', 'packages/cli/README.md'].entries()) {
      const lines = installLines(readme).filter((line) => !line.includes('.tgz'));
      tryInstall(readme, lines, join(directory, `reader-${index}`), env);
    }
  } finally {
    registry.stop();
  }
}

/** @returns the tarballs */
function fromTarballs(directory) {
  const tarballs = join(directory, 'tarballs');
  const packed = pnpm([...FILTER, 'pack', '--pack-destination', tarballs], { quiet: true });
  if (!report('packing all packages', packed)) return [];
  const [line] = installLines('README.md').filter((one) => one.includes('.tgz'));
  const files = readdirSync(tarballs).map((name) => join(tarballs, name));
  tryInstall('tarballs', [line.replace(/\S+\.tgz/, files.join(' '))], join(directory, 'from-tarballs'), {});
  return files;
}

setUp();
const directory = mkdtempSync(join(tmpdir(), 'metaapo-install-'));
try {
  await fromRegistry(join(directory, 'registry'), fromTarballs(directory));
} finally {
  rmSync(directory, { recursive: true, force: true });
}
process.stdout.write(failures === 0 ? 'install: everything holds\n' : `install: ${failures} failed\n`);
process.exit(failures === 0 ? 0 : 1);
