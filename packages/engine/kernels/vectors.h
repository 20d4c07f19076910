// Vectors of float32, as wide as the level of instructions that a file is compiled for.
#pragma once
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#if !defined(METAAPO_LEVEL)
#error "compiled once a level"
#endif

// A call costs as much as what these compute.
#define METAAPO_INLINE inline __attribute__((always_inline))

namespace metaapo {
namespace METAAPO_LEVEL {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#else
constexpr int kLanes = 8;
#endif

typedef float V __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));
typedef int32_t I __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));
typedef uint32_t U __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));
typedef uint16_t H __attribute__((vector_size(2 * kLanes), aligned(2), may_alias));

// A bfloat16: the upper half of a float32.
struct Narrow {
  uint16_t bits;
};

// Not `V{} + x`, which is an addition, since 0 + -0 is 0.
inline V splat(float x) {
#if defined(__AVX512F__)
  return (V)_mm512_set1_ps(x);
#else
  return (V)_mm256_set1_ps(x);
#endif
}

// a * b + c in one rounding. Nothing else is fused, whatever the compiler: sources are compiled with -ffp-contract=off.
METAAPO_INLINE V fused(V a, V b, V c) {
#if defined(__AVX512F__)
  return (V)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#else
  return (V)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#endif
}
METAAPO_INLINE V fused(V a, V b, float c) { return fused(a, b, splat(c)); }
METAAPO_INLINE V fused(V a, float b, V c) { return fused(a, splat(b), c); }

inline V select(I condition, V a, V b) { return (V)((condition & (I)a) | (~condition & (I)b)); }

inline V load(const float* p) { return *(const V*)p; }
inline V load(const Narrow* p) { return (V)(__builtin_convertvector(*(const H*)p, U) << 16); }

inline void store(float* p, V x) { *(V*)p = x; }

// Rounded to the nearest, ties to even; what is no number stays none.
inline H narrowed(V x) {
#if defined(__AVX512BF16__)
  return (H)_mm512_cvtneps_pbh((__m512)x);
#else
  const U bits = (U)x;
  const U rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const U none = (U)(x != x);
  return __builtin_convertvector((rounded & ~none) | (((bits >> 16) | 0x40) & none), H);
#endif
}
inline void store(Narrow* p, V x) { *(H*)p = narrowed(x); }

// The first `count` of a vector's numbers; the others are zero, or left alone.
template <class T>
inline V load_part(const T* p, int64_t count) {
  T all[kLanes] = {};
  for (int64_t i = 0; i < count; i++) all[i] = p[i];
  return load(all);
}
template <class T>
inline void store_part(T* p, V x, int64_t count) {
  T all[kLanes];
  store(all, x);
  for (int64_t i = 0; i < count; i++) p[i] = all[i];
}
template <class T>
inline V load_upto(const T* p, int64_t count) {
  return count >= kLanes ? load(p) : load_part(p, count);
}
template <class T>
inline void store_upto(T* p, V x, int64_t count) {
  if (count >= kLanes) store(p, x);
  else store_part(p, x, count);
}

// Halves are added to halves, on every level.
inline float sum(V x) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps((__m512)x);
#else
  const __m256 all = (__m256)x;
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
#endif
}

// Number i is the sum of vector i, of as many as a vector has numbers.
inline V sums_of(const V* x) {
  V pairs[kLanes / 2], fours[kLanes / 4];
#if defined(__AVX512F__)
  for (int i = 0; i < kLanes / 2; i++) {
    const __m512 a = (__m512)x[2 * i], b = (__m512)x[2 * i + 1];
    pairs[i] = (V)_mm512_unpacklo_ps(a, b) + (V)_mm512_unpackhi_ps(a, b);
  }
  for (int i = 0; i < kLanes / 4; i++) {
    const __m512d a = (__m512d)pairs[2 * i], b = (__m512d)pairs[2 * i + 1];
    fours[i] = (V)_mm512_unpacklo_pd(a, b) + (V)_mm512_unpackhi_pd(a, b);
  }
  const auto halves = [](V a, V b) {
    return (V)_mm512_shuffle_f32x4((__m512)a, (__m512)b, 0x88) + (V)_mm512_shuffle_f32x4((__m512)a, (__m512)b, 0xdd);
  };
  return halves(halves(fours[0], fours[1]), halves(fours[2], fours[3]));
#else
  for (int i = 0; i < kLanes / 2; i++) {
    const __m256 a = (__m256)x[2 * i], b = (__m256)x[2 * i + 1];
    pairs[i] = (V)_mm256_unpacklo_ps(a, b) + (V)_mm256_unpackhi_ps(a, b);
  }
  for (int i = 0; i < kLanes / 4; i++) {
    const __m256d a = (__m256d)pairs[2 * i], b = (__m256d)pairs[2 * i + 1];
    fours[i] = (V)_mm256_unpacklo_pd(a, b) + (V)_mm256_unpackhi_pd(a, b);
  }
  const __m256 a = (__m256)fours[0], b = (__m256)fours[1];
  return (V)_mm256_permute2f128_ps(a, b, 0x20) + (V)_mm256_permute2f128_ps(a, b, 0x31);
#endif
}

inline float largest(V x) {
  float all[kLanes];
  store(all, x);
  for (int i = 1; i < kLanes; i++) all[0] = all[i] > all[0] ? all[i] : all[0];
  return all[0];
}

inline V maximum(V a, V b) { return select(a > b, a, b); }
inline V minimum(V a, V b) { return select(a < b, a, b); }

// e^r for |r| <= log(2) / 2.
METAAPO_INLINE V near_zero_exponential(V r) {
  V y = splat(1.9875691500e-4f);
  y = fused(y, r, 1.3981999507e-3f);
  y = fused(y, r, 8.3334519073e-3f);
  y = fused(y, r, 4.1665795894e-2f);
  y = fused(y, r, 1.6666665459e-1f);
  y = fused(y, r, 5.0000001201e-1f);
  return fused(y, r * r, r) + 1.0f;
}

// x - n log(2), the logarithm in two parts.
METAAPO_INLINE V without_powers(V x, V n) { return fused(n, 2.12194440e-4f, fused(n, -0.693359375f, x)); }

// e^x = 2^n e^r within two units of the last place. Below -87 it is zero, above 88.7 infinite.
#if defined(__AVX512F__)
METAAPO_INLINE V exponential(V x) {
  // These give their second operand where that is no number.
  const V limited = (V)_mm512_min_ps((__m512)splat(100.0f), _mm512_max_ps((__m512)splat(-100.0f), (__m512)x));
  const V n = (V)_mm512_roundscale_ps((__m512)(limited * 1.44269504088896341f), _MM_FROUND_TO_NEAREST_INT);
  const __mmask16 is_large = _mm512_cmp_ps_mask((__m512)x, (__m512)splat(-87.0f), _CMP_NLT_UQ);
  return (V)_mm512_maskz_scalef_ps(is_large, (__m512)near_zero_exponential(without_powers(limited, n)),
                                    (__m512)n);
}
#else
METAAPO_INLINE V exponential(V x) {
  const V limited = minimum(maximum(x, splat(-88.0f)), splat(89.0f));
  const V shifted = fused(limited, splat(1.44269504088896341f), 12582912.0f);
  const V n = shifted - 12582912.0f;
  const V y = near_zero_exponential(without_powers(limited, n));
  // In two factors, since 2^128 is none.
  const I whole = __builtin_convertvector(n, I);
  const I half = whole >> 1;
  const V low = (V)((half + 127) << 23);
  const V high = (V)((whole - half + 127) << 23);
  const V result = select(x < -87.0f, V{}, y * low * high);
  return select(x != x, x, result);
}
#endif

// As many rows of as many words, the first words of two rows `stride` words apart: word i of row r becomes word r of to[i].
inline void turn(const uint32_t* rows, int64_t stride, U* to) {
  U twos[kLanes], fours[kLanes];
#if defined(__AVX512F__)
#define METAAPO_UNPACK(half, bits, a, b) (U)_mm512_unpack##half##_epi##bits((__m512i)(a), (__m512i)(b))
#else
#define METAAPO_UNPACK(half, bits, a, b) (U)_mm256_unpack##half##_epi##bits((__m256i)(a), (__m256i)(b))
#endif
#pragma GCC unroll 8
  for (int i = 0; i < kLanes; i += 2) {
    const U a = *(const U*)(rows + i * stride), b = *(const U*)(rows + (i + 1) * stride);
    twos[i] = METAAPO_UNPACK(lo, 32, a, b);
    twos[i + 1] = METAAPO_UNPACK(hi, 32, a, b);
  }
  // Vector 4 r + c has words c, 4 + c, ... of the rows from 4 r on, in its parts of 128 bits.
#pragma GCC unroll 4
  for (int i = 0; i < kLanes; i += 4) {
    fours[i] = METAAPO_UNPACK(lo, 64, twos[i], twos[i + 2]);
    fours[i + 1] = METAAPO_UNPACK(hi, 64, twos[i], twos[i + 2]);
    fours[i + 2] = METAAPO_UNPACK(lo, 64, twos[i + 1], twos[i + 3]);
    fours[i + 3] = METAAPO_UNPACK(hi, 64, twos[i + 1], twos[i + 3]);
  }
#undef METAAPO_UNPACK
#pragma GCC unroll 4
  for (int c = 0; c < 4; c++) {
#if defined(__AVX512F__)
    const __m512i a = (__m512i)fours[c], b = (__m512i)fours[4 + c];
    const __m512i d = (__m512i)fours[8 + c], e = (__m512i)fours[12 + c];
    const __m512i even = _mm512_shuffle_i32x4(a, b, 0x88), odd = _mm512_shuffle_i32x4(a, b, 0xdd);
    const __m512i later_even = _mm512_shuffle_i32x4(d, e, 0x88), later_odd = _mm512_shuffle_i32x4(d, e, 0xdd);
    to[c] = (U)_mm512_shuffle_i32x4(even, later_even, 0x88);
    to[4 + c] = (U)_mm512_shuffle_i32x4(odd, later_odd, 0x88);
    to[8 + c] = (U)_mm512_shuffle_i32x4(even, later_even, 0xdd);
    to[12 + c] = (U)_mm512_shuffle_i32x4(odd, later_odd, 0xdd);
#else
    const __m256i a = (__m256i)fours[c], b = (__m256i)fours[4 + c];
    to[c] = (U)_mm256_permute2x128_si256(a, b, 0x20);
    to[4 + c] = (U)_mm256_permute2x128_si256(a, b, 0x31);
#endif
  }
}

inline V sigmoid(V x) { return 1.0f / (1.0f + exponential(-x)); }

// tanh x = 1 - 2 / (e^2x + 1), near zero by its series, where that loses digits.
inline V hyperbolic_tangent(V x) {
  const V square = x * x;
  V series = splat(-5.70498872745e-3f);
  series = fused(series, square, 2.06390887954e-2f);
  series = fused(series, square, -5.37397155531e-2f);
  series = fused(series, square, 1.33314422036e-1f);
  series = fused(series, square, -3.33332819422e-1f);
  series = fused(series * square, x, x);
  const V far = 1.0f - 2.0f / (exponential(2.0f * x) + 1.0f);
  return select(square < 0.390625f, series, far);
}

}  // namespace METAAPO_LEVEL
}  // namespace metaapo
