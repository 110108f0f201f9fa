#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "trainer/ops/portable/cpu_kernels.h"

namespace twinrun::trainer::portable {

/// A product of a random shape, layout and kind over values of every size: ordinary ones, zeros of
/// both signs, subnormal and huge ones. Padded leading dimensions, so that rows need not touch.
struct RandomGemm {
  /// `more_k`: added to k.
  explicit RandomGemm(std::uint32_t seed, std::int64_t more_k = 0);

  /// The product into a copy of `c`; the storage stays that of this object.
  Gemm with(std::vector<float>& c_copy) const {
    auto g = gemm;
    g.c = c_copy.data();
    return g;
  }

  /// Whether the contract says what C[i, j] is.
  bool defined(std::int64_t i, std::int64_t j) const {
    return gemm.range != KRange::kOutLower || j <= i;
  }

  /// C[i, j] by the definition in docs/numerics.md.
  float by_definition(std::int64_t i, std::int64_t j) const;

  std::string name() const;

  std::uint32_t seed;
  std::vector<float> a, b, c;
  Gemm gemm;
};

inline float random_value(std::mt19937& random) {
  const auto ordinary = static_cast<float>(static_cast<std::int32_t>(random())) * 0x1p-31F;
  switch (random() % 32) {
    case 0:
      return 0.0F;
    case 1:
      return -0.0F;
    case 2:
      return ordinary * 0x1p-130F;  // subnormal
    case 3:
      return ordinary * 0x1p-70F;  // subnormal with another of its kind
    case 4:
      return ordinary * 0x1p60F;
    default:
      return ordinary;
  }
}

inline RandomGemm::RandomGemm(std::uint32_t seed_, std::int64_t more_k) : seed(seed_) {
  std::mt19937 random(seed);
  const auto below = [&](std::uint32_t n) { return static_cast<std::int64_t>(random() % n); };
  const auto kind = random() % 8;
  gemm.m = 1 + below(random() % 4 == 0 ? 200 : 70);
  gemm.n = 1 + below(random() % 4 == 0 ? 200 : 70);
  gemm.k = more_k + below(random() % 4 == 0 ? 600 : 90);
  if (kind == 1 || kind == 2) gemm.m += more_k;
  if (kind == 1) gemm.range = KRange::kUpTo, gemm.k = gemm.m;
  if (kind == 2) gemm.range = KRange::kFrom, gemm.k = gemm.m;
  if (kind == 3) gemm.range = KRange::kOutLower, gemm.n = gemm.m;
  gemm.chained = kind == 4;
  gemm.accumulate = !gemm.chained && random() % 2 == 0;
  const bool a_along_k = gemm.chained || random() % 3 != 0;
  const bool b_along_k = !gemm.chained && a_along_k && random() % 2 == 0;
  const auto pad = random() % 2 == 0 ? below(5) : 0;
  const auto a_ld = (a_along_k ? gemm.k : gemm.m) + pad, b_ld = (b_along_k ? gemm.k : gemm.n) + pad;
  gemm.a_row = a_along_k ? a_ld : 1;
  gemm.a_k = a_along_k ? 1 : a_ld;
  gemm.b_k = b_along_k ? 1 : b_ld;
  gemm.b_col = b_along_k ? b_ld : 1;
  gemm.c_row = gemm.n + below(4);
  const auto fill = [&](std::vector<float>& values, std::int64_t count) {
    values.resize(static_cast<std::size_t>(count) + 4);
    for (auto& value : values) value = random_value(random);
  };
  fill(a, a_ld * (a_along_k ? gemm.m : gemm.k));
  fill(b, b_ld * (b_along_k ? gemm.n : gemm.k));
  fill(c, gemm.c_row * gemm.m);
  gemm.a = a.data();
  gemm.b = b.data();
}

inline float RandomGemm::by_definition(std::int64_t i, std::int64_t j) const {
  float total = 0, chain = gemm.accumulate ? c[static_cast<std::size_t>(i * gemm.c_row + j)] : 0.0F;
  for (std::int64_t k = 0; k < gemm.k; ++k) {
    if (gemm.range == KRange::kUpTo && k > i) continue;
    if (gemm.range == KRange::kFrom && k < i) continue;
    if (gemm.chained && k > 0 && k % kChainSteps == 0) {
      total = k == kChainSteps ? chain : total + chain;
      chain = 0;
    }
    chain = std::fmaf(gemm.a[i * gemm.a_row + k * gemm.a_k], gemm.b[k * gemm.b_k + j * gemm.b_col],
                      chain);
  }
  return gemm.chained && gemm.k > kChainSteps ? total + chain : chain;
}

inline std::string RandomGemm::name() const {
  return "seed " + std::to_string(seed) + ": " + std::to_string(gemm.m) + " x " +
         std::to_string(gemm.n) + " x " + std::to_string(gemm.k) + ", range " +
         std::to_string(static_cast<int>(gemm.range)) + (gemm.chained ? ", chained" : "") +
         (gemm.accumulate ? ", accumulating" : "");
}

/// Same bits, or both NaN (whose payload nobody promises).
inline bool same(float x, float y) {
  return std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y) ||
         (std::isnan(x) && std::isnan(y));
}

}  // namespace twinrun::trainer::portable
