#include "harness/compare/verdict.h"

#include <gtest/gtest.h>

namespace twinrun::harness {
namespace {

TEST(VerdictTest, NamesAndExitCodesAreThoseOfTheTable) {
  const std::vector<std::tuple<Verdict, std::string, int>> table = {
      {Verdict::kReproduced, "REPRODUCED", 0},
      {Verdict::kNotReproduced, "NOT_REPRODUCED", 1},
      {Verdict::kSlowdownExceeded, "SLOWDOWN_EXCEEDED", 1},
      {Verdict::kInvalid, "INVALID", 3},
      {Verdict::kInconclusive, "INCONCLUSIVE", 3},
      {Verdict::kInternal, "INTERNAL", 4},
      {Verdict::kEvidenceInvalid, "EVIDENCE_INVALID", 5},
      {Verdict::kNotRun, "NOT_RUN", 3}};
  for (const auto& [verdict, name, code] : table) {
    EXPECT_EQ(to_string(verdict), name);
    EXPECT_EQ(verdict_from_string(name), verdict);
    EXPECT_EQ(static_cast<int>(exit_code(verdict)), code);
  }
  EXPECT_THROW(verdict_from_string("reproduced"), std::invalid_argument);
}

Verdict overall_of(std::initializer_list<Verdict> verdicts) {
  std::vector<Check> checks;
  for (const Verdict verdict : verdicts) checks.push_back({"check", verdict, "", ""});
  return overall(checks);
}

TEST(OverallTest, TheGravestWins) {
  using enum Verdict;
  const std::vector<Verdict> order = {kEvidenceInvalid,  kInternal, kNotReproduced,
                                      kSlowdownExceeded, kInvalid,  kInconclusive,
                                      kReproduced};
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::size_t j = i; j < order.size(); ++j) {
      EXPECT_EQ(overall_of({order[j], order[i]}), order[i]);
      EXPECT_EQ(overall_of({order[i], order[j]}), order[i]);
    }
  }
}

TEST(OverallTest, NothingRunIsNeverGreen) {
  EXPECT_EQ(overall_of({}), Verdict::kInconclusive);
  EXPECT_EQ(overall_of({Verdict::kNotRun}), Verdict::kInconclusive);
  EXPECT_EQ(overall_of({Verdict::kNotRun, Verdict::kReproduced}), Verdict::kReproduced);
}

}  // namespace
}  // namespace twinrun::harness
