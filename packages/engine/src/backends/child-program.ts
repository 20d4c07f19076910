/**
 * CommonJS program for `node -e`, so that it runs alike from sources, from a bundle and from a test.
 * Its argument is JSON: main (module to require), backend, wasm, wasmDirectory, webgpu and dawn (a module and an address to
 * import), budgetMs.
 * It answers with one line on standard output: `@metaapo ` and a BackendMeasurement.
 */
export const CHILD_PROGRAM = `'use strict';
const { main, backend, wasm, wasmDirectory, webgpu, dawn, budgetMs } = JSON.parse(process.argv[1]);
Object.assign(require('node:util'), { isNullOrUndefined: (x) => x === null || x === undefined, isArray: Array.isArray });
process.noDeprecation = true;
for (const name of ['log', 'info', 'warn']) console[name] = () => {};
const FLOAT = 1, BFLOAT16 = 14;

async function load() {
  const tf = require(main);
  if (wasm) require(wasm).setWasmPaths(wasmDirectory);
  if (webgpu) await provideWebgpu();
  if (backend !== 'tensorflow') await tf.setBackend(backend);
  await tf.ready();
  return tf;
}

let adapter;
async function provideWebgpu() {
  const { create, globals } = await import(dawn);
  Object.assign(globalThis, globals);
  const gpu = create([]);
  Object.defineProperty(globalThis.navigator ??= {}, 'gpu', { value: gpu });
  const found = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!found) throw new Error('no adapter that Dawn can use');
  const { vendor, architecture, device, description, isFallbackAdapter } = found.info;
  adapter = { vendor, architecture, device, description, isFallbackAdapter };
  require(webgpu);
}

async function check(tf) {
  const product = await tf.matMul(tf.tensor2d([[1, 2], [3, 4]]), tf.tensor2d([[5, 6], [7, 8]])).data();
  if (String(Array.from(product)) !== '19,22,43,50') throw new Error('a wrong product: ' + Array.from(product));
}

/** Best GFLOP/s of n x n products; n grows until one takes 40 ms, or is 2048. */
async function speed(tf, prepare) {
  const run = async (n, multiply, count) => {
    const start = performance.now();
    for (let i = 0; i < count; i++) {
      const product = multiply();
      if (i === count - 1) await product.slice([0, 0], [1, 1]).cast('float32').data();
      product.dispose();
    }
    return (performance.now() - start) / count;
  };
  for (let n = 256; ; n *= 2) {
    const multiply = prepare(tf.randomNormal([n, n]), tf.randomNormal([n, n]));
    await run(n, multiply, 1);
    let best = await run(n, multiply, 1);
    if (best < 40 && n < 2048) continue;
    const count = Math.max(1, Math.floor(50 / best));
    const end = performance.now() + budgetMs;
    do best = Math.min(best, await run(n, multiply, count)); while (performance.now() < end);
    return (2 * n ** 3) / best / 1e6;
  }
}

function bfloat16(tf) {
  const native = tf.backend();
  const { TF_ATTR_TYPE, TF_ATTR_BOOL } = native.binding;
  const create = native.createOutputTensor.bind(native);
  // TensorFlow.js has no name for this type: between two operations a tensor of it passes for float32.
  native.createOutputTensor = (data) => create(data.dtype === BFLOAT16 ? { ...data, dtype: FLOAT } : data);
  const type = (name, value) => ({ name, type: TF_ATTR_TYPE, value });
  const flag = (name) => ({ name, type: TF_ATTR_BOOL, value: false });
  const cast = (x, from, to) =>
    native.executeSingleOutput('Cast', [type('SrcT', from), type('DstT', to), flag('Truncate')], [x]);
  return speed(tf, (a, b) => {
    const [x, y] = [cast(a, FLOAT, BFLOAT16), cast(b, FLOAT, BFLOAT16)];
    return () => {
      const product = native.executeSingleOutput(
        'MatMul', [flag('transpose_a'), flag('transpose_b'), type('T', BFLOAT16)], [x, y]);
      return { slice: (...corner) => ({ cast: () => {
        const back = cast(product, BFLOAT16, FLOAT);
        const value = back.slice(...corner);
        back.dispose();
        return value;
      } }), dispose: () => product.dispose() };
    };
  });
}

load().then(async (tf) => {
  await check(tf);
  const native = tf.backend();
  const libtensorflow = native.binding && native.binding.TF_Version;
  const matmulGflops = {};
  if (budgetMs > 0) {
    matmulGflops.float32 = await speed(tf, (a, b) => () => tf.matMul(a, b));
    try { if (libtensorflow) matmulGflops.bfloat16 = await bfloat16(tf); } catch {}
  }
  const answer = { versions: tf.version, libtensorflow, adapter, usesGpu: native.isUsingGpuDevice === true,
    hasSessions: typeof (native.binding && native.binding.loadSavedModel) === 'function', matmulGflops };
  process.stdout.write('\\n@metaapo ' + JSON.stringify(answer) + '\\n');
}).catch((error) => {
  process.stderr.write('\\n@metaapo-error ' + String(error && error.message || error).split('\\n')[0] + '\\n');
  process.exitCode = 1;
});
`;
