// Which way imports may point between packages, and between the folders of core.

const SCOPE = '@metaapo/';
const CONTRACTS = '@metaapo/core/contracts';
/** Arithmetic and file formats below the trainer. */
const LOW = [CONTRACTS, '@metaapo/core/numerics', '@metaapo/core/storage', '@metaapo/core/http'];
/** The conformance kit: any package's tests may use it. */
const TESTING = '@metaapo/testing';

/** What the sources of each package may import of the others. Packages not named here are plugins. */
const ALLOWED = {
  core: [],
  engine: [CONTRACTS, '@metaapo/core/storage'],
  data: [...LOW, '@metaapo/hub'],
  models: [...LOW, '@metaapo/engine', '@metaapo/hub'],
};
const PLUGIN = LOW;

/** The folders of core, lowest first: each imports itself and those before it. */
const CORE_FOLDERS = ['contracts', 'numerics', 'storage', 'journal', 'trainer', 'objectives', 'compose'];
const CONTAINER = ['tsyringe', 'reflect-metadata'];

/** Package, folder inside `src`, and kind of a file given by its path from the root. */
export function layerOf(path) {
  const parts = path.split('/');
  if (parts[0] !== 'packages') return { path, isTest: true };
  const isSource = parts[2] === 'src';
  const isTest = (!isSource && parts[2] !== 'bin') || /\.test(-d)?\.ts$/.test(path);
  return { path, package: parts[1], folder: isSource && parts.length > 4 ? parts[3] : undefined, isTest };
}

/** What is wrong with an import, or `undefined`. `to` is a file's layer, or a bare import's `{ specifier, name }`. */
export function brokenRule(from, to) {
  if (to.name === undefined) return coreFolders(from, to);
  if (CONTAINER.includes(to.name)) return container(from, to);
  if (from.package === undefined || !to.name.startsWith(SCOPE)) return undefined;
  return between(from, to);
}

function between(from, { specifier, name }) {
  if (from.package === 'cli' || name === `${SCOPE}${from.package}`) return undefined;
  const allowed = ALLOWED[from.package] ?? PLUGIN;
  if (allowed.includes(specifier)) return undefined;
  if (from.isTest && (specifier === TESTING || allowed.some((entry) => entry.startsWith(name)))) return undefined;
  const may = allowed.length === 0 ? 'no other package of the workspace' : allowed.join(', ');
  return `packages/${from.package} may not import '${specifier}'; it may import ${may}`;
}

function container(from, { name }) {
  if (from.package === 'core' && from.folder === 'compose') return undefined;
  return `'${name}' is imported only in packages/core/src/compose`;
}

function coreFolders(from, to) {
  if (from.package !== 'core' || from.isTest || from.folder === undefined || to.folder === undefined) return undefined;
  if (heightOf(to.folder) <= heightOf(from.folder)) return undefined;
  return `core/${from.folder} may not import core/${to.folder}: it lies above`;
}

/** Folders that are not named lie beside the objectives. */
function heightOf(folder) {
  const height = CORE_FOLDERS.indexOf(folder);
  return height < 0 ? CORE_FOLDERS.indexOf('objectives') : height;
}
