#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <regex>

#include "harness/report/describe.h"
#include "harness/report/github.h"
#include "harness/report/junit.h"
#include "harness/report/text.h"
#include "tests/harness/report/hostile.h"
#include "tests/harness/report/noisy_folder.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using test::NoisyFolder;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Document document_of(const NoisyFolder& out) { return describe(out.verdict(), out.evidence(), ""); }
std::string html_of(const NoisyFolder& out) { return to_html(document_of(out)); }
std::string markdown_of(const NoisyFolder& out) { return to_markdown(document_of(out)); }
std::string junit_of(const NoisyFolder& out) { return to_junit(out.verdict(), out.evidence()); }

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (std::size_t i = 0; (i = text.find(part, i)) != std::string::npos; i += part.size()) ++found;
  return found;
}

/// Every number that a drawing is made of, and that each is one.
std::vector<double> drawn_numbers(const std::string& page) {
  static const std::regex drawing("<svg[^]*?</svg>");
  static const std::regex attribute(
      " (?:x|y|x1|y1|x2|y2|cx|cy|r|width|height|points|d|viewBox)=\"([^\"]*)\"");
  std::vector<double> numbers;
  for (std::sregex_iterator svg(page.begin(), page.end(), drawing), end; svg != end; ++svg) {
    const std::string text = svg->str();
    for (std::sregex_iterator at(text.begin(), text.end(), attribute); at != end; ++at) {
      std::string values = (*at)[1];
      for (char& c : values) c = std::string(",MLZ").find(c) != std::string::npos ? ' ' : c;
      std::istringstream words(values);
      for (std::string word; words >> word;) {
        std::size_t used = 0;
        double value = kNan;
        EXPECT_NO_THROW(value = std::stod(word, &used)) << word;
        EXPECT_EQ(used, word.size()) << word;
        EXPECT_TRUE(std::isfinite(value)) << word;
        EXPECT_LT(std::abs(value), 2000) << word;
        numbers.push_back(value);
      }
    }
  }
  return numbers;
}

/// From step 3 on b's loss is off by 0.1 %.
void drift(NoisyFolder& out) {
  for (std::size_t i = 2; i < out.b.record.steps.size(); ++i) out.b.record.steps[i].loss *= 1.001f;
}

TEST(DescribeStatistics, AGreenVerdictIsToldWithItsNumbers) {
  NoisyFolder out;
  ASSERT_EQ(out.write()["verdict"], "REPRODUCED");
  const std::string sentence =
      "no detectable difference at alpha = 0.1, equivalent within 0.001 nats a token";
  const std::string text = markdown_of(out);
  EXPECT_THAT(text, HasSubstr(sentence));
  EXPECT_THAT(html_of(out), HasSubstr("<p class=\"sentence\">" + sentence + "</p>"));
  EXPECT_THAT(text, HasSubstr("each run scatters as 9 calibrated runs did"));
  EXPECT_THAT(text, HasSubstr("Equivalent: final loss, runs a and b: "));
  EXPECT_THAT(text, ContainsRegex("Ada, 2026-01-03T03.*Z.*: scatter as measured before"));
  const json statistics = out.verdict().value["statistics"];
  for (const char* digest : {"digest", "calibration_sha256"}) {
    EXPECT_THAT(text, HasSubstr(statistics[digest].get<std::string>()));
  }
  EXPECT_THAT(text, Not(HasSubstr("agree in every bit")));
  EXPECT_THAT(text, Not(HasSubstr("came out with the same bits")));
  EXPECT_THAT(text, Not(HasSubstr("no bit of any recorded value")));
}

TEST(DescribeStatistics, DrawsEveryWindowAndValueTheScoresAndTheIntervals) {
  NoisyFolder out;
  out.write();
  const std::string text = html_of(out);
  EXPECT_EQ(count(text, "<svg"), 2 + 4 + 1 + 1);
  EXPECT_EQ(count(text, "<polyline class=\"a\""), 1 + 4);
  EXPECT_EQ(count(text, "<polyline class=\"b\""), 1 + 4);
  EXPECT_EQ(count(text, "class=\"dots\""), 9);
  EXPECT_EQ(count(text, " ring\""), 2) << "where each run lies farthest out";
  EXPECT_EQ(count(text, "mark ring"), 0);
  EXPECT_GT(drawn_numbers(text).size(), 200u);
  for (const char* title : {"loss, from the start, steps 1 to 5",
                            "gradient norm, from the checkpoint of step 6, steps 7 to 8"}) {
    EXPECT_THAT(text, HasSubstr(title));
  }
  EXPECT_THAT(text, Not(HasSubstr("style=\"")));
  EXPECT_EQ(html_of(out), text) << "the same bytes again";
}

TEST(DescribeStatistics, SaysWhatWouldHaveBeenSeenOfEveryWindowAndValue) {
  NoisyFolder out;
  const json list = out.write()["statistics"]["detection"];
  ASSERT_EQ(list.size(), 4u);
  const std::string text = html_of(out);
  EXPECT_THAT(text, HasSubstr("What would have been seen: how far a run"));
  EXPECT_THAT(text, HasSubstr("to have p &lt;= 0.1. Computed from the calibration alone."));
  EXPECT_THAT(text, HasSubstr("docs/error-rates.md"));
  for (const char* row : {">loss, from the start</td>", ">gradient norm, from the start</td>",
                          ">loss, from the checkpoint of step 6</td>",
                          ">gradient norm, from the checkpoint of step 6</td>"}) {
    EXPECT_EQ(count(text, row), 1) << row;
  }
  const double shift = list[0]["shift"], mean = list[0]["centre_mean"];
  EXPECT_THAT(text, HasSubstr(number_text(">%.3g", shift) +
                              number_text(" (%.2g %%)</td>", 100 * shift / mean)));
  EXPECT_THAT(text, HasSubstr("data-label=\"at step\">" + list[0]["jump_at"].dump() + "</td>"));
}

TEST(DescribeStatistics, WhereNothingCouldBeSeenNothingIsSaidToBe) {
  NoisyFolder out;
  out.calibrated = false;
  EXPECT_EQ(out.write()["statistics"]["detection"], json::array());
  EXPECT_THAT(markdown_of(out), Not(HasSubstr("What would have been seen")));
  NoisyFolder edge;
  json value = edge.write();
  value["statistics"]["detection"][0].update({{"centre_mean", 0}, {"shift", nullptr}});
  edge.write_verdict(value);
  EXPECT_THAT(markdown_of(edge), HasSubstr("| loss, from the start | 0 | not finite | "));
}

TEST(DescribeStatistics, ARunOutsideIsNamedWithItsPlaceScoreAndP) {
  NoisyFolder out;
  drift(out);
  const json value = out.write();
  ASSERT_EQ(value["verdict"], "NOT_REPRODUCED");
  const json found = value["statistics"]["candidates"][1];
  const std::string text = markdown_of(out);
  EXPECT_THAT(text, HasSubstr("Run b lies outside the envelope: farthest in the loss of step " +
                              found["step"].dump() + " (window from the start)"));
  EXPECT_THAT(text, HasSubstr("and p = 0.1, at alpha = 0.1"));
  EXPECT_THAT(html_of(out), HasSubstr("class=\"mark ring\""));
  drawn_numbers(html_of(out));
}

TEST(DescribeStatistics, WithoutCalibrationItSaysWhatBringsOne) {
  NoisyFolder out;
  out.calibrated = false;
  ASSERT_EQ(out.write()["exit_code"], 3);
  const std::string text = markdown_of(out);
  EXPECT_THAT(text, HasSubstr("there is no accepted calibration"));
  EXPECT_THAT(text, HasSubstr("    twinrun calibrate CASE.yaml --accept --why"));
  EXPECT_THAT(text, HasSubstr("15 short runs"));
  EXPECT_EQ(count(html_of(out), "<svg"), 2 + 1) << "curves and intervals";
}

TEST(DescribeStatistics, WhatIsNotFiniteIsNeverANumberInADrawing) {
  for (const float value : {kNan, std::numeric_limits<float>::infinity()}) {
    NoisyFolder out;
    for (auto* run : {&out.a, &out.b}) {
      run->record.steps[3].loss = value;
      run->record.steps[3].grad_norm = value;
    }
    out.b.record.steps[7].loss = value;
    EXPECT_NE(out.write()["verdict"], "REPRODUCED");
    const std::string text = html_of(out);
    EXPECT_GT(drawn_numbers(text).size(), 200u);
    EXPECT_GT(count(text, "class=\"lost\""), 0);
    EXPECT_THAT(text, HasSubstr("not finite"));
    EXPECT_THAT(markdown_of(out), HasSubstr("not finite"));
    EXPECT_EQ(html_of(out), text);
  }
}

TEST(DescribeStatistics, HugeDistancesStayWithinTheDrawing) {
  NoisyFolder out;
  out.b.record.steps[2].loss = 3e38f;
  out.b.record.steps[4].grad_norm = -3e38f;
  out.write();
  drawn_numbers(html_of(out));
}

TEST(DescribeStatistics, ADifferenceOfTheDiscretePlaneIsToldAndTheCurvesAreDrawn) {
  NoisyFolder out;
  for (auto* run : {&out.a, &out.b}) run->record.steps[1].lr *= 2;
  ASSERT_EQ(out.write()["verdict"], "NOT_REPRODUCED");
  EXPECT_THAT(markdown_of(out), HasSubstr("Another training than the calibrated one: run a"));
  drawn_numbers(html_of(out));
}

TEST(DescribeStatistics, ACalibrationThatIsGoneIsSaidToBeGone) {
  NoisyFolder out;
  out.write();
  std::filesystem::remove_all(out.path("calibration"));
  EXPECT_TRUE(out.evidence().broken().empty());
  const std::string text = html_of(out);
  EXPECT_THAT(text, HasSubstr("no calibration lies in &#39;calibration&#39;"));
  EXPECT_EQ(count(text, "<svg"), 2 + 2 + 1 + 1) << "the losses that verdict.json has";
  EXPECT_THAT(markdown_of(out), HasSubstr("| accepted by | not recorded |"));
}

TEST(DescribeStatistics, ACalibrationThatIsAnotherTurnsTheReportRed) {
  NoisyFolder out;
  out.write();
  test::change_file(out.calibration(), [](std::string text) {
    return text.replace(text.find("\"scores\""), 8, "\"score_\"");
  });
  ASSERT_EQ(out.evidence().broken().size(), 1u);
  EXPECT_THAT(out.evidence().broken()[0], HasSubstr("calibration: the verdict names"));
  EXPECT_THAT(html_of(out), HasSubstr("<header class=\"red\">"));
}

TEST(DescribeStatistics, AShortRunThatIsAnotherTurnsTheReportRed) {
  NoisyFolder out;
  out.write();
  out.b_short.record.steps[6].loss *= 1.1f;
  out.b_short.manifest.erase("head");
  out.b_short.write(out.path("windows/b-restored-6"));
  ASSERT_EQ(out.evidence().broken().size(), 1u);
  EXPECT_THAT(out.evidence().broken()[0], HasSubstr("other scores than the verdict says"));
  std::filesystem::remove_all(out.path("windows/b-restored-6"));
  ASSERT_EQ(out.evidence().broken().size(), 1u);
  EXPECT_THAT(out.evidence().broken()[0], HasSubstr("run b, window restored-6"));
}

TEST(DescribeStatistics, IntervalsTakeAnyMetricAndSlice) {
  NoisyFolder out;
  out.settings.margins[kFinalLoss] = 1e-9;  // so that the verdict is not green
  json value = out.write();
  json& list = value["statistics"]["equivalences"];
  json row = list[0];
  row.update({{"metric", "exact_match_points"},
              {"slice", "capitals"},
              {"margin", 0.1},
              {"estimate", 0.9},
              {"low", 0.05},
              {"high", 900.0},
              {"outcome", "undecided"},
              {"note", "40 rows more"}});
  list.push_back(row);
  row.update({{"metric", "new_thing"},
              {"slice", ""},
              {"low", nullptr},
              {"high", nullptr},
              {"estimate", nullptr}});
  list.push_back(row);
  out.write_verdict(value);
  const std::string text = html_of(out);
  EXPECT_THAT(text, HasSubstr(">exact match, capitals, runs a and b</text>"));
  EXPECT_THAT(text, HasSubstr(">new thing, runs a and b</text>"));
  EXPECT_THAT(text, HasSubstr(">no interval</text>"));
  EXPECT_THAT(markdown_of(out), HasSubstr("0.05 to 900"));
  drawn_numbers(text);
}

TEST(DescribeStatistics, WhatWasNotShownEquivalentHasItsOwnWords) {
  NoisyFolder different;
  for (auto& step : different.b.record.steps) step.loss += 0.05f;
  ASSERT_EQ(different.write()["verdict"], "NOT_REPRODUCED");
  EXPECT_THAT(markdown_of(different), HasSubstr("Not equivalent, final loss, runs a and b: "));
  NoisyFolder undecided;
  undecided.settings.margins[kFinalLoss] = 1e-9;
  ASSERT_EQ(undecided.write()["exit_code"], 3);
  EXPECT_THAT(
      markdown_of(undecided),
      HasSubstr(
          "Undecided, since the interval reaches across the margin, final loss, runs a and b"));
}

TEST(DescribeStatistics, HostileTextAddsNothing) {
  NoisyFolder out;
  drift(out);
  out.write_verdict(test::made_hostile(out.write()));
  const std::string text = html_of(out);
  for (const char* part : {"<script", "onerror=alert(2)>", "\x1b", "\xe2\x80\xae", "<img"}) {
    EXPECT_THAT(text, Not(HasSubstr(part)));
  }
  EXPECT_THAT(markdown_of(out), Not(HasSubstr("\n# head")));
  drawn_numbers(text);
}

TEST(DescribeStatistics, ChecksStandInJUnitAsTheOthersDo) {
  NoisyFolder green;
  green.write();
  for (const char* check : {"calibration", "equivalence"}) {
    EXPECT_THAT(junit_of(green), HasSubstr("<testcase classname=\"twinrun.check\" name=\"" +
                                           std::string(check) + "\" time=\"0.000\"/>"));
  }
  EXPECT_THAT(junit_of(green), HasSubstr("failures=\"0\" errors=\"0\""));
  NoisyFolder outside;
  drift(outside);
  outside.write();
  EXPECT_THAT(junit_of(outside), HasSubstr("<failure type=\"outside_envelope\" message=\"run b"));
  NoisyFolder missing;
  missing.calibrated = false;
  missing.write();
  EXPECT_THAT(junit_of(missing), HasSubstr("<error type=\"uncalibrated\" message=\"nothing says"));
  EXPECT_THAT(junit_of(missing), HasSubstr("failures=\"0\""));
  NoisyFolder undecided;
  undecided.settings.margins[kFinalLoss] = 1e-9;
  undecided.write();
  EXPECT_THAT(junit_of(undecided), HasSubstr("<error type=\"consistent\" message=\"final_loss"));
}

TEST(DescribeStatistics, ABrokenCalibrationIsAnErrorUnderAGreenVerdict) {
  NoisyFolder out;
  out.write();
  EXPECT_THAT(junit_of(out),
              HasSubstr("<testcase classname=\"twinrun.record\" name=\"calibration\" time="));
  test::change_file(out.calibration(), [](const std::string& text) { return text + "x"; });
  EXPECT_THAT(junit_of(out),
              HasSubstr("<error type=\"record_broken\" message=\"the verdict names"));
  EXPECT_THAT(to_github(out.verdict(), out.evidence(), ""),
              HasSubstr("::error title=twinrun%3A the evidence does not hold::calibration: "));
  std::filesystem::remove(out.calibration());
  EXPECT_THAT(junit_of(out), HasSubstr("<skipped message=\"no calibration lies in"));
}

TEST(DescribeStatistics, ManyRunsFitOnePanel) {
  NoisyFolder out;
  json value = out.write();
  json& windows = value["statistics"]["windows"];
  for (int i = 0; i < 12; ++i) {
    const std::string name = "r" + std::to_string(i);
    windows[0]["candidates"][name] = windows[0]["candidates"]["a"];
    json candidate = value["statistics"]["candidates"][0];
    candidate["name"] = name;
    value["statistics"]["candidates"].push_back(candidate);
  }
  out.write_verdict(value);
  std::filesystem::remove(out.calibration());
  const std::string text = html_of(out);
  EXPECT_THAT(text, HasSubstr("the first 8 of 14 runs"));
  EXPECT_EQ(count(text, "<polyline class=\"b more\""), 6);
  drawn_numbers(text);
}

TEST(DescribeStatistics, ChecksAreAnnotatedAsTheOthersAre) {
  const auto annotations = [](const NoisyFolder& out) {
    return to_github(out.verdict(), out.evidence(), "");
  };
  NoisyFolder green;
  green.write();
  EXPECT_THAT(annotations(green),
              HasSubstr("REPRODUCED::noisy: no detectable difference at alpha = 0.1, equivalent"));
  NoisyFolder both;
  for (auto& step : both.b.record.steps) step.loss += 0.05f;
  both.write();
  EXPECT_THAT(annotations(both),
              HasSubstr("::error title=twinrun%3A NOT_REPRODUCED::noisy: run b lies outside"));
  EXPECT_THAT(annotations(both), HasSubstr("::error title=twinrun%3A equivalence is NOT_REPRODUCED"
                                           "::final_loss_nats, runs a and b"));
  NoisyFolder missing;
  missing.calibrated = false;
  missing.write();
  EXPECT_THAT(annotations(missing), HasSubstr("::error title=twinrun%3A INCONCLUSIVE::noisy: "
                                              "nothing says how runs of this kind scatter"));
}

}  // namespace
}  // namespace twinrun::harness
