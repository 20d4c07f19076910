// Serves a Hugging Face model directory, under the name "policy", by a server of the OpenAI protocol:
//   PYTHON=... node scripts/serve-model.mjs DIRECTORY [--server transformers|vllm] [--port N] [--with-parent] [-- ...]
// What follows "--" goes to the server. It prints the base address and, on a second line, the link through which the
// server knows the model; then it runs until it is stopped, with --with-parent also when its standard input ends.
// --check instead of a directory prints which servers PYTHON (else python3) has; exit code 3 when there is none.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { fail } from './setup.mjs';

const python = process.env.PYTHON ?? 'python3';
const NAME = 'policy';
const START_SECONDS = 300;

const SERVERS = {
  vllm: {
    packages: ['vllm'],
    args: (port) => ['-m', 'vllm.entrypoints.cli.main', 'serve', NAME, '--host', '127.0.0.1', '--port', port],
    // The first two let a running server take other weights and adapters.
    env: { VLLM_SERVER_DEV_MODE: '1', VLLM_ALLOW_RUNTIME_LORA_UPDATING: '1', VLLM_NO_USAGE_STATS: '1' },
  },
  transformers: {
    packages: ['torch', 'transformers', 'accelerate', 'fastapi', 'uvicorn', 'openai'],
    args: (port) => ['-m', 'transformers.cli.transformers', 'serve', NAME, '--host', '127.0.0.1', '--port', port],
    env: {},
  },
};

/** Names of the servers whose packages the interpreter has. */
function available() {
  const code = `import importlib.util as u, json; print(json.dumps([n for n in ${JSON.stringify([
    ...new Set(Object.values(SERVERS).flatMap(({ packages }) => packages)),
  ])} if u.find_spec(n)]))`;
  const { status, stdout } = spawnSync(python, ['-c', code], { encoding: 'utf8' });
  if (status !== 0) return [];
  const found = JSON.parse(stdout);
  return Object.keys(SERVERS).filter((name) => SERVERS[name].packages.every((one) => found.includes(one)));
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(String(port)));
    });
  });
}

async function untilServing(baseUrl, child) {
  for (const end = Date.now() + START_SECONDS * 1000; Date.now() < end && child.exitCode === null; await wait(200)) {
    const reply = await fetch(`${baseUrl}/models`).catch(() => undefined);
    if (reply?.ok) return true;
  }
  return false;
}

const separator = process.argv.indexOf('--');
const own = process.argv.slice(2, separator < 0 ? undefined : separator);
const further = separator < 0 ? [] : process.argv.slice(separator + 1);
const { values, positionals } = parseArgs({
  args: own,
  allowPositionals: true,
  options: {
    server: { type: 'string' },
    port: { type: 'string' },
    'with-parent': { type: 'boolean' },
    check: { type: 'boolean' },
  },
});
const servers = available();
if (values.check) {
  process.stdout.write(`${servers.join('\n')}\n`);
  process.exit(servers.length > 0 ? 0 : 3);
}
const name = values.server ?? servers[0];
if (positionals.length !== 1) fail('Give one model directory.');
if (!servers.includes(name)) fail(`'${python}' cannot serve by ${name ?? 'vllm or transformers'}. Set PYTHON.`);

const directory = mkdtempSync(join(tmpdir(), 'metaapo-serve-'));
const link = join(directory, NAME);
symlinkSync(realpathSync(positionals[0]), link);
const port = values.port ?? (await freePort());
const path = [dirname(python), process.env.PATH].join(delimiter);
const child = spawn(python, [...SERVERS[name].args(port), ...further], {
  cwd: directory,
  env: { HF_HUB_OFFLINE: '1', ...SERVERS[name].env, ...process.env, PATH: path },
  stdio: ['ignore', 2, 2],
  detached: true,
});
let isStopped = false;

/** Ends the server with all that it started. */
async function stop(status) {
  if (isStopped) return;
  isStopped = true;
  const kill = (signal) => {
    try {
      process.kill(-child.pid, signal);
    } catch {
      // The group has ended.
    }
  };
  kill('SIGTERM');
  for (let waited = 0; child.exitCode === null && child.signalCode === null && waited < 5000; waited += 50) {
    await wait(50);
  }
  kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
  process.exit(status);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stop(0));
child.on('error', ({ message }) => fail(`'${python}' could not be run: ${message}`));
child.on('exit', () => stop(1));
if (values['with-parent']) process.stdin.on('close', () => stop(0)).resume();
const baseUrl = `http://127.0.0.1:${port}/v1`;
if (await untilServing(baseUrl, child)) process.stdout.write(`${baseUrl}\n${link}\n`);
else await stop(1);
