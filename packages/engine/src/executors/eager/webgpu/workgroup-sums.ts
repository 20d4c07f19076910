import * as tf from '@tensorflow/tfjs';

/** Threads of a workgroup, which share a row where its numbers are added up. */
export const THREADS = 64;

/** Less than any number that is compared. */
export const LOWEST = '-3.4e38';

/**
 * WGSL of `reduceSum` and `reduceMax`: the sum and the greatest of one number a thread. Every thread has to come by, also
 * those of workgroups beyond the last row.
 * @param hasSubgroups threads of a subgroup bring theirs together first, without memory and barriers
 */
export function reductions(hasSubgroups = deviceHasSubgroups()): string {
  const write = hasSubgroups ? bySubgroups : byHalves;
  return `
  var<workgroup> shared_ : array<f32, ${THREADS}>;
  ${write('reduceSum', (a, b) => `${a} + ${b}`, '0.0', 'subgroupAdd')}
  ${write('reduceMax', (a, b) => `max(${a}, ${b})`, LOWEST, 'subgroupMax')}`;
}

type Combine = (a: string, b: string) => string;

function byHalves(name: string, combine: Combine): string {
  return `fn ${name}(value : f32, thread : i32) -> f32 {
    shared_[thread] = value;
    workgroupBarrier();
    for (var half = ${THREADS / 2}; half > 0; half /= 2) {
      if (thread < half) { shared_[thread] = ${combine('shared_[thread]', 'shared_[thread + half]')}; }
      workgroupBarrier();
    }
    let all = shared_[0];
    workgroupBarrier();
    return all;
  }`;
}

/** How large subgroups are, and which threads are in one, is the driver's: each finds its place by counting. */
function bySubgroups(name: string, combine: Combine, nothing: string, operation: string): string {
  return `fn ${name}(value : f32, thread : i32) -> f32 {
    let own = ${operation}(value);
    shared_[thread] = select(${nothing}, own, subgroupElect());
    workgroupBarrier();
    let lanes = i32(subgroupAdd(1u));
    var all = ${nothing};
    for (var at = i32(subgroupExclusiveAdd(1u)); at < ${THREADS}; at += lanes) { all = ${combine('all', 'shared_[at]')}; }
    all = ${operation}(all);
    workgroupBarrier();
    return all;
  }`;
}

/** Whether the device of the current backend has subgroup operations. */
export function deviceHasSubgroups(): boolean {
  const { device } = tf.backend() as unknown as { readonly device?: { readonly features: ReadonlySet<string> } };
  return device?.features.has('subgroups') === true;
}
