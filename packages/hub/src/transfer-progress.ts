import type { RepositoryFile } from './repository-tree.js';

/** Turns bytes into at most a dozen lines: what is to be fetched, then every tenth of it. */
export class TransferProgress {
  readonly #name: string;
  readonly #total: number;
  readonly #report: (line: string) => void;
  readonly #received = new Map<string, number>();
  #tenths = 0;

  constructor(name: string, files: readonly RepositoryFile[], report: (line: string) => void = () => {}) {
    this.#name = name;
    this.#total = files.reduce((sum, { size }) => sum + size, 0);
    this.#report = report;
    if (files.length > 0)
      report(`${name}: fetching ${files.length} file${files.length > 1 ? 's' : ''}, ${megabytes(this.#total)}`);
  }

  /** Hears how many bytes of a file are there. */
  update(path: string, bytes: number): void {
    this.#received.set(path, bytes);
    const received = [...this.#received.values()].reduce((sum, one) => sum + one, 0);
    const tenths = this.#total === 0 ? 0 : Math.floor((10 * received) / this.#total);
    if (tenths <= this.#tenths) return;
    this.#tenths = tenths;
    this.#report(`${this.#name}: ${megabytes(received)} of ${megabytes(this.#total)}`);
  }
}

function megabytes(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
