// Products of small matrices with float32 sums, compiled once a level of instructions.
#pragma once
#include "vectors.h"

namespace metaapo {
namespace METAAPO_LEVEL {

// A number of a float32 factor, or a pair of a bfloat16 one, in every lane.
inline V broadcast(const float* p) { return splat(*p); }
inline V multiply_add(V a, const float* b, V c) { return fused(a, load(b), c); }

#if defined(__AVX512BF16__)
inline V broadcast(const Narrow* p) {
  int32_t pair;
  __builtin_memcpy(&pair, p, 4);
  return (V)_mm512_set1_epi32(pair);
}
inline V multiply_add(V a, const Narrow* b, V c) {
  return (V)_mm512_dpbf16_ps((__m512)c, (__m512bh)a, (__m512bh)_mm512_loadu_si512(b));
}
#endif

template <class S, int Rows, int Columns>
inline void multiply_block(const S* a, int64_t lda, const S* b, int64_t ldb, float* c, int64_t ldc, int inner,
                           bool accumulate) {
  constexpr int pair = sizeof(S) == 2 ? 2 : 1;
  V sums[Rows][Columns];
#pragma GCC unroll 8
  for (int row = 0; row < Rows; row++)
#pragma GCC unroll 2
    for (int column = 0; column < Columns; column++)
      sums[row][column] = accumulate ? load(c + row * ldc + column * kLanes) : V{};
  for (int k = 0; k < inner; k += pair) {
#pragma GCC unroll 8
    for (int row = 0; row < Rows; row++) {
      const V left = broadcast(a + row * lda + k);
#pragma GCC unroll 2
      for (int column = 0; column < Columns; column++)
        sums[row][column] = multiply_add(left, b + k * ldb + column * kLanes * pair, sums[row][column]);
    }
  }
#pragma GCC unroll 8
  for (int row = 0; row < Rows; row++)
#pragma GCC unroll 2
    for (int column = 0; column < Columns; column++) store(c + row * ldc + column * kLanes, sums[row][column]);
}

// c [rows, columns] = a [rows, inner] b, or added to it; all sizes are multiples of 32. `b` lies in pairs of rows where
// it is bfloat16: b[(k / 2) * 2 * ldb + 2 * column + k % 2].
template <class S>
inline void multiply(const S* a, int64_t lda, const S* b, int64_t ldb, float* c, int64_t ldc, int rows, int inner,
                     int columns, bool accumulate) {
  constexpr int pair = sizeof(S) == 2 ? 2 : 1;
  constexpr int block_rows = kLanes == 16 ? 8 : 4;
  for (int column = 0; column < columns; column += 2 * kLanes)
    for (int row = 0; row < rows; row += block_rows)
      multiply_block<S, block_rows, 2>(a + row * lda, lda, b + column * pair, ldb, c + row * ldc + column, ldc, inner,
                                       accumulate);
}

#if defined(__AMX_BF16__)
inline void multiply(const Narrow* a, int64_t lda, const Narrow* b, int64_t ldb, float* c, int64_t ldc, int rows,
                     int inner, int columns, bool accumulate) {
  const int64_t a_bytes = 2 * lda, b_bytes = 4 * ldb, c_bytes = 4 * ldc;
  for (int column = 0; column < columns; column += 32) {
    for (int row = 0; row < rows; row += 32) {
      float* to = c + row * ldc + column;
      if (accumulate) {
        _tile_loadd(0, to, c_bytes);
        _tile_loadd(1, to + 16, c_bytes);
        _tile_loadd(2, to + 16 * ldc, c_bytes);
        _tile_loadd(3, to + 16 * ldc + 16, c_bytes);
      } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
      }
      for (int k = 0; k < inner; k += 32) {
        const Narrow* left = a + row * lda + k;
        const Narrow* right = b + k * ldb + 2 * column;
        _tile_loadd(4, left, a_bytes);
        _tile_loadd(5, left + 16 * lda, a_bytes);
        _tile_loadd(6, right, b_bytes);
        _tile_loadd(7, right + 32, b_bytes);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
      _tile_stored(0, to, c_bytes);
      _tile_stored(1, to + 16, c_bytes);
      _tile_stored(2, to + 16 * ldc, c_bytes);
      _tile_stored(3, to + 16 * ldc + 16, c_bytes);
    }
  }
}

// Tiles of 16 rows of 64 bytes while it lives; then the thread's registers are configured as they were.
class Tiles {
 public:
  Tiles() {
    _tile_storeconfig(before_);
    alignas(64) unsigned char own[64] = {1};
    for (int tile = 0; tile < 8; tile++) {
      own[16 + 2 * tile] = 64;
      own[48 + tile] = 16;
    }
    _tile_loadconfig(own);
  }
  ~Tiles() {
    if (before_[0] == 0) _tile_release();
    else _tile_loadconfig(before_);
  }

 private:
  alignas(64) unsigned char before_[64];
};
#else
class Tiles {
 public:
  Tiles() {}
  ~Tiles() {}
};
#endif

}  // namespace METAAPO_LEVEL
}  // namespace metaapo
