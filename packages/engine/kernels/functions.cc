#include "levels.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <vector>

namespace metaapo {

// Null where the compiler did not know the level.
extern const Functions functions_of_avx2 __attribute__((weak));
extern const Functions functions_of_avx512 __attribute__((weak));
extern const Functions functions_of_bfloat16 __attribute__((weak));
extern const Functions functions_of_amx __attribute__((weak));

namespace {

// Linux gives the tile registers to processes that ask for them.
bool may_use_tiles() {
  constexpr long kRequest = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
}

uint64_t enabled_registers() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

bool has_tiles() {
  uint32_t a = 7, b, c = 0, d;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  constexpr uint32_t kBfloat16 = 1u << 22, kTiles = 1u << 24;
  return (d & kBfloat16) && (d & kTiles) && (enabled_registers() >> 17 & 3) == 3 && may_use_tiles();
}

int levels_of_processor() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (!wide) return 1;
  if (!__builtin_cpu_supports("avx512bf16")) return 2;
  return has_tiles() ? 4 : 3;
}

// All that the compiler knew and the processor has, the best last.
std::vector<const Functions*> find_levels() {
  const Functions* const all[] = {&functions_of_avx2, &functions_of_avx512, &functions_of_bfloat16, &functions_of_amx};
  std::vector<const Functions*> found;
  for (int level = 0; level < levels_of_processor(); level++)
    if (all[level] != nullptr) found.push_back(all[level]);
  return found;
}

std::atomic<const Functions*> chosen{nullptr};

}  // namespace

const std::vector<const Functions*>& levels() {
  static const std::vector<const Functions*> found = find_levels();
  return found;
}

const Functions* functions() {
  if (const Functions* const table = chosen.load(std::memory_order_relaxed)) return table;
  return levels().empty() ? nullptr : levels().back();
}

void choose_functions(const Functions* table) { chosen.store(table); }

}  // namespace metaapo
