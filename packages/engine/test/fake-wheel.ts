import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { NATIVE_TARGETS, type NativeTarget } from '../src/backends/native-targets.js';
import { dllThatImports } from './fake-dll.js';

/** What the stand-in of TensorFlow's library for Windows asks Python for. */
export const PYTHON = ['PyErr_SetString', 'PyDict_Type', 'Py_IsInitialized'];

/** Files of a wheel by path. */
export type WheelFiles = Readonly<Record<string, string>>;

/** Tags of the wheels of each system. */
export const WHEEL_TAGS = {
  'linux-x64': 'cp312-cp312-manylinux_2_27_x86_64',
  'linux-arm64': 'cp312-cp312-manylinux_2_27_aarch64',
  'darwin-arm64': 'cp312-cp312-macosx_12_0_arm64',
  'win32-x64': 'cp312-cp312-win_amd64',
} as const satisfies Record<NativeTarget['id'], string>;

/** A wheel of TensorFlow with a few bytes in place of each library. */
export function tensorflowFiles(
  overrides: Partial<{ name: string; version: string; tag: string; target: NativeTarget['id'] }> = {},
): WheelFiles {
  const { name = 'tensorflow_cpu', version = '2.21.0', target = 'linux-x64' } = overrides;
  const { tag = WHEEL_TAGS[target] } = overrides;
  const information = `${name}-${version}.dist-info`;
  const { libraries, magic } = NATIVE_TARGETS.find(({ id }) => id === target)!;
  const [main, ...others] = libraries.map(({ path }) => path);
  const start = target === 'win32-x64' ? dllThatImports({ 'KERNEL32.dll': ['Sleep'], 'python312.dll': PYTHON }) : magic;
  return {
    [main!]: `${start} tensorflow ${version}`,
    ...Object.fromEntries(others.map((path) => [path, `${magic} framework`])),
    'tensorflow/include/tensorflow/c/c_api.h': '// c_api',
    'tensorflow/include/tensorflow/c/eager/c_api.h': '// eager',
    'tensorflow/include/tsl/platform/ctstring.h': '// ctstring',
    'tensorflow/include/Eigen/Core': '// not needed',
    'tensorflow/THIRD_PARTY_NOTICES.txt': 'notices',
    [`${information}/METADATA`]: [
      'Metadata-Version: 2.4',
      `Name: ${name}`,
      `Version: ${version}`,
      'Requires-Dist: numpy>=1.26.0',
      'Requires-Dist: nvidia-cublas-cu12<13.0,>=12.5.3.2; extra == "and-cuda"',
      'Requires-Dist: nvidia-cudnn-cu12<10.0,>=9.3.0.75; extra == "and-cuda"',
      '',
      'Requires-Dist: nvidia-in-the-description-cu12; extra == "and-cuda"',
    ].join('\n'),
    [`${information}/WHEEL`]: `Wheel-Version: 1.0\nTag: ${tag}\n`,
  };
}

/** A wheel of one CUDA library. */
export function nvidiaFiles(part: string): WheelFiles {
  return {
    [`nvidia/${part}/lib/lib${part}.so.12`]: `\x7fELF ${part}`,
    [`nvidia/${part}/bin/${part}-tool`]: `\x7fELF ${part}`,
    [`nvidia/${part}/include/${part}.h`]: '// not needed',
    [`nvidia_${part}_cu12-12.9.0.dist-info/METADATA`]: `Name: nvidia-${part}-cu12\nVersion: 12.9.0\n`,
  };
}

/** Writes a wheel: a zip file (nothing compressed) with a RECORD of checksums. */
export function writeWheel(file: string, files: WheelFiles): string {
  const information = Object.keys(files)
    .find((path) => path.includes('.dist-info/'))!
    .split('/')[0]!;
  const record = Object.entries(files).map(([path, content]) => {
    const sum = createHash('sha256').update(content, 'latin1').digest('base64url');
    return `${path},sha256=${sum},${content.length}`;
  });
  const all = { ...files, [`${information}/RECORD`]: [...record, `${information}/RECORD,,`].join('\n') };
  writeFileSync(file, zipOf(all));
  return file;
}

function zipOf(files: WheelFiles): Buffer {
  const bodies: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [path, content] of Object.entries(files)) {
    const [name, data] = [Buffer.from(path), Buffer.from(content, 'latin1')];
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(name.length, 22);
    const end = Buffer.alloc(14);
    end.writeUInt32LE(offset, 10);
    const body = Buffer.concat([Buffer.from('PK\x03\x04'), common, name, data]);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), common, end, name]));
    bodies.push(body);
    offset += body.length;
  }
  const central = Buffer.concat(directory);
  const tail = Buffer.alloc(18);
  tail.writeUInt16LE(directory.length, 4);
  tail.writeUInt16LE(directory.length, 6);
  tail.writeUInt32LE(central.length, 8);
  tail.writeUInt32LE(offset, 12);
  return Buffer.concat([...bodies, central, Buffer.from('PK\x05\x06'), tail]);
}
