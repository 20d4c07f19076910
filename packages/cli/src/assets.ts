/** The package's static files; this module lies one directory below the package, in `src` and in `dist`. */
export const ASSETS = new URL('../assets/', import.meta.url);
