import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { failure } from './explain-failure.js';

/** A version of a Python package, and the checksums of its wheels. */
export interface KnownWheel {
  readonly version: string;
  /** sha256 in hexadecimal; one for each system and Python version that the package is built for. */
  readonly sha256: readonly string[];
}

/** Wheels by the name of their package. */
export type KnownWheels = Readonly<Record<string, KnownWheel>>;

/**
 * The wheels that `backend install` takes unless it is told to take others: those of Python 3.10 to 3.13 where a package
 * is built for each, and of the CUDA packages, for Linux x64, the newest that TensorFlow's requirements allow and glibc
 * 2.27 runs.
 */
export const KNOWN_WHEELS: KnownWheels = {
  'tensorflow-cpu': {
    version: '2.21.0',
    sha256: [
      'd143e92f5c0661cdfa26eaca8f73cd2efd0ec53a68af8dec82f584ba8eb14b83',
      '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
      'dcc8afd32930e42d5296b6ee19078b773706830af4ea97fbe503b9f5e0f820cb',
      '05af7c26d35f4de910b5598c7b507e3981831a7b0f47fed9a405d995d51d7793',
    ],
  },
  tensorflow: {
    version: '2.21.0',
    sha256: [
      // Linux x64
      '77c6f298e695ea1d283cdd7d30f8d97530cc6e92c1395a9ddbab9771c99233a4',
      '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124',
      'b3b95643c4e70eb925839938fb35cbe142f317ec84af6844ee61513713bb13c0',
      'e9d8da8dcab9650efb45f032ba70af2f016f907e6e0c6bda29dd101bba945406',
      // Linux arm64
      '7c97938b25cf70c80ae8619931f85abcdee2ab2eb256c2051202edb3b89e9a5d',
      '4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c',
      'b07d15737406533898e36c7ef7944b1be18e9028dc521b9229952c537bbc5552',
      'a10abdfb8b1189210c251021a3f153b7ccc52a8e6521351f3dc3331e8ba593e0',
      // macOS 12 and later, Apple silicon
      '6462632889e0e9ce1455b208c87b86a8c154e899407ef7d426ef1ec71647f565',
      '51f46f4806139d01fc7920cc72a4c75876f80649bf40ff083ab6212ceb43ca88',
      '56ecd7d47429acbe1df2694d50b75bf9fc3995ac92cb367cd9af6c4780ead712',
      'a145ed46c58192b7c3f9916d070caf4f6afc6dc7e5511f83dd97677f4c4947f4',
      // Windows x64
      '8ee4d30fca0249c441bf65e63994df848dc63c80730bd494a9aa9ce5e3f0dee5',
      '0064a19bdc054a4b7c5e7e21cdf50ce38a114c2bada578b4f5267a37410f6784',
      '27ba0682572b1e50a0db1ee74cfb787eafcfdb1b751bbbf401fed62fe32a92e0',
      '76cccbe0a95d9392dee1ae501ae0656b6c73c1cac29a7f8f32d570e0670863f7',
    ],
  },
  'nvidia-cublas-cu12': {
    version: '12.9.3.13',
    sha256: ['d7d51055f161b317c7105ddaae90e71eda059026074ffef93cf7cde2886bfe72'],
  },
  'nvidia-cuda-cupti-cu12': {
    version: '12.9.79',
    sha256: ['096bcf334f13e1984ba36685ad4c1d6347db214de03dbb6eebb237b41d9d934f'],
  },
  'nvidia-cuda-nvcc-cu12': {
    version: '12.9.86',
    sha256: ['5d6a0d32fdc7ea39917c20065614ae93add6f577d840233237ff08e9a38f58f0'],
  },
  'nvidia-cuda-nvrtc-cu12': {
    version: '12.9.86',
    sha256: ['210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4'],
  },
  'nvidia-cuda-runtime-cu12': {
    version: '12.9.79',
    sha256: ['25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3'],
  },
  'nvidia-cudnn-cu12': {
    version: '9.28.0.42',
    sha256: ['9ff58b7f36dacd0a93e89f8f2957b52466889217963701daa15e577317cfa375'],
  },
  'nvidia-cufft-cu12': {
    version: '11.4.1.4',
    sha256: ['c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28'],
  },
  'nvidia-curand-cu12': {
    version: '10.3.10.19',
    sha256: ['49b274db4780d421bd2ccd362e1415c13887c53c214f0d4b761752b8f9f6aa1e'],
  },
  'nvidia-cusolver-cu12': {
    version: '11.7.5.82',
    sha256: ['15da72d1340d29b5b3cf3fd100e3cd53421dde36002eda6ed93811af63c40d88'],
  },
  'nvidia-cusparse-cu12': {
    version: '12.5.10.65',
    sha256: ['73060ce019ac064a057267c585bf1fd5a353734151f87472ff02b2c5c9984e78'],
  },
  'nvidia-nccl-cu12': {
    version: '2.32.3',
    sha256: ['bb94b2348e4861d5e8aa00b36c3d12d9bdf9c6369b82cbb723de0b582280a21c'],
  },
  'nvidia-nvjitlink-cu12': {
    version: '12.9.86',
    sha256: ['e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9'],
  },
};

/** What may be taken besides the known wheels. */
export interface WheelTrust {
  /** Takes any wheel, and says which of them are unknown. */
  readonly allowUnknown: boolean;
  /** Default {@link KNOWN_WHEELS}. */
  readonly known?: KnownWheels | undefined;
  report(line: string): void;
}

/**
 * Compares a wheel with the known ones, before anything in it is read.
 * @throws MetaapoError with code `backend` for another one, unless those are allowed
 */
export async function requireKnownWheel(file: string, trust: WheelTrust, signal?: AbortSignal): Promise<void> {
  const digest = await digestOf(file, signal);
  const known = Object.values(trust.known ?? KNOWN_WHEELS);
  if (known.some(({ sha256 }) => sha256.includes(digest))) return;
  if (trust.allowUnknown) {
    trust.report(`${file} (sha256 ${digest}) is none of the wheels that this version knows, and is taken all the same`);
    return;
  }
  throw failure(
    'This is none of the wheels that this version of metaapo knows',
    file,
    `sha256 ${digest}`,
    'Leave the option out to download a known one, or look where it is from and add --allow-unknown-wheel',
  );
}

/** Requirements of packages as pip takes them, with exact versions and checksums where they are known. */
export function pinnedRequirements(names: readonly string[], known: KnownWheels = KNOWN_WHEELS): readonly string[] {
  return names.map((name) => {
    const pin = known[name];
    if (pin === undefined) {
      const remedy = 'Give a known wheel, or look where it is from and add --allow-unknown-wheel';
      throw failure(
        'This version of metaapo knows no wheel of a package that is asked for',
        name,
        'no checksum',
        remedy,
      );
    }
    return [`${name}==${pin.version}`, ...pin.sha256.map((digest) => `--hash=sha256:${digest}`)].join(' ');
  });
}

async function digestOf(file: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(file, { highWaterMark: 2 ** 20 }), hash, ...(signal ? [{ signal }] : []));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const remedy = 'Check the path, or leave the option out to download the wheel';
    throw failure('There is no such wheel', file, 'no such file', remedy, error);
  }
  return hash.digest('hex');
}
