// What reports say of metrics, of their slices, and of runs of different kinds of machine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/report/describe.h"
#include "harness/report/github.h"
#include "harness/report/junit.h"
#include "tests/harness/report/hostile.h"
#include "tests/harness/report/noisy_folder.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using test::NoisyFolder;
using testing::HasSubstr;
using testing::Not;

std::string html_of(const NoisyFolder& out) {
  return to_html(describe(out.verdict(), out.evidence(), ""));
}
std::string markdown_of(const NoisyFolder& out) {
  return to_markdown(describe(out.verdict(), out.evidence(), ""));
}

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (std::size_t i = 0; (i = text.find(part, i)) != std::string::npos; i += part.size()) ++found;
  return found;
}

json equivalence(const std::string& metric, const std::string& slice, const std::string& outcome) {
  return {{"metric", metric}, {"slice", slice},     {"a", "a"},   {"b", "b"},
          {"margin", 2.0},    {"estimate", -0.5},   {"low", -1},  {"high", 0.25},
          {"n", 400},         {"outcome", outcome}, {"note", ""}, {"p", 0.0301},
          {"p_holm", 0.0602}, {"clusters", nullptr}};
}

/// A green verdict with exact match, and `slices` of it.
json with_slices(NoisyFolder& out, int slices) {
  json value = out.write();
  json& list = value["statistics"]["equivalences"];
  list.push_back(equivalence("exact_match_points", "", "equivalent"));
  for (int i = 0; i < slices; ++i) {
    list.push_back(equivalence("exact_match_points", "part " + std::to_string(i), "undecided"));
  }
  return value;
}

TEST(DescribeEquivalence, SlicesStandBelowTheirMetricAndDecideNothing) {
  NoisyFolder out;
  out.write_verdict(with_slices(out, 2));
  EXPECT_EQ(out.verdict().verdict, Verdict::kReproduced);
  const std::string text = markdown_of(out);
  EXPECT_THAT(text, HasSubstr("Equivalent: each of 2 intervals of a difference lies within"));
  EXPECT_THAT(text, HasSubstr("| exact match, runs a and b | `-0.5` | `-1 to 0.25` | `2` | 400 | "
                              "`0.03; 0.06` | equivalent |\n"
                              "| &emsp;part 0 | `-0.5` | `-1 to 0.25` | `2` | 400 | "
                              "`0.03; 0.06` | undecided (does not decide) |"));
  EXPECT_THAT(text, Not(HasSubstr("Undecided, since")));
  const std::string page = html_of(out);
  EXPECT_EQ(count(page, "<td class=\"set-in\""), 2);
  EXPECT_THAT(page, HasSubstr(">exact match, part 1, runs a and b</text>"));
  EXPECT_THAT(page, HasSubstr("The same of each category of the held-out rows"));
}

TEST(DescribeEquivalence, MoreSlicesThanCanBeReadAreNotDrawn) {
  for (const int slices : {20, 21}) {
    NoisyFolder out;
    out.write_verdict(with_slices(out, slices));
    const std::string page = html_of(out);
    EXPECT_EQ(count(page, ">exact match, runs a and b</text>"), 1);
    EXPECT_EQ(count(page, "</text>") > 0 &&
                  page.find(">exact match, part 0, runs a and b</text>") != std::string::npos,
              slices == 20);
    EXPECT_EQ(count(page, "<td class=\"set-in\""), slices) << "the table has them";
  }
}

TEST(DescribeEquivalence, ASliceThatDiffersIsNamedUnlessChanceExplainsIt) {
  NoisyFolder out;
  json value = with_slices(out, 2);
  EXPECT_THAT(markdown_of((out.write_verdict(value), out)), Not(HasSubstr("than chance explains")));
  value["statistics"]["equivalences"][3]["p_holm"] = 0.001;
  out.write_verdict(value);
  EXPECT_THAT(markdown_of(out),
              HasSubstr("more differs than chance explains (Holm): exact match of part 1."));
}

TEST(DescribeEquivalence, AMetricThatIsMissingHasNoIntervalAndItsReason) {
  NoisyFolder out;
  json value = out.write();
  json missing = equivalence("token_f1_points", "", "missing");
  missing.update({{"low", nullptr}, {"high", nullptr}, {"p", nullptr}, {"p_holm", nullptr}});
  missing.update({{"n", 0}, {"estimate", 0}, {"note", "there are no held-out rows"}});
  value["statistics"]["equivalences"].push_back(missing);
  for (json& check : value["checks"]) {
    if (check["name"] != "equivalence") continue;
    check.update({{"verdict", "INCONCLUSIVE"}, {"reason", "metric_missing"}, {"message", "none"}});
  }
  value.update({{"verdict", "INCONCLUSIVE"}, {"exit_code", 3}});
  out.write_verdict(value);
  const std::string text = markdown_of(out);
  EXPECT_THAT(text, HasSubstr("Not tested, token F1, runs a and b; there are no held-out rows."));
  EXPECT_THAT(text,
              HasSubstr("| token F1, runs a and b |  |  | `2` | 0 |  | missing: there are no"));
  EXPECT_THAT(html_of(out), HasSubstr(">no interval</text>"));
}

/// A green verdict as `compare --across` gives it.
json across(NoisyFolder& out) {
  json value = out.write();
  json& statistics = value["statistics"];
  statistics["across"] = {
      {"kinds", 2},
      {"pairs",
       {{{"a", "a"},
         {"b", "b"},
         {"differences", {{{"field", "/device/name"}, {"a", "cpu"}, {"b", "H200"}}}}}}}};
  statistics["spread"] = {{{"metric", "final_loss_nats"}, {"runs", 5}, {"deviation", 0.0125}}};
  statistics["candidates"] = statistics["scores"] = statistics["windows"] = json::array();
  statistics["detection"] = json::array();
  statistics["calibration_sha256"] = nullptr;
  for (json& check : value["checks"]) {
    if (check["name"] != "calibration") continue;
    check.update({{"verdict", "NOT_RUN"}, {"reason", "across"}, {"message", "no calibration"}});
  }
  return value;
}

TEST(DescribeAcross, IsAboutResultsOnTwoKindsOfMachine) {
  NoisyFolder out;
  out.write_verdict(across(out));
  ASSERT_EQ(out.verdict().verdict, Verdict::kReproduced);
  const std::string text = markdown_of(out);
  EXPECT_THAT(text, HasSubstr("equivalent within 0.001 nats a token on two kinds of machine\n"));
  EXPECT_THAT(text, HasSubstr("### On two kinds of machine: are the results equivalent?"));
  EXPECT_THAT(text, HasSubstr("No envelope was asked for"));
  EXPECT_THAT(text, HasSubstr("| `/device/name` | `cpu` | `H200` |"));
  EXPECT_THAT(text, HasSubstr("twinrun compare --across a b\n"));
  for (const char* other : {"no detectable difference", "What would have been seen",
                            "in fresh processes. It promises", "random states are the same"}) {
    EXPECT_THAT(text, Not(HasSubstr(other))) << other;
  }
  EXPECT_THAT(to_github(out.verdict(), out.evidence(), ""),
              HasSubstr("REPRODUCED::noisy: equivalent within 0.001 nats a token on two kinds"));
  EXPECT_THAT(to_junit(out.verdict(), out.evidence()), HasSubstr("errors=\"0\""));
}

TEST(DescribeAcross, TheSpreadBetweenSeedsStandsBesideTheDifference) {
  NoisyFolder out;
  json value = across(out);
  out.write_verdict(value);
  EXPECT_THAT(markdown_of(out), HasSubstr("| metric and runs | difference | between seeds |"));
  EXPECT_THAT(markdown_of(out), HasSubstr("| `0.0125 (5 runs)` |"));
  value["statistics"]["spread"] = json::array();
  out.write_verdict(value);
  EXPECT_THAT(markdown_of(out), Not(HasSubstr("between seeds")));
}

TEST(DescribeAcross, PairsThatDifferAlikeAreToldOnce) {
  NoisyFolder out;
  json value = across(out);
  json& pairs = value["statistics"]["across"]["pairs"];
  pairs.push_back(pairs[0]);
  for (int i = 0; i < 9; ++i) {
    pairs.push_back(pairs[0]);
    pairs.back()["differences"][0]["b"] = i;
  }
  out.write_verdict(value);
  EXPECT_EQ(count(markdown_of(out), "What the machines of run"), 5);
  EXPECT_THAT(markdown_of(out), HasSubstr("Other pairs differ otherwise"));
}

TEST(DescribeAcross, ACalibrationThatLiesThereIsNotHeldAgainstIt) {
  NoisyFolder out;
  out.write_verdict(across(out));
  ASSERT_TRUE(std::filesystem::exists(out.calibration()));
  EXPECT_TRUE(out.evidence().broken().empty());
}

TEST(DescribeAcross, HostileTextAddsNothing) {
  NoisyFolder out;
  out.write_verdict(test::made_hostile(across(out)));
  for (const char* part : {"<script", "onerror=alert(2)>", "\x1b", "\xe2\x80\xae", "<img"}) {
    EXPECT_THAT(html_of(out), Not(HasSubstr(part)));
  }
  EXPECT_THAT(markdown_of(out), Not(HasSubstr("\n# head")));
}

}  // namespace
}  // namespace twinrun::harness
