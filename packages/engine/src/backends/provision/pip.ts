import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { failure } from './explain-failure.js';
import { type CommandContext, complaintOf, runCommand } from './run-command.js';

/** The installer for Windows puts `py` on the PATH, and the others only when it is told to. */
const PYTHONS = { windows: ['py', 'python', 'python3'], others: ['python3', 'python'] };
const OFFLINE = 'or fetch the wheel on another machine and give it with --wheel FILE';

/** Requirements as pip reads them from a file; with checksums it takes nothing else. */
export interface Requirements {
  readonly lines: readonly string[];
  readonly haveChecksums: boolean;
}

/**
 * Downloads wheels through the user's own pip, so with the user's index, proxy and certificates; pip checks them.
 * The wheel's Python version does not matter, since only its C library is used: any Python with pip will do.
 * @param platforms as pip names them, the one to be preferred first
 * @throws MetaapoError with code `backend` without python or pip, or when pip fails
 */
export async function downloadWheels(
  { lines, haveChecksums }: Requirements,
  directory: string,
  platforms: readonly string[],
  context: CommandContext,
): Promise<void> {
  const python = await findPython(context);
  const file = join(directory, 'requirements.txt');
  await writeFile(file, `${lines.join('\n')}\n`);
  const result = await runCommand(
    python,
    [
      ...['-m', 'pip', '--disable-pip-version-check', '--no-input', 'download', '--quiet', '--no-deps'],
      ...['--only-binary=:all:', '--implementation', 'cp', '--python-version', '3.12'],
      ...platforms.flatMap((platform) => ['--platform', platform]),
      ...['--dest', directory, '--requirement', file, ...(haveChecksums ? ['--require-hashes'] : [])],
    ],
    // pip unpacks what it downloads in TMPDIR, and a small /tmp is common.
    { ...context, env: { ...context.env, TMPDIR: directory } },
  );
  if (result.end === 0) return;
  const [first] = lines[0]!.split(' ');
  const what = lines.length === 1 ? first! : `${lines.length} wheels`;
  if (/No module named pip/.test(result.stderr)) {
    const remedy = `Install pip (Debian and Ubuntu: \`apt install python3-pip\`), ${OFFLINE}`;
    throw failure(`pip is needed to download ${what}`, python, 'a Python without pip', remedy);
  }
  if (/DO NOT MATCH THE HASHES/.test(result.stderr)) {
    const got = /Got\s+([0-9a-f]{64})/.exec(result.stderr)?.[1] ?? 'another checksum';
    const remedy =
      'Ask who keeps the index that `pip config list` names where these wheels are from; --allow-unknown-wheel takes them';
    throw failure(
      `What the index gives for ${what} is not what this version of metaapo knows`,
      `${python} -m pip`,
      got,
      remedy,
    );
  }
  const remedy = `See that \`${python} -m pip download --no-deps ${first}\` works (index, proxy, certificates), ${OFFLINE}`;
  throw failure(`pip could not download ${what}`, `${python} -m pip`, complaintOf(result), remedy);
}

async function findPython(context: CommandContext): Promise<string> {
  for (const python of PYTHONS[process.platform === 'win32' ? 'windows' : 'others']) {
    if ((await runCommand(python, ['--version'], context)).end === 0) return python;
  }
  const remedy = `Install Python 3 with pip (Debian and Ubuntu: \`apt install python3-pip\`), ${OFFLINE}`;
  throw failure('Python is needed to download libtensorflow', 'PATH', 'neither python3 nor python', remedy);
}
