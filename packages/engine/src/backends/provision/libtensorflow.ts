import { chmod, readdir, stat, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { LibtensorflowBuild, NativeTarget } from '../native-targets.js';
import { failure } from './explain-failure.js';
import { LIBTENSORFLOW_VERSION } from './locations.js';
import { type PackageMetadata, type PackageTree, parseMetadata } from './package-tree.js';
import { makeRoomFor } from './stage.js';

/** Folders that the C API and the string type of the binding are declared in. */
const HEADER_FOLDERS = ['tensorflow/c', 'tensorflow/core/platform/ctstring', 'tsl/platform/ctstring', 'xla/tsl/c'];

/**
 * Metadata of the TensorFlow in a tree.
 * @throws MetaapoError with code `backend` when it is no TensorFlow 2.21 for the target, or lacks CUDA and `build` asks for it
 */
export async function checkTensorflow(
  tree: PackageTree,
  build: LibtensorflowBuild,
  { wheels, wheelTag, title }: NativeTarget,
): Promise<PackageMetadata> {
  const hasSlimWheel = build === 'cpu' && wheels.cpu.name !== 'tensorflow';
  const expected = `${hasSlimWheel ? `${wheels.cpu.name} or tensorflow` : 'tensorflow'} ${LIBTENSORFLOW_VERSION} for ${title}`;
  const refuse = (got: string): Error =>
    failure(`This is not ${expected}`, tree.where, got, `Give ${expected}, or leave the option out to download it`);
  const information = await distInfoOf(tree);
  if (information === undefined) throw refuse('no TensorFlow');
  const metadata = parseMetadata((await tree.read(`${information}METADATA`)) ?? '');
  const found = `${metadata.name} ${metadata.version}`;
  if (!/^2\.21\.\d+$/.test(metadata.version)) throw refuse(found);
  if (build === 'cuda' && metadata.name !== 'tensorflow') throw refuse(`${found}, which is built without CUDA`);
  const tags = /^Tag: .*$/gm.exec((await tree.read(`${information}WHEEL`)) ?? '')?.[0] ?? '';
  if (!wheelTag.test(tags)) throw refuse(`${found} for another platform (${tags})`);
  return metadata;
}

async function distInfoOf(tree: PackageTree): Promise<string | undefined> {
  for (const name of ['tensorflow', 'tensorflow_cpu']) {
    for (const patch of [0, 1, 2, 3]) {
      const folder = `${name}-2.21.${patch}.dist-info/`;
      if ((await tree.read(`${folder}METADATA`)) !== undefined) return folder;
    }
  }
  const all = await tree.list('');
  const other = all.find((path) => /^tensorflow(_cpu|_intel)?-[^/]+\.dist-info\/METADATA$/.test(path));
  return other?.slice(0, -'METADATA'.length);
}

/** Takes libraries, headers and licences out of a tree, laid out as the cache keeps them. */
export async function extractLibtensorflow(
  tree: PackageTree,
  target: string,
  { libraries }: NativeTarget,
): Promise<void> {
  for (const { path, name, links } of libraries) {
    await tree.extract(path, await makeRoomFor(join(target, 'lib', name)));
    for (const link of links) await symlink(name, join(target, 'lib', link));
  }
  for (const folder of HEADER_FOLDERS) {
    const inside = `tensorflow/include/${folder}`;
    const headers = (await tree.list(folder.endsWith('ctstring') ? `${dirname(inside)}/` : `${inside}/`)).filter(
      (path) => path.startsWith(inside) && path.endsWith('.h'),
    );
    for (const path of headers) {
      await tree.extract(path, await makeRoomFor(join(target, path.replace(/^tensorflow\//, ''))));
    }
  }
  const notices = 'tensorflow/THIRD_PARTY_NOTICES.txt';
  if ((await tree.read(notices)) !== undefined) {
    await tree.extract(notices, await makeRoomFor(join(target, 'licenses', basename(notices))));
  }
}

/** Takes the CUDA libraries out of a tree, as `pip install --target` lays them out: `nvidia/<part>/lib`. */
export async function extractNvidia(tree: PackageTree, target: string): Promise<number> {
  const files = (await tree.list('nvidia/')).filter((path) => !/^nvidia\/[^/]+\/include\/|\.pyc?$|\.a$/.test(path));
  for (const path of files) {
    const file = await makeRoomFor(join(target, path));
    await tree.extract(path, file);
    // Wheels keep no modes that are read here; XLA starts ptxas.
    if (/^nvidia\/[^/]+\/bin\//.test(path)) await makeExecutable(file);
  }
  return files.length;
}

async function makeExecutable(file: string): Promise<void> {
  const { mode } = await stat(file);
  if ((mode & 0o111) === 0) await chmod(file, mode | 0o111);
}

/** True when a directory of the cache has the target's libraries. */
export async function hasLibtensorflow(directory: string, { libraries }: NativeTarget): Promise<boolean> {
  const names = await readdir(join(directory, 'lib')).catch((): string[] => []);
  return libraries.every(({ name }) => names.includes(name));
}
