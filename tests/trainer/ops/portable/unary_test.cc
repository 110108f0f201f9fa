#include "trainer/ops/portable/unary.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "harness/protocol/sha256.h"
#include "tests/trainer/ops/portable/unary_hard_cases.h"
#include "trainer/ops/portable/unary_loops.h"

namespace twinrun::trainer::portable {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kQuiet = std::numeric_limits<float>::quiet_NaN();
constexpr float kSmallest = std::numeric_limits<float>::denorm_min();
constexpr float kLargest = std::numeric_limits<float>::max();

constexpr Unary kAll[] = {Unary::kExp, Unary::kLog, Unary::kRsqrt, Unary::kSin, Unary::kCos};
constexpr const char* kNames[] = {"exp", "log", "rsqrt", "sin", "cos"};  // in the order of Unary

/// Bits, with one NaN for all.
std::uint32_t bits(float x) { return std::isnan(x) ? 0x7FC00000 : std::bit_cast<std::uint32_t>(x); }

std::string hex(float x) {
  char text[40];
  std::snprintf(text, sizeof text, "%a (%08x)", static_cast<double>(x), bits(x));
  return text;
}

/// Every 4,099th of all 2^32 floats, in the order of their bits; 4,099 is prime, so that every
/// exponent is met with mantissas of its own.
const std::vector<float>& sample() {
  static const std::vector<float> floats = [] {
    std::vector<float> all;
    for (std::uint64_t i = 0; i < std::uint64_t{1} << 32; i += 4099) {
      all.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(i)));
    }
    return all;
  }();
  return floats;
}

std::vector<float> run(UnaryLoop loop, Unary function, const std::vector<float>& in) {
  std::vector<float> out(in.size());
  loop(function, in.data(), out.data(), static_cast<std::int64_t>(in.size()));
  return out;
}

float call(Unary function, float x) {
  switch (function) {
    case Unary::kExp:
      return portable_exp(x);
    case Unary::kLog:
      return portable_log(x);
    case Unary::kRsqrt:
      return portable_rsqrt(x);
    case Unary::kSin:
      return portable_sin(x);
    case Unary::kCos:
      return portable_cos(x);
  }
  return kQuiet;
}

/// By the C library in x87 precision.
long double by_long_double(Unary function, long double x) {
  switch (function) {
    case Unary::kExp:
      return std::exp(x);
    case Unary::kLog:
      return std::log(x);
    case Unary::kRsqrt:
      return 1 / std::sqrt(x);
    case Unary::kSin:
      return std::sin(x);
    case Unary::kCos:
      return std::cos(x);
  }
  return 0;
}

void expect_all(Unary function, const std::map<std::string, std::pair<float, float>>& cases) {
  for (const auto& [what, pair] : cases) {
    for (const auto& loop : unary_loops()) {
      const float y = run(loop.run, function, {pair.first})[0];
      EXPECT_EQ(bits(y), bits(pair.second))
          << what << ", " << loop.isa << ": " << hex(y) << ", not " << hex(pair.second);
    }
    EXPECT_EQ(bits(call(function, pair.first)), bits(pair.second)) << what;
  }
}

TEST(PortableExp, SpecialValues) {
  expect_all(Unary::kExp, {{"-inf", {-kInf, 0.0f}},
                           {"inf", {kInf, kInf}},
                           {"nan", {kQuiet, kQuiet}},
                           {"nan with a payload", {std::bit_cast<float>(0xFF812345u), kQuiet}},
                           {"0", {0.0f, 1.0f}},
                           {"-0", {-0.0f, 1.0f}},
                           {"smallest", {kSmallest, 1.0f}},
                           {"largest", {kLargest, kInf}},
                           {"lowest", {-kLargest, 0.0f}},
                           {"last finite", {0x1.62e42ep6f, 0x1.ffff08p127f}},
                           {"first infinite", {0x1.62e43p6f, kInf}},
                           {"last subnormal", {-0x1.9fe368p6f, kSmallest}},
                           {"first zero", {-0x1.9fe36ap6f, 0.0f}},
                           // These two tell a low part of the reduction that is a little wrong.
                           {"near the middle of two", {-0x1.fab1b2p5f, 0x1.8aa1b2p-92f}},
                           {"near the middle of two, above", {0x1.060e1ep6f, 0x1.6e2e7p94f}}});
}

TEST(PortableLog, SpecialValues) {
  expect_all(Unary::kLog, {{"0", {0.0f, -kInf}},
                           {"-0", {-0.0f, -kInf}},
                           {"1", {1.0f, 0.0f}},
                           {"inf", {kInf, kInf}},
                           {"-inf", {-kInf, kQuiet}},
                           {"-1", {-1.0f, kQuiet}},
                           {"below 0", {-kSmallest, kQuiet}},
                           {"nan", {kQuiet, kQuiet}},
                           {"smallest", {kSmallest, -0x1.9d1da0p6f}},
                           {"largest", {kLargest, 0x1.62e430p6f}}});
}

TEST(PortableRsqrt, SpecialValues) {
  expect_all(Unary::kRsqrt, {{"0", {0.0f, kInf}},
                             {"-0", {-0.0f, -kInf}},
                             {"inf", {kInf, 0.0f}},
                             {"-inf", {-kInf, kQuiet}},
                             {"below 0", {-kSmallest, kQuiet}},
                             {"nan", {kQuiet, kQuiet}},
                             {"4", {4.0f, 0.5f}}});
}

TEST(PortableSinCos, SpecialValues) {
  expect_all(Unary::kSin, {{"0", {0.0f, 0.0f}},
                           {"-0", {-0.0f, -0.0f}},
                           {"smallest", {kSmallest, kSmallest}},
                           {"-smallest", {-kSmallest, -kSmallest}},
                           {"inf", {kInf, kQuiet}},
                           {"-inf", {-kInf, kQuiet}},
                           {"nan", {kQuiet, kQuiet}}});
  expect_all(Unary::kCos, {{"0", {0.0f, 1.0f}},
                           {"-0", {-0.0f, 1.0f}},
                           {"smallest", {kSmallest, 1.0f}},
                           {"nearest to the middle of two", {0x1.2b9622p67f, 0x1.f0285ep-1f}},
                           {"inf", {kInf, kQuiet}},
                           {"-inf", {-kInf, kQuiet}},
                           {"nan", {kQuiet, kQuiet}}});
}

TEST(PortableUnaryHardCases, AreCorrectlyRounded) {
  for (const auto& loop : unary_loops()) {
    for (const auto& [function, x, y] : kHardCases) {
      const float ours = run(loop.run, function, {x})[0];
      EXPECT_EQ(bits(ours), bits(y)) << kNames[static_cast<int>(function)] << " of " << hex(x)
                                     << ", " << loop.isa << ": " << hex(ours) << ", not " << hex(y);
    }
  }
}

class PortableUnary : public testing::TestWithParam<Unary> {};

TEST_P(PortableUnary, SampleIsCorrectlyRounded) {
  const auto ours = run(unary_loops().front().run, GetParam(), sample());
  int undecided = 0, wrong = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const long double exact = by_long_double(GetParam(), sample()[i]);
    // glibc states an error of at most 4 of the 2^-63 that end a long double; a margin of 32.
    const auto below = static_cast<float>(exact * (1 - 0x1p-58L));
    const auto above = static_cast<float>(exact * (1 + 0x1p-58L));
    if (bits(below) != bits(above)) {
      ++undecided;
    } else if (bits(ours[i]) != bits(below) && ++wrong <= 10) {
      ADD_FAILURE() << hex(sample()[i]) << ": " << hex(ours[i]) << ", not " << hex(below);
    }
  }
  EXPECT_EQ(wrong, 0);
  // The margin takes 2^-33 of all values, so of these million none.
  EXPECT_EQ(undecided, 0);
}

TEST_P(PortableUnary, EveryInstructionSetAndASingleCallGiveTheSameBits) {
  const auto loops = unary_loops();
  ASSERT_GE(loops.size(), 2u) << "a CPU without AVX2 and FMA compares nothing here";
  const auto plain = run(loops.front().run, GetParam(), sample());
  for (std::size_t other = 1; other < loops.size(); ++other) {
    const auto vectorised = run(loops[other].run, GetParam(), sample());
    std::size_t different = 0;
    for (std::size_t i = 0; i < plain.size(); ++i)
      different += bits(plain[i]) != bits(vectorised[i]);
    EXPECT_EQ(different, 0u) << loops[other].isa;
  }
  std::size_t different = 0;
  for (std::size_t i = 0; i < plain.size(); i += 7) {
    different += bits(plain[i]) != bits(call(GetParam(), sample()[i]));
  }
  EXPECT_EQ(different, 0u);
}

TEST_P(PortableUnary, SampleHasTheFrozenDigest) {
  static const std::map<Unary, std::string> kFrozen = {
      // docs/numerics.md, "Unary functions"
      {Unary::kExp, "8092cc4a8e0e78319d2c647bb4fbc6070ab988d6a1daddeaafd72523668225d0"},
      {Unary::kLog, "97defe6ca2cbff78a070919e56e30a6afb70ae899104c70c26bc8bdd39cfbf6f"},
      {Unary::kRsqrt, "6496502856cbfee838405bcb50c622836e34efd7b20f181f7d3f69ba8229ac6a"},
      {Unary::kSin, "ccf78fa9c7b45bbfc377c7a96a458ba9d7b73bc4a15ae4608ef772de0b638177"},
      {Unary::kCos, "32d1cca3f18fd4973a3bd051fac2c2ed29f84d212d1485b9d1b700a5f8e9b93b"}};
  std::vector<std::uint32_t> words;
  for (const float y : run(unary_loops().back().run, GetParam(), sample())) {
    words.push_back(bits(y));
  }
  EXPECT_EQ(protocol::to_hex(protocol::sha256(std::as_bytes(std::span(words)))),
            kFrozen.at(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Functions, PortableUnary, testing::ValuesIn(kAll),
                         [](const auto& one) { return kNames[static_cast<int>(one.param)]; });

}  // namespace
}  // namespace twinrun::trainer::portable
