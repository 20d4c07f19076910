// Watches over the inputs that another thread tries: one that keeps the processor for two seconds, does not end within
// ten, or takes a gigabyte ends the process, after one line that says so. Ten seconds are counted in looks: on a machine
// that is busy with other things, this thread waits as the other one does.
import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';

const { numbers, mostBytes } = workerData;
const [MOST_CPU_MS, MOST_MS, LOOK_MS] = [2_000, 10_000, 50];
let seen = { index: -1, looks: 0, cpuMs: 0 };
let peak = 0;

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

function stop(fault) {
  writeSync(1, `${JSON.stringify({ index: seen.index, fault })}\n`);
  process.kill(process.pid, 'SIGKILL');
}

setInterval(() => {
  const index = Atomics.load(numbers, 0);
  peak = Math.max(peak, process.memoryUsage.rss());
  Atomics.store(numbers, 1, Math.ceil(peak / 2 ** 20));
  if (index !== seen.index) seen = { index, looks: 0, cpuMs: cpuMs() };
  else if (index >= 0 && cpuMs() - seen.cpuMs > MOST_CPU_MS) stop(`computes for more than ${MOST_CPU_MS} ms`);
  else if (index >= 0 && ++seen.looks > MOST_MS / LOOK_MS) stop(`does not end within ${MOST_MS} ms`);
  if (peak > mostBytes) stop(`takes more than ${Math.round(mostBytes / 2 ** 20)} MiB`);
}, LOOK_MS);
