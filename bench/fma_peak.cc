#include "bench/fma_peak.h"

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace twinrun::bench {
namespace {

constexpr int kChains = 14;  // more than the latency of two units hides, within 16 registers
constexpr long kRounds = 4'000'000;

// One body a vector width: the types differ, and a template would need the target on each call.
__attribute__((target("avx512f"))) void run_avx512() {
  __m512 x[kChains];
  for (auto& value : x) value = _mm512_set1_ps(1.0F);
  const __m512 factor = _mm512_set1_ps(0.5F);
  for (long i = 0; i < kRounds; ++i) {
#pragma GCC unroll 14
    for (auto& value : x) value = _mm512_fmadd_ps(value, factor, factor);
  }
  for (auto& value : x) __asm__ volatile("" : : "v"(value));
}

__attribute__((target("avx2,fma"))) void run_avx2() {
  __m256 x[kChains];
  for (auto& value : x) value = _mm256_set1_ps(1.0F);
  const __m256 factor = _mm256_set1_ps(0.5F);
  for (long i = 0; i < kRounds; ++i) {
#pragma GCC unroll 14
    for (auto& value : x) value = _mm256_fmadd_ps(value, factor, factor);
  }
  for (auto& value : x) __asm__ volatile("" : : "x"(value));
}

}  // namespace

double fma_peak_gflops() {
  const bool wide = __builtin_cpu_supports("avx512f");
  const double flops = 2.0 * kRounds * kChains * (wide ? 16 : 8);
  std::array<double, 3> speeds{};
  for (double& speed : speeds) {
    const auto start = std::chrono::steady_clock::now();
    wide ? run_avx512() : run_avx2();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    speed = flops / elapsed.count() / 1e9;
  }
  std::sort(speeds.begin(), speeds.end());
  return speeds[speeds.size() / 2];
}

}  // namespace twinrun::bench
