// Looks at what the published packages bring along: licences against those that are allowed (and docs/licences.md, which
// --write makes anew), published advisories, and the registry's signatures. What a registry does not answer is said, and
// is no failure. Prints a line a check; exit code 1 when something does not hold.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pnpm, root, run } from './setup.mjs';

/** Licences that let users of an Apache-2.0 project do what its own lets them do. */
const ALLOWED = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'Unlicense',
]);
const LIST = join(root, 'docs', 'licences.md');

let failures = 0;
const say = (isGood, line) => {
  if (!isGood) failures += 1;
  process.stdout.write(`${isGood ? 'ok' : 'failed'}: ${line}\n`);
};

/** True for one allowed licence, or a choice with an allowed one in it. */
const isAllowed = (licence) =>
  licence
    .replaceAll(/[()]/g, '')
    .split(' OR ')
    .some((choice) => choice.split(' AND ').every((one) => ALLOWED.has(one)));

/** Packages that users install with ours: `{ name, versions, license }`. */
function installed() {
  const listed = pnpm(['licenses', 'list', '--prod', '--json'], { quiet: true });
  if (listed.status !== 0) throw new Error(`pnpm licenses: ${listed.stderr || listed.stdout}`);
  return Object.values(JSON.parse(listed.stdout))
    .flat()
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

function checkLicences() {
  const packages = installed();
  const refused = packages.filter(({ license }) => !isAllowed(license));
  const names = refused.map(({ name, license }) => `${name}: ${license}`).join('; ');
  say(refused.length === 0, `licences of ${packages.length} packages${names && `, not allowed: ${names}`}`);
  const licences = [...new Set(packages.map(({ license }) => license))].sort();
  const text = [
    '# Licences\n',
    'What is installed with the published packages, peers included, and under which licence; written by `node scripts/audit.mjs --write`.\n',
    licences.map((one) => `${one}: ${packages.filter(({ license }) => license === one).length}`).join(', '),
    '',
    '| package | version | licence |',
    '|---|---|---|',
    ...packages.map(({ name, versions, license }) => `| ${name} | ${versions.join(', ')} | ${license} |`),
    '',
  ].join('\n');
  if (process.argv.includes('--write')) writeFileSync(LIST, text);
  else say(readFileSync(LIST, 'utf8') === text, 'docs/licences.md (node scripts/audit.mjs --write makes it anew)');
}

function checkAdvisories() {
  const audit = pnpm(['audit', '--prod', '--audit-level', 'high'], { quiet: true });
  const said = `${audit.stdout}${audit.stderr}`;
  const answer = /AUDIT_BAD_RESPONSE|FETCH|ENOTFOUND|ECONN|ETIMEDOUT/.exec(said);
  if (answer) return say(true, `advisories: not looked at, the registry does not answer (${firstLine(said)})`);
  say(audit.status === 0, `advisories${audit.status === 0 ? '' : `\n${said.trim()}`}`);
}

const firstLine = (text) =>
  text
    .trim()
    .split('\n')[0]
    .replaceAll(/https?:\S+/g, 'its endpoint')
    .slice(0, 200);

/** npm verifies signatures of what lies in node_modules alone, so production dependencies are installed for it. */
async function checkSignatures() {
  const registry = run('npm', ['config', 'get', 'registry'], { quiet: true }).stdout.trim();
  const keys = await fetch(new URL('-/npm/v1/keys', registry), { signal: AbortSignal.timeout(10_000) }).catch(
    (error) => ({
      status: error.message,
    }),
  );
  if (keys.status !== 200) return say(true, `signatures: not verified, the registry gives no keys (${keys.status})`);
  const directory = mkdtempSync(join(tmpdir(), 'metaapo-signatures-'));
  try {
    writeFileSync(join(directory, 'package.json'), JSON.stringify({ private: true, dependencies: dependencies() }));
    const cwd = directory;
    const made = run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], { quiet: true, cwd });
    if (made.status !== 0) return say(false, `signatures: npm install\n${made.stderr}`);
    const audit = run('npm', ['audit', 'signatures'], { quiet: true, cwd });
    say(audit.status === 0, `signatures: ${audit.stdout.trim() || audit.stderr.trim()}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What our packages depend on, from elsewhere. */
function dependencies() {
  const all = readdirSync(join(root, 'packages')).map(
    (name) => JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')).dependencies ?? {},
  );
  const foreign = all.flatMap(Object.entries).filter(([, range]) => !range.startsWith('workspace:'));
  return Object.fromEntries(foreign);
}

checkLicences();
checkAdvisories();
await checkSignatures();
process.exit(failures === 0 ? 0 : 1);
