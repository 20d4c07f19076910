import { defineConfig } from 'tsup';

export default defineConfig({
  entry: [
    'src/index.ts',
    'src/contracts/index.ts',
    'src/numerics/index.ts',
    'src/http/index.ts',
    'src/storage/index.ts',
    'src/recipe/index.ts',
  ],
  format: 'esm',
  target: 'node20',
  dts: true,
  sourcemap: true,
  clean: true,
});
