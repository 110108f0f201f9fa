// `twinrun compare --across`: one experiment on two kinds of machine, which another arithmetic in
// the fake trainer stands for.

#include <gmock/gmock.h>

#include "tests/e2e/toy_case.h"

namespace twinrun {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class Across : public ToyCase {
 protected:
  Across() { begin("statistics: {restore_at: []}\n"); }

  void begin(const std::string& statistics) const {
    params("{}");
    own_trainer();
    write("case.yaml", read("case.yaml") + statistics);
  }

  void other_machine() const { change_trainer("fake-float32/1", "fake-float32/2"); }

  void run(const std::string& out, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> args = {"verify", "case.yaml", "--out", out, "--quiet"};
    args.insert(args.end(), more.begin(), more.end());
    twinrun(args);
  }

  ProcessResult compare(std::vector<std::string> args) const {
    args.insert(args.begin(), "compare");
    args.insert(args.end(), {"--out", "verdict.json"});
    return twinrun(args);
  }

  json judged() const { return read_json("verdict.json"); }
};

TEST_F(Across, OneExperimentOnTwoMachinesIsJudgedByItsMetrics) {
  run("one");
  other_machine();
  run("two");
  EXPECT_EQ(compare({"one/a", "two/a"}).exit_code, 3);
  EXPECT_EQ(check(judged(), "twin").at("reason"), "not_comparable");
  const ProcessResult across = compare({"--across", "one/a", "two/a"});
  EXPECT_EQ(across.exit_code, 0) << across.out;
  EXPECT_EQ(check(judged(), "equivalence").at("reason"), "equivalent");
  EXPECT_EQ(check(judged(), "calibration").at("reason"), "across");
  EXPECT_EQ(check(judged(), "calibration").at("verdict"), "NOT_RUN");
  EXPECT_EQ(judged().at("statistics").at("equivalences").size(), 1u);
  EXPECT_THAT(across.out, HasSubstr("twinrun compare --across one/a two/a"));
  const json machines = judged().at("statistics").at("across");
  EXPECT_EQ(machines.at("kinds"), 2);
  ASSERT_EQ(machines.at("pairs").size(), 1u);
  const json differences = machines.at("pairs").at(0).at("differences");
  ASSERT_EQ(differences.size(), 1u) << differences;
  EXPECT_EQ(differences.at(0).at("field"), "/arithmetic");
  EXPECT_EQ(differences.at(0).at("b"), "fake-float32/2");
}

TEST_F(Across, TheReportNamesWhatTheMachinesDifferIn) {
  run("one");
  other_machine();
  run("two");
  ASSERT_EQ(compare({"--across", "one/a", "two/a"}).exit_code, 0);
  const ProcessResult report = twinrun({"report", "verdict.json", "--format", "md"});
  EXPECT_EQ(report.exit_code, 0) << report.err;
  EXPECT_THAT(report.out,
              HasSubstr("equivalent within 0.001 nats a token on two kinds of machine"));
  EXPECT_THAT(report.out, HasSubstr("| `/arithmetic` | `fake-float32/1` | `fake-float32/2` |"));
  EXPECT_THAT(report.out, HasSubstr("    twinrun compare --across one/a two/a"));
}

TEST_F(Across, RunsWithOtherSeedsSayWhatADifferenceIsMeasuredBy) {
  run("one");
  run("one43", {"--set", "seed=43"});
  other_machine();
  run("two");
  const ProcessResult result = compare({"--across", "one/a", "one/b", "one43/a", "two/a"});
  EXPECT_EQ(result.exit_code, 0) << result.out;
  const json statistics = judged().at("statistics");
  EXPECT_EQ(statistics.at("equivalences").size(), 2u);  // one/a and one/b, each with two/a
  ASSERT_EQ(statistics.at("spread").size(), 1u);
  EXPECT_EQ(statistics.at("spread").at(0).at("runs"), 2);
  EXPECT_GT(statistics.at("spread").at(0).at("deviation"), 0);
  EXPECT_THAT(result.out, HasSubstr("2 runs with other seeds"));
}

TEST_F(Across, ALossThatIsOffIsFound) {
  run("one");
  other_machine();
  change_trainer("            loss = next_up(loss)\n",
                 "            loss = next_up(loss)\n        loss = f32(loss + 0.01)\n");
  run("two");
  EXPECT_EQ(compare({"--across", "one/a", "two/a"}).exit_code, 1);
  EXPECT_EQ(check(judged(), "equivalence").at("reason"), "not_equivalent");
}

TEST_F(Across, WhatNoMachineMovesHasToBeTheSame) {
  run("one");
  other_machine();
  run("two", {"--inject", "b:lr@3"});
  EXPECT_EQ(compare({"--across", "one/a", "two/b"}).exit_code, 1);
  EXPECT_EQ(check(judged(), "twin").at("reason"), "discrete_differs");
  EXPECT_EQ(judged().at("comparisons").at(0).at("first").at("field"), "lr");
}

TEST_F(Across, WhatIsNotFiniteInBothIsNotGreen) {
  run("one", {"--inject", "both:nan@5"});
  other_machine();
  run("two", {"--inject", "both:nan@5"});
  EXPECT_EQ(compare({"--across", "one/a", "two/a"}).exit_code, 3);
}

TEST_F(Across, WhatTheCallerCanFixIsSaid) {
  run("one");
  const ProcessResult alike = compare({"--across", "one/a", "one/b"});
  EXPECT_EQ(alike.exit_code, 2);
  EXPECT_THAT(alike.err, HasSubstr("different kinds of machine"));
  begin("");
  run("plain");
  other_machine();
  run("other");
  EXPECT_EQ(compare({"--across", "plain/a", "other/a"}).exit_code, 3);
  EXPECT_EQ(check(judged(), "calibration").at("reason"), "not_declared");
}

TEST_F(Across, MarginsThatWereDeclaredOtherwiseAreAnotherSeries) {
  run("one");
  other_machine();
  run("two", {"--set", "statistics.equivalence.margins.final_loss_nats=0.1"});
  EXPECT_EQ(compare({"--across", "one/a", "two/a"}).exit_code, 3);
  EXPECT_EQ(check(judged(), "calibration").at("reason"), "other_settings");
}

}  // namespace
}  // namespace twinrun
