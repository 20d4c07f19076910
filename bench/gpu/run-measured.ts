import { execFile, spawn } from 'node:child_process';

/** What a process reported, and the memory of the GPU that was in use beside what was before. */
export interface MeasuredRun {
  /** The JSON in the last line of its output. */
  readonly report: unknown;
  /** Bytes; undefined where no GPU tells. */
  readonly gpuBytes: number | undefined;
}

const SAMPLE_MS = 500;

/**
 * Runs a process, and looks at the GPU meanwhile.
 * @throws Error with the end of what it wrote to its standard error, or when it took longer than it may
 */
export async function runMeasured(
  command: string,
  args: readonly string[],
  { env, limitMs }: { readonly env: NodeJS.ProcessEnv; readonly limitMs: number },
): Promise<MeasuredRun> {
  const before = await gpuBytesInUse();
  let most = before;
  const timer = setInterval(async () => {
    const now = await gpuBytesInUse();
    if (now !== undefined && now > (most ?? 0)) most = now;
  }, SAMPLE_MS);
  try {
    const report = await reportOf(command, args, env, limitMs);
    return { report, gpuBytes: most === undefined ? undefined : most - before! };
  } finally {
    clearInterval(timer);
  }
}

function reportOf(command: string, args: readonly string[], env: NodeJS.ProcessEnv, timeout: number): Promise<unknown> {
  return new Promise((fulfil, reject) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout, killSignal: 'SIGKILL' });
    let [output, errors] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-2000);
    });
    child.on('error', reject);
    child.on('close', (status, signal) => {
      const line = output.trim().split('\n').at(-1);
      if (status === 0 && line) fulfil(JSON.parse(line));
      else reject(new Error(signal === null ? errors.trim() : `it took longer than ${(timeout / 1000).toFixed(0)} s`));
    });
  });
}

/** Bytes in use on the first GPU, by all processes. */
function gpuBytesInUse(): Promise<number | undefined> {
  return new Promise((fulfil) => {
    execFile('nvidia-smi', ['--query-gpu=memory.used', '--format=csv,noheader,nounits'], (error, stdout) => {
      const mebibytes = Number.parseInt(stdout, 10);
      fulfil(error === null && Number.isFinite(mebibytes) ? mebibytes * 2 ** 20 : undefined);
    });
  });
}
