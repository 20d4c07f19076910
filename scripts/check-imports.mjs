// Checks which way imports point, that what is imported is declared, and that no source files import in a circle.
// `--cycles` looks for circles alone. Prints one line a finding; exit code 1 when there is one.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { brokenRule, layerOf } from './import-rules.mjs';
import { brokenPortability } from './portable-rules.mjs';

const builtins = new Set(builtinModules);

/** Everything wrong with the imports of the workspace at `root`, a line each. */
export function checkImports(root, { cyclesOnly = false } = {}) {
  const files = sourceFiles(root);
  const imports = new Map(files.map((file) => [file, importsOf(file)]));
  const findings = findCycles(root, imports);
  if (cyclesOnly) return findings;
  for (const [file, list] of imports) {
    for (const entry of list) {
      const summary = entry.specifier.startsWith('.')
        ? relativeFinding(root, file, entry)
        : bareFinding(root, file, entry);
      if (summary) findings.push(`${relative(root, file)}:${entry.line}: ${summary}`);
    }
  }
  return findings.sort();
}

/** Builds and outputs; and projects of their own, whose packages are not this workspace's. */
const IGNORED = ['node_modules', 'dist', 'coverage', 'runs', 'temp', 'plugin-template', 'group-relative', 'packed'];

function sourceFiles(root) {
  const found = [];
  const walk = (directory) => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (IGNORED.includes(entry.name)) continue;
      const path = join(directory, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (/\.(ts|mts|js|mjs)$/.test(entry.name) && !entry.name.endsWith('.d.ts')) found.push(path);
    }
  };
  for (const name of ['packages', 'test', 'fixtures', 'bench', 'examples', 'scripts']) {
    if (existsSync(join(root, name))) walk(join(root, name));
  }
  return found;
}

/** Every import and re-export of a file: specifier, line, and whether it vanishes when compiled. */
function importsOf(file) {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  const found = [];
  const add = (node, specifier, isType) => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
    found.push({ specifier: specifier.text, line: line + 1, isType });
  };
  const visit = (node) => {
    if (ts.isImportDeclaration(node)) add(node, node.moduleSpecifier, node.importClause?.isTypeOnly === true);
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier) add(node, node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node, node.argument.literal, true);
    else if (isDynamicImport(node)) add(node, node.arguments[0], false);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function isDynamicImport(node) {
  if (!ts.isCallExpression(node) || node.expression.kind !== ts.SyntaxKind.ImportKeyword) return false;
  const [first] = node.arguments;
  return first !== undefined && ts.isStringLiteralLike(first);
}

/** The file that a relative import means: `./x.js` is written for `x.ts`. */
function resolveRelative(file, specifier) {
  const target = resolve(dirname(file), specifier);
  const candidates = [target.replace(/\.js$/, '.ts'), target.replace(/\.mjs$/, '.mts'), target];
  return candidates.find((path) => /\.[a-z]+$/.test(path) && existsSync(path));
}

function relativeFinding(root, file, { specifier }) {
  const target = resolveRelative(file, specifier);
  if (!target) {
    const isBuilt = resolve(dirname(file), specifier).includes(`${join('/', 'dist')}/`);
    return isBuilt ? undefined : `'${specifier}' is no file; relative imports end in .js`;
  }
  const [from, to] = [layerOf(relative(root, file)), layerOf(relative(root, target))];
  if (from.package !== to.package && from.package !== undefined) {
    return `'${specifier}' leaves the package; import the other one by its name`;
  }
  return brokenRule(from, to);
}

function bareFinding(root, file, { specifier, isType }) {
  const name = packageName(specifier);
  const from = layerOf(relative(root, file));
  if (specifier.startsWith('node:')) return isType ? undefined : brokenPortability(from, specifier);
  if (builtins.has(name)) return `write 'node:${specifier}'`;
  const rule = brokenRule(from, { specifier, name });
  return rule ?? undeclared(root, from, name);
}

function packageName(specifier) {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

const manifests = new Map();

function manifestOf(directory) {
  if (!manifests.has(directory)) {
    manifests.set(directory, JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')));
  }
  return manifests.get(directory);
}

function undeclared(root, from, name) {
  const workspace = manifestOf(root);
  if (from.package === undefined) {
    return name in (workspace.devDependencies ?? {}) ? undefined : `'${name}' is not in the root package.json`;
  }
  const own = manifestOf(join(root, 'packages', from.package));
  if (name === own.name) return from.isTest ? undefined : `'${name}' is this package itself; import by path`;
  const always = { ...own.dependencies, ...own.peerDependencies };
  const inTests = { ...own.devDependencies, ...workspace.devDependencies };
  if (name in always || (from.isTest && name in inTests)) return undefined;
  const hint = name in inTests ? 'a development dependency, for tests alone' : 'not declared';
  return `'${name}' is ${hint} in packages/${from.package}/package.json; add it to dependencies or peerDependencies`;
}

/** The circles among the imports of files, each once. Imports of types alone do not count. */
function findCycles(root, imports) {
  const finished = new Set();
  const trail = [];
  const findings = [];
  const visit = (file) => {
    const at = trail.indexOf(file);
    if (at >= 0) {
      const circle = [...trail.slice(at), file].map((path) => relative(root, path));
      findings.push(`${circle[0]}: imports itself in a circle: ${circle.join(' -> ')}`);
      return;
    }
    if (finished.has(file)) return;
    trail.push(file);
    for (const { specifier, isType } of imports.get(file) ?? []) {
      const target = !isType && specifier.startsWith('.') ? resolveRelative(file, specifier) : undefined;
      if (target && imports.has(target)) visit(target);
    }
    trail.pop();
    finished.add(file);
  };
  for (const file of imports.keys()) visit(file);
  return findings;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const unknown = process.argv.slice(2).filter((argument) => argument !== '--cycles');
  if (unknown.length > 0) {
    process.stderr.write(`Unknown option ${unknown.join(' ')}: only --cycles is known.\n`);
    process.exit(2);
  }
  const root = fileURLToPath(new URL('..', import.meta.url));
  const findings = checkImports(root, { cyclesOnly: process.argv.includes('--cycles') });
  for (const finding of findings) process.stdout.write(`${finding}\n`);
  process.stdout.write(findings.length === 0 ? 'imports: nothing found\n' : `imports: ${findings.length} found\n`);
  process.exit(findings.length === 0 ? 0 : 1);
}
