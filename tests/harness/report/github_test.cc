#include "harness/report/github.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/harness/report/hostile.h"
#include "tests/harness/report/judged_folder.h"
#include "tests/harness/report/rendered.h"
#include "tests/harness/report/sample_report.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using test::JudgedFolder;
using test::lines_of;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

std::vector<std::string> annotations(const json& value) {
  return lines_of(test::rendered(value, [](const VerdictFile& verdict, const Evidence& evidence) {
    return to_github(verdict, evidence, "");
  }));
}

TEST(GithubAnnotations, TheVerdictComesFirst) {
  EXPECT_EQ(annotations(to_json(reproduced_report())).front(),
            "::notice title=twinrun%3A REPRODUCED::smollm2-chat: runs a and b are equal in every "
            "bit");
  EXPECT_EQ(annotations(to_json(diverged_report())).front(),
            "::error title=twinrun%3A NOT_REPRODUCED::smollm2-chat: runs a and b: step 5 differs "
            "in loss");
}

TEST(GithubAnnotations, WhatDidNotRunIsShown) {
  const auto lines = annotations(to_json(reproduced_report()));
  EXPECT_THAT(lines, testing::Contains(HasSubstr("not run::baseline (not asked for)")));
}

TEST(GithubAnnotations, PointAtTheCaseWhereThatLiesInTheWorkspace) {
  JudgedFolder out;
  for (auto* run : {&out.a, &out.b}) run->config.launch["case"] = "/w/repo/cases/x,y.yaml";
  out.write();
  const VerdictFile verdict = out.verdict();
  const Evidence evidence = out.evidence();
  EXPECT_THAT(to_github(verdict, evidence, "/w/repo"),
              StartsWith("::notice file=cases/x%2Cy.yaml,title="));
  EXPECT_THAT(to_github(verdict, evidence, "/w/other"), StartsWith("::notice title="));
  EXPECT_THAT(to_github(verdict, evidence, ""), StartsWith("::notice title="));
}

TEST(GithubAnnotations, NeverMoreThanNineOfALevelAndALineThatCountsTheRest) {
  json value = to_json(diverged_report());
  json run = value["runs"][0];
  run["verdict"] = "INVALID";
  for (int i = 0; i < 30; ++i) value["runs"].push_back(run);
  std::size_t errors = 0;
  const auto lines = annotations(value);
  for (const std::string& line : lines) errors += line.starts_with("::error") ? 1 : 0;
  EXPECT_EQ(errors, kAnnotationsMax + 1);
  EXPECT_THAT(lines, testing::Contains("::error title=twinrun::22 more; the report has them all"));
}

TEST(GithubAnnotations, ABrokenRecordIsAnError) {
  JudgedFolder out;
  out.write();
  test::SyntheticRun(9, "run-b").write(out.path("b"));
  EXPECT_THAT(to_github(out.verdict(), out.evidence(), ""),
              HasSubstr("::error title=twinrun%3A the evidence does not hold::run b: the verdict "
                        "names the head"));
}

TEST(GithubAnnotations, HostileTextStartsNoCommand) {
  int hostile_titles = 0;
  for (const VerdictReport& report : {reproduced_report(), diverged_report(), drifted_report()}) {
    json value = test::made_hostile(to_json(report));
    for (json& run : value["runs"]) run["injected"] = {"x"};
    for (const std::string& line : annotations(value)) {
      // Properties end at a comma, the message begins at `::`: neither comes from a text.
      EXPECT_THAT(line, MatchesRegex("::(notice|warning|error) title=twinrun(%3A [^:,]*)?::.*"));
      EXPECT_THAT(line, Not(HasSubstr("\r")));
      EXPECT_THAT(line, Not(HasSubstr("%0A")));
      hostile_titles += line.find("%3A run a%2Cfile=b%3Ac ") != std::string::npos ? 1 : 0;
    }
  }
  EXPECT_GT(hostile_titles, 0);
}

}  // namespace
}  // namespace twinrun::harness
