// Calls each function of the one level that is linked in, with numbers made from a seed, and prints a line a function: its
// name and a digest of the bits that it gave. Prints nothing where the processor has not the level's instructions.
#include <stdio.h>
#include <string.h>

#include <vector>

#include "../kernels/functions.h"
#include "../kernels/levels.h"

using namespace metaapo;

namespace {

constexpr int kTokens = 150, kHeads = 4, kGroups = 2, kDim = 40, kWidth = 333, kRows = 9;

uint32_t state = 1;
float number(float scale) {
  state = state * 1664525u + 1013904223u;
  return ((float)(state >> 8) / (1 << 24) - 0.5f) * 2 * scale;
}

// Numbers in float32 or bfloat16, and their memory.
struct Tensor {
  std::vector<uint32_t> memory;
  int64_t count;
  bool narrow;

  Tensor(int64_t size, bool is_narrow, float scale) : memory(size), count(size), narrow(is_narrow) {
    for (int64_t i = 0; i < size; i++) {
      const float x = number(scale);
      uint32_t bits;
      memcpy(&bits, &x, 4);
      if (narrow) ((uint16_t*)memory.data())[i] = (uint16_t)(bits >> 16);
      else memory[i] = bits;
    }
  }
  Numbers numbers() { return {memory.data(), narrow}; }
  float* floats() { return (float*)memory.data(); }
};

uint64_t digest(const Tensor& tensor) {
  uint64_t hash = 14695981039346656037ull;
  const int64_t bytes = tensor.count * (tensor.narrow ? 2 : 4);
  for (int64_t i = 0; i < bytes; i++) hash = (hash ^ ((const unsigned char*)tensor.memory.data())[i]) * 1099511628211ull;
  return hash;
}

void print(const char* name, const std::vector<const Tensor*>& tensors) {
  printf("%s", name);
  for (const Tensor* const tensor : tensors) printf(" %016llx", (unsigned long long)digest(*tensor));
  printf("\n");
}

void rows(const Functions& of, bool narrow) {
  const int64_t size = (int64_t)kRows * kWidth;
  Tensor a(size, narrow, 3), b(size, narrow, 3), g(size, false, 1), w(kWidth, false, 1);
  Tensor y(size, narrow, 0), z(size, narrow, 0), d(size, false, 0), dw(kWidth, false, 0);
  of.add(a.numbers(), b.numbers(), d.floats(), 0, size);
  print("add", {&d});
  of.rms_norm(a.numbers(), w.floats(), y.numbers(), 1e-6f, kWidth, 0, kRows);
  print("rms_norm", {&y});
  of.rms_norm_gradient(g.numbers(), a.numbers(), w.floats(), d.floats(), dw.floats(), 1e-6f, kWidth, 0, kRows);
  print("rms_norm_gradient", {&d, &dw});
  of.gated_silu(a.numbers(), b.numbers(), y.numbers(), 0, size);
  print("gated_silu", {&y});
  of.gated_silu_gradient(g.numbers(), a.numbers(), b.numbers(), y.numbers(), z.numbers(), 0, size);
  print("gated_silu_gradient", {&y, &z});
  int32_t targets[kRows];
  for (int row = 0; row < kRows; row++) targets[row] = 31 * row;
  Tensor losses(kRows, false, 0);
  of.losses(a.numbers(), targets, losses.floats(), kWidth, 0, kRows);
  print("losses", {&losses});
  of.residual(a.numbers(), targets, y.numbers(), kWidth, 0, kRows);
  print("residual", {&y});
}

void attention(const Functions& of, bool narrow, int window, float cap) {
  const AttentionForm form{kHeads, kGroups, kDim, window, cap};
  const int64_t queries = (int64_t)kTokens * kHeads * kDim, keys = (int64_t)kTokens * kGroups * kDim;
  Tensor q(queries, narrow, 1), k(keys, narrow, 1), v(keys, narrow, 1), o(queries, narrow, 0);
  Tensor slope(queries, narrow, 1), dq(queries, narrow, 0), dk(keys, narrow, 0), dv(keys, narrow, 0);
  Tensor scales(2 * kTokens * kHeads, false, 0);
  const AttentionTensors tensors{q.numbers(), k.numbers(), v.numbers(), o.numbers(), scales.floats()};
  const Segment segments[] = {{0, 70, 0, 0}, {70, 80, 0, 70}};
  for (int group = 0; group < kGroups; group++)
    for (const Segment& segment : segments) of.attention(tensors, form, segment, 0, segment.length, group);
  print("attention", {&o, &scales});
  const AttentionGradients gradients{slope.numbers(), dq.numbers(), dk.numbers(), dv.numbers()};
  for (int group = 0; group < kGroups; group++) of.attention_gradient(tensors, gradients, form, segments, 2, group);
  print("attention_gradient", {&dq, &dk, &dv});
  Tensor one(kHeads * kDim, narrow, 1), answer(kHeads * kDim, narrow, 0);
  const CachedSequence sequence{{0, kTokens, 60}, {60, kTokens, 9}};
  const CachedTensors cached{one.numbers(), k.numbers(), v.numbers(), answer.numbers(), &sequence};
  for (int group = 0; group < kGroups; group++) of.cached_attention(cached, form, 0, 1, group);
  print("cached_attention", {&answer});
}

void rotations(const Functions& of, bool narrow) {
  const int half = 16;
  Tensor x(kTokens * kHeads * kDim, narrow, 1), y(kTokens * kHeads * kDim, narrow, 0);
  Tensor cosines(kTokens * half, false, 1), sines(kTokens * half, false, 1);
  of.rotate(x.numbers(), cosines.floats(), sines.floats(), y.numbers(), 0.3f, false, kHeads, kDim, half, 0, kTokens);
  print("rotate", {&y});
}

void steps(const Functions& of) {
  Tensor p(kWidth, false, 1), m(kWidth, false, 1), v(kWidth, false, 0), g(kWidth, false, 1);
  for (int step = 0; step < 3; step++)
    of.adamw(p.floats(), m.floats(), v.floats(), g.floats(), {1e-3f, 1e-5f, 0.9f, 0.999f, 1e-8f, 0.7f}, 0, kWidth);
  print("adamw", {&p, &m, &v});
  Tensor logits(kRows * kWidth, false, 4), shares(kRows, false, 0.5f), columns(kRows, false, 0), y(kRows, false, 0);
  for (int row = 0; row < kRows; row++) shares.floats()[row] += 0.5f;
  of.draw(logits.floats(), shares.floats(), (int32_t*)columns.memory.data(), y.floats(), kWidth, 0, kRows);
  print("draw", {&columns, &y});
}

}  // namespace

int main() {
  const Functions* const of = functions();
  if (of == nullptr) return 0;
  for (const bool narrow : {false, true}) {
    rows(*of, narrow);
    rotations(*of, narrow);
    attention(*of, narrow, 0, 0);
    attention(*of, narrow, 50, 5);
  }
  steps(*of);
}
