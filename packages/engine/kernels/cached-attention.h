// Attention of one query a sequence to keys and values in a cache, compiled once a level of instructions. Scores and
// weights are float32.
#pragma once
#include <string.h>

#include "attention.h"

namespace metaapo {
namespace METAAPO_LEVEL {

// `Heads` rows of scores, `width` numbers apart: each query [padded] with each of `count` keys [dim].
template <int Heads, class K>
inline void score_keys(const float* queries, int padded, const K* keys, int dim, int count, float* scores,
                       int64_t width) {
  for (int first = 0; first < count; first += kLanes) {
    const int block = count - first < kLanes ? count - first : kLanes;
    V products[Heads][kLanes];
    for (int key = 0; key < block; key++, keys += dim) {
      V sums[Heads] = {};
      for (int i = 0; i < dim; i += kLanes) {
        const V numbers = load_upto(keys + i, dim - i);
        for (int head = 0; head < Heads; head++)
          sums[head] = fused(load(queries + head * padded + i), numbers, sums[head]);
      }
      for (int head = 0; head < Heads; head++) products[head][key] = sums[head];
    }
    for (int key = block; key < kLanes; key++)
      for (int head = 0; head < Heads; head++) products[head][key] = V{};
    for (int head = 0; head < Heads; head++)
      store_upto(scores + head * width + first, sums_of(products[head]), block);
  }
}

// Adds the values [dim] from column `i` on, each times its weights, to `Heads` rows [padded].
template <int Heads, int Columns, class K>
inline void add_columns(const float* weights, int64_t width, const K* values, int dim, int count, int i, float* output,
                        int padded) {
  V sums[Heads][Columns];
  for (int head = 0; head < Heads; head++)
    for (int c = 0; c < Columns; c++) sums[head][c] = load(output + head * padded + i + c * kLanes);
  for (int key = 0; key < count; key++, values += dim) {
    for (int c = 0; c < Columns; c++) {
      const int at = i + c * kLanes;
      const V numbers = load_upto(values + at, dim - at);
      for (int head = 0; head < Heads; head++)
        sums[head][c] = fused(numbers, weights[head * width + key], sums[head][c]);
    }
  }
  for (int head = 0; head < Heads; head++)
    for (int c = 0; c < Columns; c++) store(output + head * padded + i + c * kLanes, sums[head][c]);
}

template <int Heads, class K>
inline void add_values(const float* weights, int64_t width, const K* values, int dim, int count, float* output,
                       int padded) {
  int i = 0;
  for (; i + 4 * kLanes <= dim; i += 4 * kLanes)
    add_columns<Heads, 4>(weights, width, values, dim, count, i, output, padded);
  for (; i + 2 * kLanes <= dim; i += 2 * kLanes)
    add_columns<Heads, 2>(weights, width, values, dim, count, i, output, padded);
  for (; i < dim; i += kLanes) add_columns<Heads, 1>(weights, width, values, dim, count, i, output, padded);
}

// Scores [width], of which `count` are keys, to weights, not normalised; gives their sum.
inline float exponentials(float* scores, int64_t count, int64_t width, float cap) {
  if (cap != 0)
    for (int64_t i = 0; i < count; i += kLanes) store(scores + i, capped(load(scores + i), cap));
  for (int64_t i = count; i < width; i++) scores[i] = kHidden;
  V top = splat(kLowest);
  for (int64_t i = 0; i < width; i += kLanes) top = maximum(top, load(scores + i));
  const V highest = splat(largest(top));
  V total{};
  for (int64_t i = 0; i < width; i += kLanes) {
    const V weight = exponential(load(scores + i) - highest);
    store(scores + i, weight);
    total += weight;
  }
  return sum(total);
}

// Keys or values that a query sees: those of its prompt, then its own.
template <class K>
struct Seen {
  const K* of[2];
  int counts[2];

  Seen(const void* cache, const CachedSequence& sequence, const AttentionForm& form, int group) {
    const Span spans[2] = {sequence.prompt, sequence.own};
    const int all = spans[0].length + spans[1].length;
    int skipped = form.window == 0 || all < form.window ? 0 : all - form.window;
    for (int part = 0; part < 2; part++) {
      const Span& span = spans[part];
      const int without = skipped < span.length ? skipped : span.length;
      of[part] = (const K*)cache + ((int64_t)span.row + (int64_t)group * span.stride + without) * form.dim;
      counts[part] = span.length - without;
      skipped -= without;
    }
  }
  int count() const { return counts[0] + counts[1]; }
};

template <int Heads, class T, class K>
inline void attend_heads(const CachedTensors& tensors, const AttentionForm& form, const Seen<K>& keys,
                         const Seen<K>& values, int64_t row, float* memory, int64_t width, int padded) {
  float* queries = memory;
  float* output = queries + Heads * padded;
  float* scores = output + Heads * padded;
  memset(memory, 0, 2 * Heads * padded * sizeof(float));
  for (int head = 0; head < Heads; head++) {
    const T* query = (const T*)tensors.query.data + (row + head) * form.dim;
    for (int i = 0; i < form.dim; i += kLanes)
      store_upto(queries + head * padded + i, load_upto(query + i, form.dim - i), form.dim - i);
  }
  score_keys<Heads>(queries, padded, keys.of[0], form.dim, keys.counts[0], scores, width);
  score_keys<Heads>(queries, padded, keys.of[1], form.dim, keys.counts[1], scores + keys.counts[0], width);
  float totals[Heads];
  for (int head = 0; head < Heads; head++)
    totals[head] = exponentials(scores + head * width, keys.count(), width, form.cap);
  add_values<Heads>(scores, width, values.of[0], form.dim, values.counts[0], output, padded);
  add_values<Heads>(scores + values.counts[0], width, values.of[1], form.dim, values.counts[1], output, padded);
  for (int head = 0; head < Heads; head++) {
    T* to = (T*)tensors.output.data + (row + head) * form.dim;
    const float scale = keys.count() == 0 ? 0 : 1.0f / totals[head];
    for (int i = 0; i < form.dim; i += kLanes)
      store_upto(to + i, load(output + head * padded + i) * scale, form.dim - i);
  }
}

constexpr int kHeadsAtATime = 4;

template <class T, class K>
bool attend_to_cache(const CachedTensors& tensors, const AttentionForm& form, int first, int last, int group) {
  const int repeats = form.heads / form.groups;
  const int padded = (int)rounded_up(form.dim, kLanes);
  for (int at = first; at < last; at++) {
    const CachedSequence& sequence = tensors.sequences[at];
    const Seen<K> keys(tensors.keys.data, sequence, form, group), values(tensors.values.data, sequence, form, group);
    const int64_t width = rounded_up(keys.count(), kLanes);
    float* memory = (float*)scratch(kHeadsAtATime * (2 * padded + width) * sizeof(float));
    if (memory == nullptr) return false;
    const int64_t row = (int64_t)at * form.heads + group * repeats;
    int head = 0;
    for (; head + 4 <= repeats; head += 4)
      attend_heads<4, T>(tensors, form, keys, values, row + head, memory, width, padded);
    for (; head + 2 <= repeats; head += 2)
      attend_heads<2, T>(tensors, form, keys, values, row + head, memory, width, padded);
    for (; head < repeats; head++)
      attend_heads<1, T>(tensors, form, keys, values, row + head, memory, width, padded);
  }
  return true;
}

inline bool cached_attention(const CachedTensors& tensors, const AttentionForm& form, int first, int last, int group) {
  if (tensors.query.narrow)
    return tensors.keys.narrow ? attend_to_cache<Narrow, Narrow>(tensors, form, first, last, group)
                               : attend_to_cache<Narrow, float>(tensors, form, first, last, group);
  return tensors.keys.narrow ? attend_to_cache<float, Narrow>(tensors, form, first, last, group)
                             : attend_to_cache<float, float>(tensors, form, first, last, group);
}

}  // namespace METAAPO_LEVEL
}  // namespace metaapo
