/** `cpu`, or the build that can use an NVIDIA GPU. */
export type LibtensorflowBuild = 'cpu' | 'cuda';

/** How the binding is compiled on a system. */
export interface BindingCompiler {
  /** Tried in this order where CXX names none. */
  readonly commands: readonly string[];
  readonly flags: readonly string[];
  /** Names libtensorflow, and says where it lies seen from the binding. */
  readonly linking: readonly string[];
  /** How one gets a compiler: the beginning of a sentence. */
  readonly remedy: string;
}

/** A library of TensorFlow's wheel. */
export interface TargetLibrary {
  /** In the wheel. */
  readonly path: string;
  /** In the package. */
  readonly name: string;
  /** Links to it: names under which other builds of the binding ask for it. */
  readonly links: readonly string[];
  /** Other libraries that do: an older TensorFlow, that tfjs-node's own installer fetched. */
  readonly olderNames: readonly string[];
}

/** A system that TensorFlow 2.21 is published for, and what differs there. */
export interface NativeTarget {
  /** As Node says it: platform and architecture. */
  readonly id: 'linux-x64' | 'linux-arm64' | 'darwin-arm64' | 'win32-x64';
  /** In messages. */
  readonly title: string;
  /** Package on PyPI of each build that there is, and the MB that its wheel has. */
  readonly wheels: { readonly cpu: PublishedWheel; readonly cuda?: PublishedWheel };
  /** What the tag of a wheel for it looks like. */
  readonly wheelTag: RegExp;
  readonly libraries: readonly TargetLibrary[];
  /** Folder of the native package in which the binding finds the libraries. */
  readonly libraryFolder: string;
  /** First bytes of a library, as latin1 text, and its name in messages. */
  readonly magic: string;
  readonly magicName: string;
  /** The library asks for Python's, which is stood in for. */
  readonly importsPython: boolean;
  /** Absent where few have a compiler: a prebuilt binding is asked for. */
  readonly compiler?: BindingCompiler;
}

interface PublishedWheel {
  readonly name: string;
  readonly megabytes: number;
}

const COMMON_FLAGS = ['-std=c++17', '-O2', '-fPIC', '-shared', '-DNAPI_VERSION=8', '-DBUILDING_NODE_EXTENSION'];

const elfLibrary = (name: string, links: readonly string[]): TargetLibrary => ({
  path: `tensorflow/${name}`,
  name,
  links,
  olderNames: [],
});

const LINUX = {
  libraries: [
    elfLibrary('libtensorflow_cc.so.2', ['libtensorflow.so', 'libtensorflow.so.2']),
    elfLibrary('libtensorflow_framework.so.2', ['libtensorflow_framework.so']),
  ],
  libraryFolder: 'deps/lib',
  magic: '\x7fELF',
  magicName: 'Linux library',
  importsPython: false,
  compiler: {
    commands: ['g++', 'c++', 'clang++'],
    flags: COMMON_FLAGS,
    // Found from lib/napi-v8 in the package, wherever the package lies.
    linking: ['-l:libtensorflow_cc.so.2', '-l:libtensorflow_framework.so.2', '-Wl,-rpath,$ORIGIN/../../deps/lib'],
    remedy: 'Install g++ 9 or later (Debian and Ubuntu: `apt install g++`)',
  },
} as const satisfies Partial<NativeTarget>;

/** Every system that `backend install` knows. */
export const NATIVE_TARGETS: readonly NativeTarget[] = [
  {
    ...LINUX,
    id: 'linux-x64',
    title: 'Linux x64',
    wheels: { cpu: { name: 'tensorflow-cpu', megabytes: 270 }, cuda: { name: 'tensorflow', megabytes: 600 } },
    wheelTag: /linux.*x86_64/,
  },
  {
    ...LINUX,
    id: 'linux-arm64',
    title: 'Linux arm64',
    wheels: { cpu: { name: 'tensorflow', megabytes: 280 } },
    wheelTag: /linux.*aarch64/,
  },
  {
    id: 'darwin-arm64',
    title: 'macOS on Apple silicon',
    wheels: { cpu: { name: 'tensorflow', megabytes: 225 } },
    wheelTag: /macosx_\d+_\d+_arm64/,
    libraries: [
      elfLibrary('libtensorflow_cc.2.dylib', ['libtensorflow.2.dylib']),
      elfLibrary('libtensorflow_framework.2.dylib', []),
    ],
    libraryFolder: 'deps/lib',
    magic: '\xcf\xfa\xed\xfe',
    magicName: 'macOS library',
    importsPython: false,
    compiler: {
      commands: ['clang++'],
      // What Node itself exports is looked up when the binding is loaded.
      flags: [...COMMON_FLAGS, '-undefined', 'dynamic_lookup', '-arch', 'arm64', '-mmacosx-version-min=12.0'],
      linking: ['-ltensorflow_cc.2', '-ltensorflow_framework.2', '-Wl,-rpath,@loader_path/../../deps/lib'],
      remedy: "Install Apple's command line tools (`xcode-select --install`)",
    },
  },
  {
    id: 'win32-x64',
    title: 'Windows x64',
    wheels: { cpu: { name: 'tensorflow', megabytes: 350 } },
    wheelTag: /win_amd64/,
    libraries: [
      {
        path: 'tensorflow/python/_pywrap_tensorflow_common.dll',
        name: '_pywrap_tensorflow_common.dll',
        links: [],
        olderNames: ['tensorflow.dll'],
      },
    ],
    // Windows looks for libraries beside the binding, and in no folder that the binding could name.
    libraryFolder: 'lib/napi-v8',
    magic: 'MZ',
    magicName: 'Windows library',
    importsPython: true,
  },
];

/** The target of a system, as Node names it; undefined where TensorFlow is not published for it. */
export function nativeTarget(
  system: string = process.platform,
  architecture: string = process.arch,
): NativeTarget | undefined {
  return NATIVE_TARGETS.find(({ id }) => id === `${system}-${architecture}`);
}
