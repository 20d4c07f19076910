/**
 * A failure of the file system that says where: Node leaves the path out where a write to an open file fails.
 * @param path what was written
 * @param standIn a path that stood in its place while it was written
 */
export function onPath(error: unknown, path: string, standIn?: string): unknown {
  if (!(error instanceof Error) || (error as NodeJS.ErrnoException).code === undefined) return error;
  const failed = error as NodeJS.ErrnoException;
  if (failed.path === undefined) failed.path = path;
  else if (standIn !== undefined && failed.path.startsWith(standIn)) {
    failed.path = `${path}${failed.path.slice(standIn.length)}`;
  }
  return failed;
}
