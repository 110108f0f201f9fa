#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <functional>
#include <limits>

#include "harness/compare/compare.h"
#include "tests/harness/synthetic_record.h"
#include "tests/temp_folder.h"

namespace twinrun::harness {
namespace {

using test::SyntheticRecord;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

LineComparison compare_texts(const std::string& a, const std::string& b,
                             std::optional<PlantedUlp> planted = std::nullopt) {
  const test::TempFolder folder;
  test::write_file(folder.path() / "a", a);
  test::write_file(folder.path() / "b", b);
  return compare_lines(folder.path() / "a", folder.path() / "b", planted);
}

LineComparison compare_with(const std::function<void(SyntheticRecord&)>& change,
                            const std::function<void(SyntheticRecord&)>& change_both = {}) {
  SyntheticRecord a(5), b(5);
  if (change_both) {
    change_both(a);
    change_both(b);
  }
  change(b);
  return compare_texts(a.text(), b.text());
}

TEST(CompareLinesTest, EqualRecordsHaveNoDivergence) {
  const auto found = compare_with([](auto&) {});
  EXPECT_FALSE(found.first);
  EXPECT_EQ(found.structure_problem, "");
  EXPECT_FALSE(found.non_finite_step);
  EXPECT_EQ(found.steps_compared, 5);
  EXPECT_EQ(found.comparisons, 5 + 4 + 5 * 11 + 2);
}

TEST(CompareLinesTest, EveryFieldOfAStepIsCompared) {
  using protocol::StepRecord;
  const protocol::Digest other = protocol::sha256(std::string_view("other"));
  const std::vector<std::pair<std::string, std::function<void(StepRecord&)>>> changes = {
      {"samples", [](auto& step) { step.samples[1] = std::int64_t{99}; }},
      {"samples", [](auto& step) { step.samples[0] = std::to_string(2 * step.step); }},
      {"samples", [](auto& step) { step.samples.pop_back(); }},
      {"batch", [&](auto& step) { step.batch = other; }},
      {"tokens", [](auto& step) { ++step.tokens; }},
      {"loss_tokens", [](auto& step) { ++step.loss_tokens; }},
      {"loss", [](auto& step) { step.loss = 7; }},
      {"grad", [&](auto& step) { step.grad = other; }},
      {"grad_norm", [](auto& step) { step.grad_norm = 7; }},
      {"lr", [](auto& step) { step.lr = 7; }},
      {"adapter", [&](auto& step) { step.adapter = other; }},
      {"optimizer", [&](auto& step) { step.optimizer = other; }},
      {"rng", [&](auto& step) { step.rng = other; }}};
  for (const auto& [field, change] : changes) {
    const auto found = compare_with([&change](auto& record) { change(record.steps[2]); });
    ASSERT_TRUE(found.first) << field;
    EXPECT_EQ(found.first->step, 3);
    EXPECT_EQ(found.first->field, field);
    EXPECT_TRUE(found.first->other_fields.empty()) << field;
    EXPECT_EQ(found.steps_compared, 3);
  }
}

TEST(CompareLinesTest, EveryFieldOfStepZeroAndTheBaseAtTheEndAreCompared) {
  const protocol::Digest other = protocol::sha256(std::string_view("other"));
  const std::vector<std::pair<std::string, std::function<void(protocol::StepZero&)>>> changes = {
      {"adapter", [&](auto& zero) { zero.adapter = other; }},
      {"optimizer", [&](auto& zero) { zero.optimizer = other; }},
      {"rng", [&](auto& zero) { zero.rng = other; }},
      {"base", [&](auto& zero) { zero.base = other; }}};
  for (const auto& [field, change] : changes) {
    const auto found = compare_with([&change](auto& record) { change(record.zero); });
    ASSERT_TRUE(found.first) << field;
    EXPECT_EQ(found.first->step, 0);
    EXPECT_EQ(found.first->field, field);
  }
  const auto found = compare_with([&](auto& record) { record.end.base = other; });
  ASSERT_TRUE(found.first);
  EXPECT_EQ(found.first->step, 5);
  EXPECT_EQ(found.first->field, "base");
}

TEST(CompareLinesTest, TheFirstStepAndTheFieldComputedFirstAreNamed) {
  const auto found = compare_with([](auto& record) {
    record.steps[3].tokens = 1;
    record.steps[1].lr = 7;
    record.steps[1].loss = 7;
    record.steps[1].samples.clear();
  });
  EXPECT_EQ(found.first->step, 2);
  EXPECT_EQ(found.first->field, "samples");
  EXPECT_EQ(found.first->bits_a, "[4,5,\"greeting/2\"]");
  EXPECT_EQ(found.first->bits_b, "[]");
  EXPECT_EQ(found.first->other_fields, (std::vector<std::string>{"loss", "lr"}));
}

Divergence loss_divergence(float a, float b) {
  const auto found = compare_with([b](auto& record) { record.steps[1].loss = b; },
                                  [a](auto& record) { record.steps[1].loss = a; });
  return found.first.value_or(Divergence{});
}

TEST(CompareLinesTest, DistanceCountsTheFloatsBetween) {
  EXPECT_EQ(loss_divergence(1.0f, std::nextafter(1.0f, 2.0f)).ulps, 1u);
  EXPECT_EQ(loss_divergence(std::nextafter(1.0f, 0.0f), std::nextafter(1.0f, 2.0f)).ulps, 2u);
  EXPECT_EQ(loss_divergence(-1e-45f, 1e-45f).ulps, 2u);
  EXPECT_EQ(loss_divergence(-3.40282347e38f, 3.40282347e38f).ulps, 2u * 0x7f7fffffu);
  const auto lr = compare_with([](auto& record) { record.steps[0].lr = -1.7976931348623157e308; },
                               [](auto& record) { record.steps[0].lr = 1.7976931348623157e308; });
  EXPECT_EQ(lr.first->ulps, 2 * 0x7fefffffffffffffu);
}

TEST(CompareLinesTest, BitsAndValuesOfBothAreShown) {
  const auto first = loss_divergence(2.5f, 3.0f);
  EXPECT_EQ(first.bits_a, "40200000");
  EXPECT_EQ(first.bits_b, "40400000");
  EXPECT_EQ(first.value_a, 2.5);
  EXPECT_EQ(first.value_b, 3.0);
}

TEST(CompareLinesTest, ZerosOfOtherSignDiffer) {
  const auto first = loss_divergence(0.0f, -0.0f);
  EXPECT_EQ(first.field, "loss");
  EXPECT_EQ(first.bits_b, "80000000");
  EXPECT_EQ(first.ulps, 0u);
}

TEST(CompareLinesTest, NonFiniteInOneOnlyIsADivergenceWithoutDistance) {
  for (const float bad : {kNan, kInfinity, -kInfinity}) {
    const auto first = loss_divergence(1.0f, bad);
    EXPECT_EQ(first.field, "loss");
    EXPECT_FALSE(first.ulps);
    EXPECT_FALSE(first.value_b);
    EXPECT_EQ(first.value_a, 1.0);
  }
}

TEST(CompareLinesTest, NansOfOtherBitsAreADivergence) {
  EXPECT_EQ(loss_divergence(kNan, std::bit_cast<float>(0x7fc00001u)).field, "loss");
}

TEST(CompareLinesTest, TheSameNonFiniteBitsAreNoDivergenceButAreNamed) {
  for (const float bad : {kNan, kInfinity, -kInfinity}) {
    const auto found = compare_with([](auto&) {},
                                    [bad](auto& record) {
                                      record.steps[2].grad_norm = bad;
                                      record.steps[4].loss = bad;
                                    });
    EXPECT_FALSE(found.first);
    EXPECT_EQ(found.non_finite_step, 3);
  }
  const auto lr = compare_with([](auto&) {}, [](auto& record) { record.steps[1].lr = -HUGE_VAL; });
  EXPECT_EQ(lr.non_finite_step, 2);
}

TEST(CompareLinesTest, ALayoutOfItsOwnWithTheSameBitsIsNoDivergence) {
  std::string text = SyntheticRecord(5).text();
  const std::string other_decimal = "\"value\":2.5000000}";
  const auto at = text.find("\"value\":2.5}");
  std::string other = text;
  other.replace(at, 12, other_decimal);
  const auto found = compare_texts(text, other);
  EXPECT_FALSE(found.first);
  EXPECT_EQ(found.steps_compared, 5);
}

TEST(CompareLinesTest, StepsThatDoNotLineUpAreAStructureProblem) {
  EXPECT_NE(compare_with([](auto& r) { r.steps.erase(r.steps.begin() + 1); }).structure_problem,
            "");
  EXPECT_NE(compare_with([](auto& r) { r.steps.pop_back(); }).structure_problem, "");
  EXPECT_NE(compare_with([](auto& r) { r.end.steps = 4; }).structure_problem, "");
  EXPECT_NE(compare_with([](auto& r) { r.header.steps = 4; }).structure_problem, "");
}

TEST(CompareLinesTest, OfATornRecordTheWholeLinesAreCompared) {
  SyntheticRecord other(5);
  other.steps[1].loss = 7;
  const std::string text = SyntheticRecord(5).text(), torn = other.text().substr(0, 4000);
  EXPECT_EQ(compare_texts(text, torn).first->step, 2);
  const auto cut = compare_texts(text, text.substr(0, text.size() - 1));
  EXPECT_FALSE(cut.first);
  EXPECT_NE(cut.structure_problem, "");
  EXPECT_EQ(cut.steps_compared, 5);
  const auto both = compare_texts(text.substr(0, 3000), text.substr(0, 3000));
  EXPECT_EQ(both.structure_problem, "");
}

TEST(CompareLinesTest, APlantedChangeIsFoundWhereItIs) {
  const std::string text = SyntheticRecord(5).text();
  for (std::int64_t step = 1; step <= 5; ++step) {
    const auto found = compare_texts(text, text, PlantedUlp{step});
    ASSERT_TRUE(found.first);
    EXPECT_EQ(found.first->step, step);
    EXPECT_EQ(found.first->field, "loss");
    EXPECT_EQ(found.first->ulps, 1u);
    EXPECT_TRUE(found.first->other_fields.empty());
  }
  EXPECT_FALSE(compare_texts(text, text, PlantedUlp{6}).first);
}

}  // namespace
}  // namespace twinrun::harness
