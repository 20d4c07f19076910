// What the kernels compute, as functions over some rows. One table of them is compiled for each level of instructions.
#pragma once
#include <stdint.h>

namespace metaapo {

// Numbers that are float32, or bfloat16 where `narrow`.
struct Numbers {
  void* data;
  bool narrow;
};

struct AttentionForm {
  int heads;    // query heads a token
  int groups;   // key and value heads a token
  int dim;      // numbers a head
  int window;   // keys that a query sees, itself included; 0: all before it
  float cap;    // bound of the scores; 0: none
};

// Consecutive tokens that see a context whole, and themselves up to each.
struct Segment {
  int32_t start;
  int32_t length;
  int32_t context_start;
  int32_t context_length;
};

struct AttentionTensors {
  Numbers query;   // [tokens * heads, dim]
  Numbers key;     // [tokens * groups, dim]
  Numbers value;   // likewise
  Numbers output;  // like the queries
  float* scales;   // [tokens * heads, 2], the largest score and the inverse sum of the exponentials of the distances to it
};

struct AttentionGradients {
  Numbers output;  // gradient that is given
  Numbers query, key, value;
};

// Consecutive tokens in a cache: a row a token, one group behind the other.
struct Span {
  int32_t row;     // of the first token in the first group
  int32_t stride;  // rows from one group to the next
  int32_t length;
};

// What the one query of a sequence sees: its prompt, and its own tokens.
struct CachedSequence {
  Span prompt, own;
};

struct CachedTensors {
  Numbers query;         // [sequences * heads, dim]
  Numbers keys, values;  // [rows, dim]
  Numbers output;        // like the queries
  const CachedSequence* sequences;
};

struct AdamW {
  float rate, decay, beta1, beta2, epsilon, scale;
};

struct Functions {
  const char* level;
  void (*cast)(Numbers x, Numbers y, int64_t begin, int64_t end);
  void (*add)(Numbers a, Numbers b, float* y, int64_t begin, int64_t end);
  // y = w * x / sqrt(mean(x^2) + epsilon), rows of `width`.
  void (*rms_norm)(Numbers x, const float* w, Numbers y, float epsilon, int64_t width, int64_t begin, int64_t end);
  // dw [width] is what these rows alone contribute.
  void (*rms_norm_gradient)(Numbers g, Numbers x, const float* w, float* dx, float* dw, float epsilon, int64_t width,
                            int64_t begin, int64_t end);
  // y = gate / (1 + exp(-gate)) * up
  void (*gated_silu)(Numbers gate, Numbers up, Numbers y, int64_t begin, int64_t end);
  void (*gated_silu_gradient)(Numbers g, Numbers gate, Numbers up, Numbers dgate, Numbers dup, int64_t begin,
                              int64_t end);
  // Rotates the halves of the first 2 * half numbers of each head by the angles of its token; all are scaled.
  void (*rotate)(Numbers x, const float* cosines, const float* sines, Numbers y, float scale, bool back, int heads,
                 int dim, int half, int64_t begin, int64_t end);
  // -log softmax at the target, rows of `width`.
  void (*losses)(Numbers x, const int32_t* targets, float* y, int64_t width, int64_t begin, int64_t end);
  // softmax - onehot; y may lie where x does.
  void (*residual)(Numbers x, const int32_t* targets, Numbers y, int64_t width, int64_t begin, int64_t end);
  // The column of each row at which a share, in [0, 1], of the sum of its exponentials is reached, and log softmax there.
  void (*draw)(const float* x, const float* shares, int32_t* columns, float* y, int64_t width, int64_t begin,
               int64_t end);
  void (*adamw)(float* p, float* m, float* v, const float* g, const AdamW& with, int64_t begin, int64_t end);
  // The queries `from` to `to` of a segment, in the heads of one group. False where memory is short.
  bool (*attention)(const AttentionTensors& tensors, const AttentionForm& form, const Segment& segment, int from,
                    int to, int group);
  // Segments that share a context: the first is the context itself, the others see it.
  bool (*attention_gradient)(const AttentionTensors& tensors, const AttentionGradients& gradients,
                             const AttentionForm& form, const Segment* segments, int count, int group);
  // The sequences from `first` to `last`, in the heads of one group. False where memory is short.
  bool (*cached_attention)(const CachedTensors& tensors, const AttentionForm& form, int first, int last, int group);
};

}  // namespace metaapo
