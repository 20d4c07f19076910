// Kernels over rows and elements, compiled once a level of instructions.
#pragma once
#include <math.h>

#include "functions.h"
#include "vectors.h"

namespace metaapo {
namespace METAAPO_LEVEL {

// Calls body(pointer) with the type that the numbers have.
template <class Body>
inline void typed(Numbers x, const Body& body) {
  if (x.narrow) body((Narrow*)x.data);
  else body((float*)x.data);
}

inline void cast(Numbers x, Numbers y, int64_t begin, int64_t end) {
  typed(x, [&](auto* from) {
    typed(y, [&](auto* to) {
      for (int64_t i = begin; i < end; i += kLanes) store_upto(to + i, load_upto(from + i, end - i), end - i);
    });
  });
}

inline void add(Numbers a, Numbers b, float* y, int64_t begin, int64_t end) {
  typed(a, [&](auto* left) {
    typed(b, [&](auto* right) {
      for (int64_t i = begin; i < end; i += kLanes)
        store_upto(y + i, load_upto(left + i, end - i) + load_upto(right + i, end - i), end - i);
    });
  });
}

inline void rms_norm(Numbers x, const float* w, Numbers y, float epsilon, int64_t width, int64_t begin, int64_t end) {
  typed(x, [&](auto* from) {
    typed(y, [&](auto* to) {
      for (int64_t row = begin; row < end; row++) {
        auto* in = from + row * width;
        auto* out = to + row * width;
        V squares = {};
        for (int64_t i = 0; i < width; i += kLanes) {
          const V v = load_upto(in + i, width - i);
          squares = fused(v, v, squares);
        }
        const float inverse = 1.0f / sqrtf(sum(squares) / (float)width + epsilon);
        for (int64_t i = 0; i < width; i += kLanes) {
          const V v = load_upto(in + i, width - i) * inverse;
          store_upto(out + i, v * load_upto(w + i, width - i), width - i);
        }
      }
    });
  });
}

inline void rms_norm_gradient(Numbers g, Numbers x, const float* w, float* dx, float* dw, float epsilon,
                              int64_t width, int64_t begin, int64_t end) {
  for (int64_t i = 0; i < width; i++) dw[i] = 0;
  typed(g, [&](auto* gradient) {
    typed(x, [&](auto* from) {
      for (int64_t row = begin; row < end; row++) {
        auto* in = from + row * width;
        auto* slope = gradient + row * width;
        V squares = {}, products = {};
        for (int64_t i = 0; i < width; i += kLanes) {
          const V v = load_upto(in + i, width - i);
          squares = fused(v, v, squares);
          products = fused(load_upto(slope + i, width - i) * load_upto(w + i, width - i), v, products);
        }
        const float inverse = 1.0f / sqrtf(sum(squares) / (float)width + epsilon);
        const float shrink = inverse * inverse * (sum(products) / (float)width);
        for (int64_t i = 0; i < width; i += kLanes) {
          const int64_t rest = width - i;
          const V v = load_upto(in + i, rest);
          const V s = load_upto(slope + i, rest);
          store_upto(dx + row * width + i, (s * load_upto(w + i, rest) - v * shrink) * inverse, rest);
          store_upto(dw + i, fused(s * v, inverse, load_upto(dw + i, rest)), rest);
        }
      }
    });
  });
}

inline void gated_silu(Numbers gate, Numbers up, Numbers y, int64_t begin, int64_t end) {
  typed(gate, [&](auto* a) {
    typed(up, [&](auto* b) {
      typed(y, [&](auto* to) {
        for (int64_t i = begin; i < end; i += kLanes) {
          const V x = load_upto(a + i, end - i);
          store_upto(to + i, x * sigmoid(x) * load_upto(b + i, end - i), end - i);
        }
      });
    });
  });
}

inline void gated_silu_gradient(Numbers g, Numbers gate, Numbers up, Numbers dgate, Numbers dup, int64_t begin,
                                int64_t end) {
  typed(g, [&](auto* gradient) {
    typed(gate, [&](auto* a) {
      auto* b = (decltype(a))up.data;
      typed(dgate, [&](auto* da) {
        auto* db = (decltype(da))dup.data;
        for (int64_t i = begin; i < end; i += kLanes) {
          const int64_t rest = end - i;
          const V x = load_upto(a + i, rest);
          const V d = load_upto(gradient + i, rest);
          const V s = sigmoid(x);
          const V silu = x * s;
          store_upto(da + i, d * load_upto(b + i, rest) * (s + silu - silu * s), rest);
          store_upto(db + i, d * silu, rest);
        }
      });
    });
  });
}

inline void rotate(Numbers x, const float* cosines, const float* sines, Numbers y, float scale, bool back, int heads,
                   int dim, int half, int64_t begin, int64_t end) {
  const float turn = back ? -scale : scale;
  typed(x, [&](auto* from) {
    typed(y, [&](auto* to) {
      for (int64_t token = begin; token < end; token++) {
        for (int head = 0; head < heads; head++) {
          auto* in = from + (token * heads + head) * dim;
          auto* out = to + (token * heads + head) * dim;
          for (int i = 0; i < half; i += kLanes) {
            const int rest = half - i;
            const V c = load_upto(cosines + token * half + i, rest) * scale;
            const V s = load_upto(sines + token * half + i, rest) * turn;
            const V a = load_upto(in + i, rest);
            const V b = load_upto(in + half + i, rest);
            store_upto(out + i, a * c - b * s, rest);
            store_upto(out + half + i, b * c + a * s, rest);
          }
          for (int i = 2 * half; i < dim; i += kLanes)
            store_upto(out + i, load_upto(in + i, dim - i) * scale, dim - i);
        }
      }
    });
  });
}

// Numbers behind a row that change no maximum and no sum of exponentials.
template <class T>
inline V load_row(const T* p, int64_t count) {
  if (count >= kLanes) return load(p);
  float all[kLanes];
  store(all, load_part(p, count));
  for (int64_t i = count; i < kLanes; i++) all[i] = -INFINITY;
  return load(all);
}

template <class T>
inline float largest_of(const T* row, int64_t width) {
  V tops = splat(-3e38f);
  for (int64_t i = 0; i < width; i += kLanes) tops = maximum(load_row(row + i, width - i), tops);
  return largest(tops);
}

// Sum of the exponentials of a row's distances to `top`, from column `begin` to `end`, which is a multiple of kLanes behind it
// or the end of the row.
template <class T>
inline float sum_of_exponentials(const T* row, int64_t width, float top, int64_t begin, int64_t end) {
  V sums = {};
  for (int64_t i = begin; i < end; i += kLanes) sums += exponential(load_row(row + i, width - i) - top);
  return sum(sums);
}

struct Normalizer {
  float largest;
  double sum;  // of the exponentials of the distances to it
};

template <class T>
inline Normalizer normalizer(const T* row, int64_t width) {
  const float top = largest_of(row, width);
  double total = 0;
  constexpr int64_t part = 64 * kLanes;
  for (int64_t begin = 0; begin < width; begin += part)
    total += sum_of_exponentials(row, width, top, begin, begin + part < width ? begin + part : width);
  return {top, total};
}

inline void losses(Numbers x, const int32_t* targets, float* y, int64_t width, int64_t begin, int64_t end) {
  typed(x, [&](auto* logits) {
    for (int64_t row = begin; row < end; row++) {
      auto* of = logits + row * width;
      const Normalizer with = normalizer(of, width);
      const float target = load_part(of + targets[row], 1)[0];
      y[row] = (float)(log(with.sum) + ((double)with.largest - target));
    }
  });
}

inline void residual(Numbers x, const int32_t* targets, Numbers y, int64_t width, int64_t begin, int64_t end) {
  typed(x, [&](auto* logits) {
    typed(y, [&](auto* to) {
      for (int64_t row = begin; row < end; row++) {
        auto* of = logits + row * width;
        auto* out = to + row * width;
        const Normalizer with = normalizer(of, width);
        const float inverse = (float)(1.0 / with.sum);
        const V target = exponential(load_part(of + targets[row], 1) - with.largest) * inverse - 1.0f;
        for (int64_t i = 0; i < width; i += kLanes)
          store_upto(out + i, exponential(load_row(of + i, width - i) - with.largest) * inverse, width - i);
        store_part(out + targets[row], target, 1);
      }
    });
  });
}

constexpr int kBlocks = 256;  // of a row, whose sums are looked through first

// Whether a place lies in the next weight; else it is moved beyond it.
inline bool falls_into(double& place, float weight) {
  if (place < weight) return true;
  place -= weight;
  return false;
}

inline int64_t column_at(const float* row, int64_t width, float top, double place, int64_t begin, int64_t end) {
  int64_t last = begin;
  for (int64_t i = begin; i < end; i += kLanes) {
    float weights[kLanes];
    store(weights, exponential(load_row(row + i, width - i) - top));
    for (int lane = 0; lane < kLanes; lane++) {
      if (weights[lane] > 0) last = i + lane;
      if (falls_into(place, weights[lane])) return last;
    }
  }
  return last;
}

inline void draw(const float* x, const float* shares, int32_t* columns, float* y, int64_t width, int64_t begin,
                 int64_t end) {
  const int64_t block = ((width + kBlocks - 1) / kBlocks + kLanes - 1) / kLanes * kLanes;
  const auto end_of = [&](int64_t first) { return first + block < width ? first + block : width; };
  for (int64_t row = begin; row < end; row++) {
    const float* logits = x + row * width;
    const float top = largest_of(logits, width);
    float sums[kBlocks];
    int count = 0;
    double total = 0;
    for (int64_t first = 0; first < width; first += block)
      total += sums[count++] = sum_of_exponentials(logits, width, top, first, end_of(first));
    // Where rounding leads beyond the row, its last column above zero is meant.
    double place = shares[row] * total;
    int found = 0;
    bool is_inside = false;
    for (int at = 0; at < count && !is_inside; at++) {
      if (sums[at] > 0) found = at;
      is_inside = falls_into(place, sums[at]);
    }
    const int64_t first = found * block;
    const int64_t column = column_at(logits, width, top, is_inside ? place : total, first, end_of(first));
    columns[row] = (int32_t)column;
    y[row] = (float)((double)logits[column] - top - log(total));
  }
}

inline void adamw(float* p, float* m, float* v, const float* g, const AdamW& with, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i += kLanes) {
    const int64_t rest = end - i;
    const V slope = load_upto(g + i, rest) * with.scale;
    V first = load_upto(m + i, rest);
    V second = load_upto(v + i, rest);
    V parameter = load_upto(p + i, rest);
    first += (slope - first) * (1.0f - with.beta1);
    second += (slope * slope - second) * (1.0f - with.beta2);
    V root;
    for (int lane = 0; lane < kLanes; lane++) root[lane] = sqrtf(second[lane]);
    parameter -= parameter * with.decay;
    parameter -= first * with.rate / (root + with.epsilon);
    store_upto(m + i, first, rest);
    store_upto(v + i, second, rest);
    store_upto(p + i, parameter, rest);
  }
}

}  // namespace METAAPO_LEVEL
}  // namespace metaapo
