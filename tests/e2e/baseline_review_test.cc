// `twinrun baseline` and the pending curves of `verify --baseline`, as a user meets them.

#include <gmock/gmock.h>
#include <linux/capability.h>
#include <sys/prctl.h>

#include "harness/protocol/sha256.h"
#include "tests/e2e/toy_case.h"

namespace twinrun {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

using Environment = std::vector<std::pair<std::string, std::string>>;
const Environment kAtAnHour = {{"SOURCE_DATE_EPOCH", "1767225600"}};

class Reviewed : public ToyCase {
 protected:
  ProcessResult run(const std::vector<std::string>& args, const Environment& more = {}) const {
    ProcessOptions options = command(args);
    options.environment = kAtAnHour;
    options.environment.insert(options.environment.end(), more.begin(), more.end());
    return run_process(options);
  }
  /// `twinrun verify case.yaml --baseline`, into an `out` of its own.
  ProcessResult hold(std::vector<std::string> args = {}) const {
    fs::remove_all(path("out"));
    args.insert(args.begin(), {"verify", "case.yaml", "--out", "out", "--quiet", "--baseline"});
    return run(args);
  }
  ProcessResult accept(const Environment& more = {}) const {
    return run({"baseline", "accept", "case.yaml", "--why", "looked at it", "--who", "Ann"}, more);
  }
  /// A case that computes otherwise under the same key: the program of a foreign trainer is none of
  /// it.
  void drift() const { change_trainer("lr = 0.01 *", "lr = 0.02 *"); }
  void SetUp() override { own_trainer(); }
  std::vector<std::string> curves(const std::string& ending) const {
    std::vector<std::string> names;
    if (!fs::exists(path("curves"))) return names;
    for (const auto& entry : fs::directory_iterator(path("curves"))) {
      const std::string name = "curves/" + entry.path().filename().string();
      if (name.ends_with(ending)) names.push_back(name);
    }
    return names;
  }
  std::string one(const std::string& ending) const {
    const auto names = curves(ending);
    EXPECT_EQ(names.size(), 1u) << ending;
    return names.empty() ? "" : names.front();
  }
};

TEST_F(Reviewed, FromNothingToABaselineAndToTheNextOne) {
  const ProcessResult first = hold();
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_THAT(first.err, HasSubstr("twinrun baseline review curves/"));
  const std::string digest = protocol::to_hex(protocol::sha256_file(path("out/verdict.json")));
  EXPECT_EQ(curves("").size(), 2u);
  EXPECT_EQ(read(one(".pending.jsonl")), read("out/a/steps.jsonl"));
  ASSERT_EQ(accept().exit_code, 0);
  ASSERT_EQ(curves("").size(), 2u);
  const std::string curve = one(".jsonl"), description = one(".json");
  EXPECT_EQ(read_json(description).at("accepted"), json({{"who", "Ann"},
                                                         {"when", "2026-01-01T00:00:00Z"},
                                                         {"why", "looked at it"},
                                                         {"verdict_sha256", digest}}));
  const ProcessResult again = hold();
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_EQ(again.err, "");
  EXPECT_EQ(curves("").size(), 2u);

  drift();
  const std::string before = read(curve), said = read(description);
  EXPECT_EQ(hold().exit_code, 1);
  EXPECT_EQ(read(curve), before);
  EXPECT_EQ(read(description), said);
  EXPECT_EQ(curves("").size(), 4u);
  EXPECT_EQ(accept().exit_code, 0);
  EXPECT_EQ(hold().exit_code, 0);
  EXPECT_NE(read(curve), before);
}

TEST_F(Reviewed, ReviewTellsWhereTheyPartAndDrawsBoth) {
  hold();
  accept();
  drift();
  hold();
  const ProcessResult review =
      run({"baseline", "review", "case.yaml"}, {{"COLUMNS", "60"}, {"LC_ALL", "C.UTF-8"}});
  EXPECT_EQ(review.exit_code, 0) << review.err;
  EXPECT_THAT(review.out,
              HasSubstr("part         step 1, in lr by 4503599627370496 ULPs; there also adapter"));
  EXPECT_THAT(review.out, HasSubstr("accepted     by Ann, 2026-01-01T00:00:00Z: looked at it"));
  EXPECT_THAT(review.out, HasSubstr("24 tokens, 24 of them labelled"));
  EXPECT_THAT(review.out, HasSubstr("+-----"));
  EXPECT_THAT(review.out, HasSubstr("differ "));
  EXPECT_THAT(review.out, Not(HasSubstr("\x1b")));
  const json told = json::parse(run({"baseline", "review", "case.yaml", "--json"}).out);
  EXPECT_EQ(told.at(0).at("first").at("field"), "lr");
  EXPECT_EQ(told.at(0).at("first").at("step"), 1);
}

TEST_F(Reviewed, OnlyWhatStandsByItselfIsProposed) {
  const std::vector<std::vector<std::string>> weak = {
      {"--inject", "both:lr@3"},          {"--inject", "b:loss-ulp@3"},
      {"--set", "verify.controls=false"}, {"--inject", "both:nan@3"},
      {"--inject", "both:constant@1"},    {"--set", "trainer.params={promise: none}"},
      {"--inject", "a:truncate@3"},       {"--write-curve", "x.jsonl"}};
  for (const auto& args : weak) {
    hold(args);
    EXPECT_TRUE(curves("").empty()) << args.back();
  }
}

TEST_F(Reviewed, NoPipelineAcceptsOrPrunes) {
  hold();
  for (const char* value : {"true", "1", "yes"}) {
    const ProcessResult refused = accept({{"CI", value}});
    EXPECT_EQ(refused.exit_code, 2) << value;
    EXPECT_THAT(refused.err, HasSubstr("CI is set"));
    EXPECT_EQ(run({"baseline", "prune", "case.yaml", "--yes"}, {{"CI", value}}).exit_code, 2);
    EXPECT_EQ(curves("").size(), 2u);
  }
  EXPECT_EQ(accept({{"CI", "False"}}).exit_code, 0);
}

TEST_F(Reviewed, AcceptWantsToKnowWhoAndWhy) {
  hold();
  const Environment nobody = {{"GIT_CONFIG_GLOBAL", "/dev/null"},
                              {"GIT_CONFIG_SYSTEM", "/dev/null"},
                              {"GIT_CEILING_DIRECTORIES", path("").parent_path().string()}};
  const ProcessResult unsaid = run({"baseline", "accept", "case.yaml"});
  EXPECT_EQ(unsaid.exit_code, 2);
  EXPECT_THAT(unsaid.err, HasSubstr("--why is missing"));
  EXPECT_EQ(run({"baseline", "accept", "case.yaml", "--why", " \n "}).exit_code, 2);
  const ProcessResult unknown = run({"baseline", "accept", "case.yaml", "--why", "x"}, nobody);
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("--who NAME"));
  write("gitconfig", "[user]\n name = Bea\n email = bea@example.org\n");
  Environment known = nobody;
  known[0].second = path("gitconfig").string();
  EXPECT_EQ(run({"baseline", "accept", "case.yaml", "--why", "x"}, known).exit_code, 0);
  EXPECT_EQ(read_json(one(".json")).at("accepted").at("who"), "Bea <bea@example.org>");
}

TEST_F(Reviewed, WhatWasEditedByHandIsExitCodeFive) {
  hold();
  const std::string pending = one(".pending.jsonl"), good = read(pending);
  std::string bad = good;
  bad[bad.find("\"loss\"") + 20] ^= 1;
  write(pending, bad);
  for (const char* part : {"accept", "review", "show"}) {
    std::vector<std::string> args = {"baseline", part, "case.yaml"};
    if (args[1] == "accept") args.insert(args.end(), {"--why", "x", "--who", "Ann"});
    const ProcessResult result = run(args);
    EXPECT_EQ(result.exit_code, 5) << part << result.err;
    EXPECT_THAT(result.out + result.err, HasSubstr("another SHA-256")) << part;
  }
  write(pending, good);
  EXPECT_EQ(accept().exit_code, 0);
  write(one(".jsonl"), bad);
  EXPECT_EQ(hold().exit_code, 5);
  EXPECT_EQ(run({"baseline", "show", "case.yaml"}).exit_code, 5);
}

TEST_F(Reviewed, WhereTheFolderIsReadOnlyTheVerdictStands) {
  fs::create_directory(path("curves"));
  fs::permissions(path("curves"), fs::perms::owner_read | fs::perms::owner_exec);
  ProcessOptions options =
      command({"verify", "case.yaml", "--out", "out", "--quiet", "--baseline"});
  // Root writes to any folder unless this capability is taken from it.
  options.before_exec = [] { prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE); };
  const ProcessResult result = run_process(options);
  fs::permissions(path("curves"), fs::perms::owner_all);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("no pending curve could be written, the verdict stands"));
  EXPECT_THAT(result.err, HasSubstr("Permission denied"));
  EXPECT_EQ(verdict().at("verdict"), "REPRODUCED");
  EXPECT_TRUE(curves("").empty());
}

TEST_F(Reviewed, ObsoleteCurvesAreToldAndPrunedOnDemand) {
  hold();
  accept();
  hold({"--set", "seed=7"});
  std::string text = read("case.yaml");
  write("case.yaml", text.replace(text.find("seed: 42"), 8, "seed: 43"));
  EXPECT_THAT(hold().err, HasSubstr("obsolete in curves: 2 curves"));
  EXPECT_EQ(curves("").size(), 6u);
  const ProcessResult dry = run({"baseline", "prune", "case.yaml"});
  EXPECT_EQ(dry.exit_code, 0);
  EXPECT_THAT(dry.out, HasSubstr("nothing was removed"));
  EXPECT_EQ(curves("").size(), 6u);
  EXPECT_EQ(run({"baseline", "prune", "case.yaml", "--yes"}).exit_code, 0);
  EXPECT_EQ(curves("").size(), 2u);
  EXPECT_THAT(run({"baseline", "show", "case.yaml"}).out, HasSubstr("pending  curves/"));
}

TEST_F(Reviewed, SeveralPendingOnesAreNamedAndOneCanBe) {
  hold();
  hold({"--set", "seed=7"});
  const ProcessResult several = run({"baseline", "reject", "case.yaml"});
  EXPECT_EQ(several.exit_code, 2);
  const auto names = curves(".pending.jsonl");
  ASSERT_EQ(names.size(), 2u);
  for (const std::string& name : names) EXPECT_THAT(several.err, HasSubstr(name));
  EXPECT_EQ(run({"baseline", "reject", names.front()}).exit_code, 0);
  EXPECT_EQ(curves(".pending.jsonl"), std::vector{names.back()});
  EXPECT_EQ(run({"baseline", "reject", names.front()}).exit_code, 2);
}

}  // namespace
}  // namespace twinrun
