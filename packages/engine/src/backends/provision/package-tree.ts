/** Files of Python packages as they lie in site-packages: from a wheel, or from an environment. */
export interface PackageTree {
  /** The wheel or directory. */
  readonly where: string;
  /** Paths of all files below a folder, such as `tensorflow/include/tensorflow/c/`, relative to site-packages. */
  list(folder: string): Promise<string[]>;
  /** A file's text; undefined when it is not there. */
  read(path: string): Promise<string | undefined>;
  /** Writes a file to `target`, whose directory exists, whole and checked. */
  extract(path: string, target: string): Promise<void>;
  /** Frees the file handle. */
  close(): void;
}

/** What a package says of itself. */
export interface PackageMetadata {
  readonly name: string;
  readonly version: string;
  /** Requirements of the extra `and-cuda`, as pip takes them: `nvidia-cublas-cu12<13.0,>=12.5.3.2`. */
  readonly cudaRequirements: readonly string[];
}

/** Reads the METADATA file of a package (core metadata: headers, then a blank line). */
export function parseMetadata(text: string): PackageMetadata {
  const lines = text.split(/\r?\n\r?\n/, 1)[0]!.split(/\r?\n/);
  const values = (header: string): string[] =>
    lines.filter((line) => line.startsWith(`${header}: `)).map((line) => line.slice(header.length + 2));
  return {
    name: (values('Name')[0] ?? '').toLowerCase().replace(/[-_.]+/g, '-'),
    version: values('Version')[0] ?? '',
    cudaRequirements: values('Requires-Dist')
      .filter((requirement) => /extra\s*==\s*["']and-cuda["']/.test(requirement))
      .map((requirement) => requirement.split(';')[0]!.replace(/[\s()]/g, '')),
  };
}
