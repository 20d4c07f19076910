/** Threads of a workgroup, which share a row where its numbers are added up. */
export const THREADS = 64;

/** The sum and the greatest of one number a thread. Every thread has to come by, also those of workgroups beyond the last row. */
export const REDUCE = `
  var<workgroup> shared_ : array<f32, ${THREADS}>;
  fn reduceSum(value : f32, thread : i32) -> f32 {
    shared_[thread] = value;
    workgroupBarrier();
    for (var half = ${THREADS / 2}; half > 0; half /= 2) {
      if (thread < half) { shared_[thread] += shared_[thread + half]; }
      workgroupBarrier();
    }
    let total = shared_[0];
    workgroupBarrier();
    return total;
  }
  fn reduceMax(value : f32, thread : i32) -> f32 {
    shared_[thread] = value;
    workgroupBarrier();
    for (var half = ${THREADS / 2}; half > 0; half /= 2) {
      if (thread < half) { shared_[thread] = max(shared_[thread], shared_[thread + half]); }
      workgroupBarrier();
    }
    let top = shared_[0];
    workgroupBarrier();
    return top;
  }
`;
