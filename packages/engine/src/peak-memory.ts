import { readFile } from 'node:fs/promises';

/** The largest resident set of this process so far, in bytes. */
export async function peakMemory(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024 || process.resourceUsage().maxRSS * 1024;
}
