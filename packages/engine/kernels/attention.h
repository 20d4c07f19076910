// Attention by tiles, forward and backward, compiled once a level of instructions. Scores lie transposed, a row a key and
// a column a query, so that what is done to them runs along the queries. Factors are bfloat16 where the inputs are and the
// processor multiplies them, with float32 sums; else float32.
#pragma once
#include <string.h>

#include "functions.h"
#include "products.h"
#include "threads.h"
#include "vectors.h"

namespace metaapo {
namespace METAAPO_LEVEL {

constexpr int kQueries = 64;       // of a tile
constexpr int kKeys = 128;         // of a block
constexpr float kHidden = -2e30f;  // a score that is not seen
constexpr float kLowest = -1e30f;

inline int64_t rounded_up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

// Parts of one piece of memory, each aligned to 64 bytes.
class Parts {
 public:
  explicit Parts(char* memory) : memory_(memory) {}
  template <class T>
  T* take(int64_t count) {
    T* part = (T*)(memory_ + used_);
    used_ += rounded_up(count * (int64_t)sizeof(T), 64);
    return part;
  }
  int64_t used() const { return used_; }

 private:
  char* memory_;
  int64_t used_ = 0;
};

// Rows [count, dim] of a tensor with `stride` numbers from row to row, as rows of `padded` numbers.
template <class From, class S>
inline void copy_rows(const From* from, int64_t stride, int count, int dim, int padded, S* to) {
  for (int row = 0; row < count; row++) {
    for (int i = 0; i < dim; i += kLanes) store_upto(to + row * padded + i, load_upto(from + row * stride + i, dim - i), dim - i);
    for (int i = dim; i < padded; i++) to[row * padded + i] = S{};
  }
}

// `rows` of `words` words as columns: word w of row r goes to [w * width + r]. Both are multiples of kLanes.
inline void turn_words(const void* from, int64_t rows, int words, void* to, int64_t width) {
  U columns[kLanes];
  for (int64_t row = 0; row < rows; row += kLanes) {
    for (int word = 0; word < words; word += kLanes) {
      turn((const uint32_t*)from + row * words + word, words, columns);
      for (int i = 0; i < kLanes; i++) *(U*)((uint32_t*)to + (word + i) * width + row) = columns[i];
    }
  }
}

// Rows of `padded` numbers as columns.
inline void transpose(const float* from, int64_t rows, int padded, float* to, int64_t width) {
  turn_words(from, rows, padded, to, width);
}
inline void transpose(const Narrow* from, int64_t rows, int padded, Narrow* to, int64_t width) {
  U pairs[kLanes];
  for (int64_t row = 0; row < rows; row += kLanes) {
    for (int first = 0; first < padded; first += 2 * kLanes) {
      turn((const uint32_t*)(from + row * padded + first), padded / 2, pairs);
      for (int i = 0; i < kLanes; i++) {
        Narrow* even = to + (first + 2 * i) * width + row;
        *(H*)even = __builtin_convertvector(pairs[i] & 0xffff, H);
        *(H*)(even + width) = __builtin_convertvector(pairs[i] >> 16, H);
      }
    }
  }
}

// Right factors lie as the products read them: pairs of rows interleaved in bfloat16, rows as they are in float32.

// [padded, kQueries] of the transposed rows of queries.
template <class S>
inline void pack_columns(const S* from, int padded, S* to) {
  turn_words(from, kQueries, padded * (int)sizeof(S) / 4, to, kQueries);
}

// [kQueries, padded] of the rows themselves.
inline void pack_rows(const float* from, int padded, float* to) { memcpy(to, from, sizeof(float) * kQueries * padded); }
inline void pack_rows(const Narrow* from, int padded, Narrow* to) {
  for (int query = 0; query < kQueries; query += 2) {
    for (int i = 0; i < padded; i += kLanes) {
      const Narrow* rows = from + query * padded + i;
      const U low = __builtin_convertvector(*(const H*)rows, U);
      const U high = __builtin_convertvector(*(const H*)(rows + padded), U);
      *(U*)(to + query * padded + 2 * i) = low | (high << 16);
    }
  }
}

// Two consecutive rows of kQueries numbers, as a pair of a right factor.
inline void store_pair(const V* a, const V* b, float* to) {
  for (int c = 0; c < kQueries / kLanes; c++) {
    store(to + c * kLanes, a[c]);
    store(to + kQueries + c * kLanes, b[c]);
  }
}
inline void store_pair(const V* a, const V* b, Narrow* to) {
  for (int c = 0; c < kQueries / kLanes; c++) {
    const U low = __builtin_convertvector(narrowed(a[c]), U);
    const U high = __builtin_convertvector(narrowed(b[c]), U);
    *(U*)(to + 2 * c * kLanes) = low | (high << 16);
  }
}

constexpr int kColumns = kQueries / kLanes;

// Queries of a tile: which keys of their own segment each sees.
struct Tile {
  int first;    // key that the first query is itself
  int count;    // queries
  int window;
  V places[kColumns];

  Tile(int first_key, int queries, int of_window) : first(first_key), count(queries), window(of_window) {
    float numbers[kQueries];
    for (int i = 0; i < kQueries; i++) numbers[i] = (float)(first_key + i);
    for (int c = 0; c < kColumns; c++) places[c] = load(numbers + c * kLanes);
  }
  // Whether all queries see all keys from `begin` to `end`.
  bool sees(int begin, int end) const {
    return end - 1 <= first && (window == 0 || begin > first + count - 1 - window);
  }
  V masked(V score, int key, int c) const {
    const V place = splat((float)key);
    I seen = places[c] >= place;
    if (window != 0) seen &= places[c] - (float)window < place;
    return select(seen, score, splat(kHidden));
  }
  int oldest() const { return window == 0 || first + 1 < window ? 0 : first + 1 - window; }
};

inline V capped(V x, float cap) { return cap == 0 ? x : hyperbolic_tangent(x * (1.0f / cap)) * cap; }

template <class S>
struct ForwardMemory {
  S *keys, *values, *queries, *packed, *weights;
  float *scores, *output, *output_rows;
  int64_t bytes;

  ForwardMemory(char* memory, int64_t key_count, int padded) {
    Parts parts(memory);
    keys = parts.take<S>(key_count * padded);
    values = parts.take<S>(key_count * padded);
    queries = parts.take<S>(kQueries * padded);
    packed = parts.take<S>(kQueries * padded);
    weights = parts.take<S>(kKeys * kQueries);
    scores = parts.take<float>(kKeys * kQueries);
    output = parts.take<float>(padded * kQueries);
    output_rows = parts.take<float>(padded * kQueries);
    bytes = parts.used();
  }
};

template <class S, class T>
bool attend(const AttentionTensors& tensors, const AttentionForm& form, const Segment& segment, int from, int to,
            int group) {
  const int dim = form.dim;
  const int padded = (int)rounded_up(dim, 32);
  const int repeats = form.heads / form.groups;
  const int context = segment.context_length;
  // Keys before `skipped` are out of every query's window.
  const int skipped = Tile(context + from, 1, form.window).oldest() / kKeys * kKeys;
  const int key_count = context + to - skipped;
  const int64_t width = rounded_up(key_count, kKeys);
  char* memory = (char*)scratch((ForwardMemory<S>(nullptr, width, padded).bytes + width * padded * sizeof(S)));
  if (memory == nullptr) return false;
  ForwardMemory<S> own(memory, width, padded);
  S* turned = (S*)(memory + own.bytes);
  const T* key = (const T*)tensors.key.data;
  const T* value = (const T*)tensors.value.data;
  const int64_t stride = (int64_t)form.groups * dim;
  memset(own.keys, 0, width * padded * sizeof(S));
  memset(own.values, 0, width * padded * sizeof(S));
  const int in_context = skipped < context ? context - skipped : 0;
  const int64_t context_row = ((int64_t)segment.context_start + skipped) * form.groups + group;
  const int own_skipped = skipped < context ? 0 : skipped - context;
  const int64_t own_row = ((int64_t)segment.start + own_skipped) * form.groups + group;
  copy_rows(key + context_row * dim, stride, in_context, dim, padded, own.keys);
  copy_rows(value + context_row * dim, stride, in_context, dim, padded, own.values);
  copy_rows(key + own_row * dim, stride, to - own_skipped, dim, padded, own.keys + (int64_t)in_context * padded);
  copy_rows(value + own_row * dim, stride, to - own_skipped, dim, padded, own.values + (int64_t)in_context * padded);
  transpose(own.values, width, padded, turned, width);
  for (int repeat = 0; repeat < repeats; repeat++) {
    const int head = group * repeats + repeat;
    for (int start = from; start < to; start += kQueries) {
      const int count = to - start < kQueries ? to - start : kQueries;
      const Tile tile(context + start, count, form.window);
      const int64_t query_row = ((int64_t)segment.start + start) * form.heads + head;
      memset(own.queries, 0, kQueries * padded * sizeof(S));
      copy_rows((const T*)tensors.query.data + query_row * dim, (int64_t)form.heads * dim, count, dim, padded,
                own.queries);
      pack_columns(own.queries, padded, own.packed);
      V largest[kColumns], total[kColumns];
      for (int c = 0; c < kColumns; c++) {
        largest[c] = splat(kLowest);
        total[c] = V{};
      }
      memset(own.output, 0, padded * kQueries * sizeof(float));
      const int last = context + start + count;
      for (int begin = tile.oldest() / kKeys * kKeys; begin < last; begin += kKeys) {
        const int keys = last - begin < kKeys ? (int)rounded_up(last - begin, 32) : kKeys;
        const bool all = tile.sees(begin, begin + keys);
        multiply(own.keys + (int64_t)(begin - skipped) * padded, padded, own.packed, kQueries, own.scores, kQueries,
                 keys, padded, kQueries, false);
        V highest[kColumns];
        for (int c = 0; c < kColumns; c++) highest[c] = largest[c];
        for (int row = 0; row < keys; row++) {
          for (int c = 0; c < kColumns; c++) {
            float* place = own.scores + row * kQueries + c * kLanes;
            V score = load(place);
            if (form.cap != 0) score = capped(score, form.cap);
            if (!all) score = tile.masked(score, begin + row, c);
            if (form.cap != 0 || !all) store(place, score);
            highest[c] = maximum(highest[c], score);
          }
        }
        V shrink[kColumns];
        bool moved = false;
        for (int c = 0; c < kColumns; c++) {
          shrink[c] = exponential(largest[c] - highest[c]);
          largest[c] = highest[c];
          total[c] *= shrink[c];
          moved = moved || begin > 0;
        }
        for (int row = 0; row < keys; row += 2) {
          V pair[2][kColumns];
          for (int part = 0; part < 2; part++) {
            for (int c = 0; c < kColumns; c++) {
              pair[part][c] = exponential(load(own.scores + (row + part) * kQueries + c * kLanes) - largest[c]);
              total[c] += pair[part][c];
            }
          }
          store_pair(pair[0], pair[1], own.weights + row * kQueries);
        }
        if (moved) {
          for (int i = 0; i < padded; i++)
            for (int c = 0; c < kColumns; c++) {
              float* place = own.output + i * kQueries + c * kLanes;
              store(place, load(place) * shrink[c]);
            }
        }
        multiply(turned + (begin - skipped), width, own.weights, kQueries, own.output, kQueries, padded, keys,
                 kQueries, true);
      }
      float inverse[kQueries], tops[kQueries];
      for (int c = 0; c < kColumns; c++) {
        store(inverse + c * kLanes, 1.0f / total[c]);
        store(tops + c * kLanes, largest[c]);
      }
      turn_words(own.output, padded, kQueries, own.output_rows, padded);
      T* output = (T*)tensors.output.data;
      for (int query = 0; query < count; query++) {
        const int64_t row = query_row + (int64_t)query * form.heads;
        tensors.scales[2 * row] = tops[query];
        tensors.scales[2 * row + 1] = inverse[query];
        for (int i = 0; i < dim; i += kLanes)
          store_upto(output + row * dim + i, load(own.output_rows + query * padded + i) * inverse[query], dim - i);
      }
    }
  }
  return true;
}

template <class S>
struct BackwardMemory {
  S *keys, *values, *turned_keys, *rows, *queries, *query_columns, *query_rows, *slope_columns, *slope_rows;
  S *weights, *slopes, *slope_pairs;
  float *key_gradient, *value_gradient, *scores, *products, *query_gradient;
  int64_t bytes;

  BackwardMemory(char* memory, int64_t key_count, int padded) {
    Parts parts(memory);
    keys = parts.take<S>(key_count * padded);
    values = parts.take<S>(key_count * padded);
    turned_keys = parts.take<S>(key_count * padded);
    rows = parts.take<S>(kQueries * padded);
    queries = parts.take<S>(kQueries * padded);
    query_columns = parts.take<S>(kQueries * padded);
    query_rows = parts.take<S>(kQueries * padded);
    slope_columns = parts.take<S>(kQueries * padded);
    slope_rows = parts.take<S>(kQueries * padded);
    weights = parts.take<S>(kKeys * kQueries);
    slopes = parts.take<S>(kKeys * kQueries);
    slope_pairs = parts.take<S>(kKeys * kQueries);
    key_gradient = parts.take<float>(key_count * padded);
    value_gradient = parts.take<float>(key_count * padded);
    scores = parts.take<float>(kKeys * kQueries);
    products = parts.take<float>(kQueries * (padded < kKeys ? kKeys : padded));
    query_gradient = parts.take<float>(padded * kQueries);
    bytes = parts.used();
  }
};

// Of each query: rowsum(dO * O), the largest score, and the inverse sum of the exponentials, which is 0 for padding.
struct Columns {
  V dots[kColumns], tops[kColumns], inverses[kColumns];
};

// What a tile of queries adds to the gradients of the keys from `begin` to `end`, which stand at `place` in the memory and
// are counted from `origin` in the queries' own order.
template <class S>
void tile_gradient(const BackwardMemory<S>& own, const AttentionForm& form, const Tile& tile, int64_t place,
                   int64_t width, int origin, int begin, int end, int padded, const Columns& columns) {
  for (int at = begin; at < end; at += kKeys) {
    const int keys = end - at < kKeys ? (int)rounded_up(end - at, 32) : kKeys;
    const bool all = tile.sees(origin + at, origin + at + keys) && at + keys <= end;
    const int64_t row0 = place + at;
    multiply(own.keys + row0 * padded, padded, own.query_columns, kQueries, own.scores, kQueries, keys, padded,
             kQueries, false);
    multiply(own.values + row0 * padded, padded, own.slope_columns, kQueries, own.products, kQueries, keys, padded,
             kQueries, false);
    for (int row = 0; row < keys; row += 2) {
      V pair[2][kColumns];
      for (int part = 0; part < 2; part++) {
        const int key = row + part;
        for (int c = 0; c < kColumns; c++) {
          const V score = capped(load(own.scores + key * kQueries + c * kLanes), form.cap);
          V seen = all ? score : tile.masked(score, origin + at + key, c);
          if (at + key >= end) seen = splat(kHidden);
          const V p = exponential(seen - columns.tops[c]) * columns.inverses[c];
          V slope = p * (load(own.products + key * kQueries + c * kLanes) - columns.dots[c]);
          if (form.cap != 0) {
            const V share = score * (1.0f / form.cap);
            slope *= 1.0f - share * share;
          }
          pair[part][c] = slope;
          store(own.weights + key * kQueries + c * kLanes, p);
          store(own.slopes + key * kQueries + c * kLanes, slope);
        }
      }
      store_pair(pair[0], pair[1], own.slope_pairs + row * kQueries);
    }
    multiply(own.weights, kQueries, own.slope_rows, padded, own.value_gradient + row0 * padded, padded, keys, kQueries,
             padded, true);
    multiply(own.slopes, kQueries, own.query_rows, padded, own.key_gradient + row0 * padded, padded, keys, kQueries,
             padded, true);
    multiply(own.turned_keys + row0, width, own.slope_pairs, kQueries, own.query_gradient, kQueries, padded, keys,
             kQueries, true);
  }
}

template <class S, class T>
bool attend_gradient(const AttentionTensors& tensors, const AttentionGradients& gradients, const AttentionForm& form,
                     const Segment* segments, int count, int group) {
  const int dim = form.dim;
  const int padded = (int)rounded_up(dim, 32);
  const int repeats = form.heads / form.groups;
  int64_t width = 0;
  for (int s = 0; s < count; s++) width += rounded_up(segments[s].length, kKeys);
  char* memory = (char*)scratch(BackwardMemory<S>(nullptr, width, padded).bytes);
  if (memory == nullptr) return false;
  BackwardMemory<S> own(memory, width, padded);
  memset(own.keys, 0, width * padded * sizeof(S));
  memset(own.values, 0, width * padded * sizeof(S));
  memset(own.key_gradient, 0, width * padded * sizeof(float));
  memset(own.value_gradient, 0, width * padded * sizeof(float));
  const int64_t stride = (int64_t)form.groups * dim;
  const int64_t query_stride = (int64_t)form.heads * dim;
  int64_t place = 0;
  for (int s = 0; s < count; s++) {
    const int64_t first = ((int64_t)segments[s].start * form.groups + group) * dim;
    copy_rows((const T*)tensors.key.data + first, stride, segments[s].length, dim, padded, own.keys + place * padded);
    copy_rows((const T*)tensors.value.data + first, stride, segments[s].length, dim, padded,
              own.values + place * padded);
    place += rounded_up(segments[s].length, kKeys);
  }
  transpose(own.keys, width, padded, own.turned_keys, width);
  place = 0;
  for (int s = 0; s < count; s++) {
    const Segment& segment = segments[s];
    const int context = segment.context_length;
    for (int repeat = 0; repeat < repeats; repeat++) {
      const int head = group * repeats + repeat;
      for (int start = 0; start < segment.length; start += kQueries) {
        const int queries = segment.length - start < kQueries ? segment.length - start : kQueries;
        const Tile tile(context + start, queries, form.window);
        const int64_t query_row = ((int64_t)segment.start + start) * form.heads + head;
        const T* slope = (const T*)gradients.output.data + query_row * dim;
        const T* output = (const T*)tensors.output.data + query_row * dim;
        memset(own.queries, 0, kQueries * padded * sizeof(S));
        copy_rows((const T*)tensors.query.data + query_row * dim, query_stride, queries, dim, padded, own.queries);
        pack_columns(own.queries, padded, own.query_columns);
        pack_rows(own.queries, padded, own.query_rows);
        memset(own.rows, 0, kQueries * padded * sizeof(S));
        copy_rows(slope, query_stride, queries, dim, padded, own.rows);
        pack_columns(own.rows, padded, own.slope_columns);
        pack_rows(own.rows, padded, own.slope_rows);
        float dots[kQueries] = {}, tops[kQueries] = {}, inverses[kQueries] = {};
        for (int query = 0; query < queries; query++) {
          V products = {};
          for (int i = 0; i < dim; i += kLanes)
            products = fused(load_upto(slope + query * query_stride + i, dim - i),
                             load_upto(output + query * query_stride + i, dim - i), products);
          dots[query] = sum(products);
          const float* scales = tensors.scales + 2 * (query_row + (int64_t)query * form.heads);
          tops[query] = scales[0];
          inverses[query] = scales[1];
        }
        Columns columns;
        for (int c = 0; c < kColumns; c++) {
          columns.dots[c] = load(dots + c * kLanes);
          columns.tops[c] = load(tops + c * kLanes);
          columns.inverses[c] = load(inverses + c * kLanes);
        }
        memset(own.query_gradient, 0, padded * kQueries * sizeof(float));
        const int oldest = tile.oldest() / kKeys * kKeys;
        if (oldest < context)
          tile_gradient(own, form, tile, 0, width, 0, oldest, context, padded, columns);
        const int own_oldest = oldest < context ? 0 : (oldest - context) / kKeys * kKeys;
        tile_gradient(own, form, tile, place, width, context, own_oldest, start + queries, padded, columns);
        T* to = (T*)gradients.query.data + query_row * dim;
        turn_words(own.query_gradient, padded, kQueries, own.products, padded);
        for (int query = 0; query < queries; query++)
          for (int i = 0; i < dim; i += kLanes)
            store_upto(to + query * query_stride + i, load(own.products + query * padded + i), dim - i);
      }
    }
    place += rounded_up(segment.length, kKeys);
  }
  place = 0;
  for (int s = 0; s < count; s++) {
    const int64_t first = ((int64_t)segments[s].start * form.groups + group) * dim;
    for (int row = 0; row < segments[s].length; row++) {
      for (int i = 0; i < dim; i += kLanes) {
        const int64_t at = first + row * stride + i;
        const int64_t from = (place + row) * padded + i;
        store_upto((T*)gradients.key.data + at, load(own.key_gradient + from), dim - i);
        store_upto((T*)gradients.value.data + at, load(own.value_gradient + from), dim - i);
      }
    }
    place += rounded_up(segments[s].length, kKeys);
  }
  return true;
}

#if defined(__AVX512BF16__)
using Factor = Narrow;
#else
using Factor = float;
#endif

inline bool attention(const AttentionTensors& tensors, const AttentionForm& form, const Segment& segment, int from,
                      int to, int group) {
  const Tiles tiles;
  return tensors.query.narrow ? attend<Factor, Narrow>(tensors, form, segment, from, to, group)
                              : attend<float, float>(tensors, form, segment, from, to, group);
}

inline bool attention_gradient(const AttentionTensors& tensors, const AttentionGradients& gradients,
                               const AttentionForm& form, const Segment* segments, int count, int group) {
  const Tiles tiles;
  return tensors.query.narrow ? attend_gradient<Factor, Narrow>(tensors, gradients, form, segments, count, group)
                              : attend_gradient<float, float>(tensors, gradients, form, segments, count, group);
}

}  // namespace METAAPO_LEVEL
}  // namespace metaapo
