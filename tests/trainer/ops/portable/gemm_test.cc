#include <gtest/gtest.h>

#include "tests/trainer/ops/portable/random_gemm.h"
#include "trainer/ops/portable/backend.h"

namespace twinrun::trainer::portable {
namespace {

/// The instruction sets that this CPU has.
std::vector<Isa> isas() {
  std::vector<Isa> result;
  for (const Isa isa : {Isa::kPlain, Isa::kAvx2, Isa::kAvx512}) {
    try {
      cpu_kernels(isa);
      result.push_back(isa);
    } catch (const std::invalid_argument&) {
    }
  }
  return result;
}

std::int64_t mismatches(const RandomGemm& random, const std::vector<float>& x,
                        const std::vector<float>& y) {
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < random.gemm.m; ++i) {
    for (std::int64_t j = 0; j < random.gemm.n; ++j) {
      const auto at = static_cast<std::size_t>(i * random.gemm.c_row + j);
      count += random.defined(i, j) && !same(x[at], y[at]) ? 1 : 0;
    }
  }
  return count;
}

std::vector<float> product(const RandomGemm& random, Isa isa) {
  auto c = random.c;
  cpu_kernels(isa).gemm(random.with(c));
  return c;
}

TEST(PortableGemm, IsTheDefinitionOnEveryInstructionSet) {
  for (std::uint32_t seed = 0; seed < 400; ++seed) {
    const RandomGemm random(seed);
    auto expected = random.c;
    for (std::int64_t i = 0; i < random.gemm.m; ++i) {
      for (std::int64_t j = 0; j < random.gemm.n; ++j) {
        expected[static_cast<std::size_t>(i * random.gemm.c_row + j)] = random.by_definition(i, j);
      }
    }
    for (const Isa isa : isas()) {
      ASSERT_EQ(mismatches(random, product(random, isa), expected), 0)
          << cpu_kernels(isa).name << ", " << random.name();
    }
  }
}

TEST(PortableGemmFuzz, TenThousandShapesHaveTheSameBitsOnEveryInstructionSet) {
  for (std::uint32_t seed = 1000; seed < 11000; ++seed) {
    const RandomGemm random(seed);
    const auto expected = product(random, Isa::kPlain);
    for (const Isa isa : isas()) {
      ASSERT_EQ(mismatches(random, product(random, isa), expected), 0)
          << cpu_kernels(isa).name << ", " << random.name();
    }
  }
}

TEST(PortableGemm, IsTheDefinitionAcrossBlocksOfK) {
  for (std::uint32_t seed = 0; seed < 48; ++seed) {
    const RandomGemm random(seed, 1000);
    for (const Isa isa : isas()) {
      const auto c = product(random, isa);
      std::int64_t count = 0;
      for (std::int64_t i = seed % 5; i < random.gemm.m; i += 5) {
        for (std::int64_t j = 0; j < random.gemm.n; j += 3) {
          const auto at = static_cast<std::size_t>(i * random.gemm.c_row + j);
          count += random.defined(i, j) && !same(c[at], random.by_definition(i, j)) ? 1 : 0;
        }
      }
      ASSERT_EQ(count, 0) << cpu_kernels(isa).name << ", " << random.name();
    }
  }
}

TEST(PortableGemm, TouchesNothingBesideC) {
  const RandomGemm random(7);
  for (const Isa isa : isas()) {
    const auto c = product(random, isa);
    for (std::size_t at = 0; at < c.size(); ++at) {
      const auto column = static_cast<std::int64_t>(at) % random.gemm.c_row;
      const bool inside = column < random.gemm.n &&
                          static_cast<std::int64_t>(at) / random.gemm.c_row < random.gemm.m;
      if (inside) continue;
      ASSERT_TRUE(same(c[at], random.c[at])) << at;
    }
  }
}

TEST(PortableGemm, CutsForThreadsChangeNoBit) {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    const RandomGemm random(seed);
    for (const Isa isa : isas()) {
      auto c = random.c;
      make_cpu_backend(isa)->gemm(random.with(c), {});
      ASSERT_EQ(mismatches(random, c, product(random, isa)), 0) << random.name();
    }
  }
}

TEST(CpuKernels, AutoIsTheWidestOfThisCpu) {
  EXPECT_EQ(cpu_kernels(Isa::kAuto).name, cpu_kernels(isas().back()).name);
}

}  // namespace
}  // namespace twinrun::trainer::portable
