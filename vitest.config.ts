import { defineConfig } from 'vitest/config';
import { softwareVulkan } from './scripts/software-vulkan.mjs';

const source = (path: string): string => new URL(`./packages/${path}`, import.meta.url).pathname;

/** Tests read the sources of the workspace packages, so no build has to come first. */
const alias = [
  { find: /^@metaapo\/core\/(contracts|http|numerics|recipe|storage)$/, replacement: source('core/src/$1/index.ts') },
  { find: /^@metaapo\/([a-z-]+)$/, replacement: source('$1/src/index.ts') },
];

export default defineConfig({
  resolve: { alias },
  test: {
    pool: 'forks',
    env: softwareVulkan(),
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'packages/*/test/**/*.test.ts', 'test/fuzz/*.test.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/**/*.test.ts'],
          exclude: ['test/fuzz/**', 'test/service/**'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'service',
          include: ['test/service/**/*.test.ts'],
          testTimeout: 900_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
