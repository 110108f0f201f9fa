#include <gtest/gtest.h>
#include <omp.h>

#include <random>

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
  cpu_kernels(isa).gemm(random.with(c), nullptr);
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

/// Products of a backend of `threads` threads against those of one thread.
void expect_no_bit_changed(const RandomGemm& random, int threads) {
  for (const Isa isa : isas()) {
    const auto expected = product(random, isa);
    omp_set_num_threads(threads);
    auto c = random.c;
    make_cpu_backend(isa)->gemm(random.with(c), {});
    ASSERT_EQ(mismatches(random, c, expected), 0) << threads << " threads, " << random.name();
  }
}

class PortableGemmThreads : public testing::Test {
 protected:
  ~PortableGemmThreads() override { omp_set_num_threads(before_); }

 private:
  int before_ = omp_get_max_threads();
};

TEST_F(PortableGemmThreads, ChangeNoBit) {
  // Small ones are computed by one thread, deeper ones by both.
  for (std::uint32_t seed = 0; seed < 100; ++seed) {
    expect_no_bit_changed(RandomGemm(seed, seed % 2 == 0 ? 0 : 500), 2);
  }
}

TEST_F(PortableGemmThreads, ChangeNoBitAcrossBlocks) {
  for (std::uint32_t seed = 0; seed < 12; ++seed) {
    expect_no_bit_changed(RandomGemm(seed, 1500), 2 + static_cast<int>(seed % 4));
  }
}

/// Wider than a block of columns and taller than all shares, with several blocks of k.
TEST_F(PortableGemmThreads, ChangeNoBitOfALargeProduct) {
  RandomGemm random(5);
  std::mt19937 draw(1);
  const auto values = [&](std::int64_t count) {
    std::vector<float> x(static_cast<std::size_t>(count));
    for (auto& value : x) value = static_cast<float>(draw()) / 4e9F - 0.5F;
    return x;
  };
  auto& g = random.gemm;
  g = {.m = 170, .n = 1100, .k = 1030, .a_row = 1030, .b_k = 1, .b_col = 1030, .c_row = 1100};
  random.a = values(g.m * g.k);
  random.b = values(g.n * g.k);
  random.c = values(g.m * g.n);
  g.a = random.a.data();
  g.b = random.b.data();
  for (const bool chained : {false, true}) {
    g.chained = chained;
    for (const int threads : {2, 3}) expect_no_bit_changed(random, threads);
  }
}

TEST(CpuKernels, AutoIsTheWidestOfThisCpu) {
  EXPECT_EQ(cpu_kernels(Isa::kAuto).name, cpu_kernels(isas().back()).name);
}

}  // namespace
}  // namespace twinrun::trainer::portable
