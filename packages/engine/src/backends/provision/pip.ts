import { failure } from './explain-failure.js';
import { type CommandContext, complaintOf, runCommand } from './run-command.js';

const OFFLINE = 'or fetch the wheel on another machine and give it with --wheel FILE';

/**
 * Downloads wheels through the user's own pip, so with the user's index, proxy and certificates; pip checks them.
 * The wheel's Python version does not matter, since only its C library is used: any Python with pip will do.
 * @param glibcMinor newest manylinux_2_x that may be fetched
 * @throws MetaapoError with code `backend` without python or pip, or when pip fails
 */
export async function downloadWheels(
  requirements: readonly string[],
  directory: string,
  glibcMinor: number,
  context: CommandContext,
): Promise<void> {
  const python = await findPython(context);
  const platforms = Array.from({ length: glibcMinor - 4 }, (_, index) => `manylinux_2_${glibcMinor - index}_x86_64`);
  const result = await runCommand(
    python,
    [
      ...['-m', 'pip', '--disable-pip-version-check', '--no-input', 'download', '--quiet', '--no-deps'],
      ...['--only-binary=:all:', '--implementation', 'cp', '--python-version', '3.12'],
      ...[...platforms, 'manylinux2014_x86_64'].flatMap((platform) => ['--platform', platform]),
      ...['--dest', directory, ...requirements],
    ],
    // pip unpacks what it downloads in TMPDIR, and a small /tmp is common.
    { ...context, env: { ...context.env, TMPDIR: directory } },
  );
  if (result.end === 0) return;
  const what = requirements.length === 1 ? requirements[0]! : `${requirements.length} wheels`;
  if (/No module named pip/.test(result.stderr)) {
    const remedy = `Install pip (Debian and Ubuntu: \`apt install python3-pip\`), ${OFFLINE}`;
    throw failure(`pip is needed to download ${what}`, python, 'a Python without pip', remedy);
  }
  const remedy = `See that \`${python} -m pip download --no-deps ${requirements[0]}\` works (index, proxy, certificates), ${OFFLINE}`;
  throw failure(`pip could not download ${what}`, `${python} -m pip`, complaintOf(result), remedy);
}

async function findPython(context: CommandContext): Promise<string> {
  for (const python of ['python3', 'python']) {
    if ((await runCommand(python, ['--version'], context)).end === 0) return python;
  }
  const remedy = `Install Python 3 with pip (Debian and Ubuntu: \`apt install python3-pip\`), ${OFFLINE}`;
  throw failure('Python is needed to download libtensorflow', 'PATH', 'neither python3 nor python', remedy);
}
