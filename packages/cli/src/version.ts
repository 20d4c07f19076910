import { createRequire } from 'node:module';

/** Version of the command's package; this module lies one directory below the package, in `src` and in `dist`. */
export const { version: VERSION } = createRequire(import.meta.url)('../package.json') as { readonly version: string };
