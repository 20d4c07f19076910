import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('serve.py', import.meta.url));

/** Seconds until the server answers at all; its engine takes longer, and requests wait for it. */
const START_SECONDS = 120;

/** What a server is started with. */
export interface TrainingServerOptions {
  /** Model that it trains adapters of. */
  readonly model: string;
  /** Its database, checkpoints, compiled programs and log: empty at first; a server that is started again goes on with them. */
  readonly directory: string;
  /** Python of {@link servicePython}. */
  readonly python: string;
  /** Adapters that it holds at a time; default 5. */
  readonly adapters?: number | undefined;
}

/** SkyRL's server in two processes: one that answers requests, and its engine. */
export interface TrainingServer {
  readonly url: string;
  /** Kills (kill -9) both processes at once, or the engine alone, which the other one does not survive. */
  kill(what?: 'both' | 'engine'): Promise<void>;
  /** Starts it again on the same database, at the same address. */
  start(): Promise<void>;
}

/** The interpreter that has the server; absent where `pnpm test:service` did not prepare one. */
export const servicePython = process.env.METAAPO_SERVICE_PYTHON;

/** Starts a server of LoRA adapters up to rank 8; it ends with this process at the latest. */
export async function startTrainingServer(options: TrainingServerOptions): Promise<TrainingServer> {
  mkdirSync(options.directory, { recursive: true });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  const kill = async (what: 'both' | 'engine' = 'both'): Promise<void> => {
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child!.once('exit', resolve));
    // A negative number names the group.
    process.kill(what === 'both' ? -child.pid : engineOf(child.pid), 'SIGKILL');
    await ended;
  };
  const start = async (): Promise<void> => {
    await kill();
    child = launch(options, port);
    await untilAnswering(url, child, join(options.directory, 'server.log'));
  };
  await start();
  return { url, kill, start };
}

function launch({ model, directory, python, adapters = 5 }: TrainingServerOptions, port: number): ChildProcess {
  const log = openSync(join(directory, 'server.log'), 'a');
  const settings = {
    'base-model': model,
    backend: 'jax',
    // One more is the base model without an adapter.
    'backend-config': JSON.stringify({ max_lora_adapters: adapters + 1, max_lora_rank: 8 }),
    'database-url': `sqlite:///${join(directory, 'server.db')}`,
    'checkpoints-base': join(directory, 'checkpoints'),
    port: `${port}`,
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn(python, [script, ...args], {
    // A group of its own, so that both processes can be killed as one.
    detached: true,
    stdio: ['pipe', log, log],
    env: {
      ...process.env,
      HF_HUB_OFFLINE: '1',
      JAX_PLATFORMS: 'cpu',
      JAX_COMPILATION_CACHE_DIR: join(directory, 'compiled'),
      JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS: '0',
    },
  });
  closeSync(log);
  return child;
}

/** The server's only child. */
function engineOf(pid: number): number {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  const processes = stdout.split('\n').map((line) => line.trim().split(/\s+/).map(Number));
  return processes.find(([, parent]) => parent === pid)?.[0] ?? -pid;
}

async function untilAnswering(url: string, child: ChildProcess, log: string): Promise<void> {
  for (const end = Date.now() + START_SECONDS * 1000; Date.now() < end && child.exitCode === null; await wait(100)) {
    const reply = await fetch(`${url}/api/v1/healthz`).catch(() => undefined);
    if (reply?.ok) return;
  }
  throw new Error(`the training server did not start:\n${readFileSync(log, 'utf8').slice(-3000)}`);
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? address!.port : 0));
    });
  });
}
