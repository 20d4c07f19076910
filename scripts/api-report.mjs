// Compares what each package exports with its reviewed report in etc/, or writes the reports with --update.
// Reads the built declarations. Exit code 1 when a report differs or is missing.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor';
import { fail, root, setUp } from './setup.mjs';

const REPORTS = join(root, 'etc');

/** Every entry of every public package: where its declarations are and the name of its report. */
function entries() {
  return readdirSync(join(root, 'packages')).flatMap((name) => {
    const directory = join(root, 'packages', name);
    if (!existsSync(join(directory, 'package.json'))) return [];
    const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
    if (manifest.private) return [];
    return Object.entries(manifest.exports)
      .filter(([, target]) => target.types)
      .map(([key, target]) => ({
        directory,
        declarations: join(directory, target.types),
        report: `${[name, ...key.split('/').slice(1)].join('-')}.api.md`,
      }));
  });
}

function extract({ directory, declarations, report }, isUpdate, temporary) {
  const config = ExtractorConfig.prepare({
    packageJsonFullPath: join(directory, 'package.json'),
    configObjectFullPath: join(directory, 'api-extractor.json'),
    configObject: {
      projectFolder: directory,
      mainEntryPointFilePath: declarations,
      compiler: { overrideTsconfig: compilerOptions(declarations) },
      apiReport: { enabled: true, reportFileName: report, reportFolder: REPORTS, reportTempFolder: temporary },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      newlineKind: 'lf',
      messages: silentMessages,
    },
  });
  const problems = [];
  const messageCallback = (message) => {
    message.handled = true;
    if (message.logLevel === 'error') problems.push(message.text);
  };
  const result = Extractor.invoke(config, { localBuild: isUpdate, messageCallback });
  return { isChanged: result.apiReportChanged, problems };
}

function compilerOptions(declarations) {
  const { compilerOptions: base } = JSON.parse(readFileSync(join(root, 'tsconfig.base.json'), 'utf8'));
  return { compilerOptions: base, files: [declarations] };
}

/** Remarks on style belong to review, not here: only the list of exports counts. */
const none = { default: { logLevel: 'none', addToApiReportFile: false } };
const silentMessages = {
  compilerMessageReporting: none,
  extractorMessageReporting: none,
  tsdocMessageReporting: none,
};

function main() {
  const unknown = process.argv.slice(2).filter((argument) => argument !== '--update');
  if (unknown.length > 0) fail(`Unknown option ${unknown.join(' ')}: only --update is known.`);
  const isUpdate = process.argv.includes('--update');
  setUp();
  mkdirSync(REPORTS, { recursive: true });
  const temporary = mkdtempSync(join(tmpdir(), 'metaapo-api-'));
  const bad = [];
  const list = entries();
  for (const entry of list) {
    const { isChanged, problems } = extract(entry, isUpdate, temporary);
    for (const problem of problems) process.stdout.write(`${entry.report}: ${problem}\n`);
    if (problems.length > 0 || (isChanged && !isUpdate)) bad.push(entry.report);
    if (isChanged) process.stdout.write(`${isUpdate ? 'written' : 'differs'}: etc/${entry.report}\n`);
  }
  const known = new Set(list.map(({ report }) => report));
  for (const file of readdirSync(REPORTS).filter((name) => name.endsWith('.api.md') && !known.has(name))) {
    if (isUpdate) rmSync(join(REPORTS, file));
    else bad.push(file);
    process.stdout.write(`${isUpdate ? 'removed' : 'of no entry'}: etc/${file}\n`);
  }
  rmSync(temporary, { recursive: true, force: true });
  if (bad.length > 0) {
    process.stdout.write('The exports differ from the reviewed reports. Where that is meant: pnpm run api --update\n');
  }
  process.exit(bad.length > 0 ? 1 : 0);
}

main();
