// Runs that were damaged, exchanged or emptied after they had been written, judged by `compare`.

#include <gmock/gmock.h>

#include "tests/e2e/toy_case.h"

namespace twinrun {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

class Evidence : public ToyCase {
 protected:
  void SetUp() override {
    const ProcessResult result = verify();
    ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  }

  /// Judges out/a and out/b again and expects the verdict.
  json compare(const std::string& verdict, int exit_code,
               const std::vector<std::string>& folders = {"out/a", "out/b"},
               const std::vector<std::string>& flags = {"--json"}) const {
    std::vector<std::string> args = {"compare"};
    args.insert(args.end(), folders.begin(), folders.end());
    args.insert(args.end(), flags.begin(), flags.end());
    const ProcessResult result = twinrun(args);
    EXPECT_EQ(result.exit_code, exit_code) << result.out << result.err;
    const json judged = json::parse(result.out);
    EXPECT_EQ(judged.at("verdict"), verdict) << result.out;
    return judged;
  }
  /// The same, with what is wrong with run b alone.
  void expect_b(const std::string& verdict, int exit_code, const std::string& reason) const {
    const json judged = compare(verdict, exit_code);
    EXPECT_EQ(judged.at("runs").at(0).at("verdict"), "REPRODUCED");
    EXPECT_EQ(judged.at("runs").at(1).at("reason"), reason);
  }
};

TEST_F(Evidence, UntouchedRunsAreReproduced) {
  const json judged = compare("REPRODUCED", 0);
  EXPECT_EQ(check(judged, "controls").at("verdict"), "REPRODUCED");
  EXPECT_EQ(judged.at("comparisons"), verdict().at("comparisons"));
  EXPECT_EQ(judged.at("fingerprint"), verdict().at("fingerprint"));
}

TEST_F(Evidence, ALineRemovedAfterwardsBreaksTheChain) {
  std::vector<std::string> steps = lines("out/b/steps.jsonl");
  steps.erase(steps.begin() + 4);
  write_lines("out/b/steps.jsonl", steps);
  expect_b("EVIDENCE_INVALID", 5, "chain_broken");
}

TEST_F(Evidence, AFlippedByteAnywhereIsNeverGreen) {
  const std::string good = read("out/b/steps.jsonl");
  for (std::size_t i = 3; i < good.size(); i += good.size() / 25) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    write("out/b/steps.jsonl", bad);
    const ProcessResult result = twinrun({"compare", "out/a", "out/b", "--json"});
    EXPECT_EQ(result.exit_code, 5) << "byte " << i << "\n" << result.out;
  }
}

TEST_F(Evidence, TheLastLineCutOffIsIncomplete) {
  std::vector<std::string> steps = lines("out/b/steps.jsonl");
  steps.pop_back();
  write_lines("out/b/steps.jsonl", steps);
  expect_b("INVALID", 3, "incomplete");
}

TEST_F(Evidence, AnotherAdapterInItsPlaceIsFound) {
  const std::string name = "adapter/adapter_model.safetensors";
  fs::copy_file(path("out/controls/seed-plus-one/" + name), path("out/b/" + name),
                fs::copy_options::overwrite_existing);
  expect_b("EVIDENCE_INVALID", 5, "adapter_replaced");
}

TEST_F(Evidence, DigestsByTensorCannotBeRewritten) {
  std::vector<std::string> tensors = lines("out/b/tensors.jsonl");
  std::swap(tensors[1], tensors[2]);
  write_lines("out/b/tensors.jsonl", tensors);
  expect_b("EVIDENCE_INVALID", 5, "file_replaced");
}

TEST_F(Evidence, ARunAgainstItselfProvesNothing) {
  const json judged = compare("INVALID", 3, {"out/a", "out/a"});
  EXPECT_EQ(check(judged, "twin").at("reason"), "same_run");
}

TEST_F(Evidence, ARunAgainstItsCopyProvesNothing) {
  fs::copy(path("out/a"), path("out/copy"), fs::copy_options::recursive);
  const json judged = compare("INVALID", 3, {"out/a", "out/copy"});
  EXPECT_EQ(check(judged, "twin").at("reason"), "same_run");
}

TEST_F(Evidence, AMissingManifestIsNoRun) {
  fs::remove(path("out/b/manifest.json"));
  expect_b("INVALID", 3, "manifest_missing");
}

TEST_F(Evidence, AMissingRecordIsNoRun) {
  fs::remove(path("out/b/steps.jsonl"));
  expect_b("INVALID", 3, "missing");
}

TEST_F(Evidence, WithoutStoredControlsNothingIsGreen) {
  fs::remove_all(path("out/controls"));
  const json judged = compare("INCONCLUSIVE", 3);
  EXPECT_EQ(check(judged, "controls").at("reason"), "controls_not_run");
  EXPECT_EQ(check(judged, "twin").at("verdict"), "REPRODUCED");
}

TEST_F(Evidence, WithoutControlsIsSaidInTheVerdict) {
  fs::remove_all(path("out/controls"));
  const json judged =
      compare("REPRODUCED", 0, {"out/a", "out/b"}, {"--json", "--without-controls"});
  EXPECT_EQ(judged.at("without_controls"), true);
  EXPECT_EQ(check(judged, "controls").at("verdict"), "NOT_RUN");
  EXPECT_EQ(check(judged, "controls").at("reason"), "without_controls");
  EXPECT_THAT(twinrun({"compare", "out/a", "out/b", "--without-controls"}).out,
              HasSubstr("waived by --without-controls"));
}

TEST_F(Evidence, AControlOfAnotherExperimentIsRefused) {
  ASSERT_EQ(twinrun({"verify", "case.yaml", "--out", "other", "--set", "train.steps=5"}).exit_code,
            0);
  fs::remove_all(path("out/controls"));
  fs::copy(path("other/controls"), path("out/controls"), fs::copy_options::recursive);
  const json judged = compare("INVALID", 3);
  EXPECT_EQ(check(judged, "controls").at("reason"), "control_failed");
  EXPECT_THAT(check(judged, "controls").at("message").get<std::string>(),
              HasSubstr("more than seeds + 1"));
}

TEST_F(Evidence, ATwinInTheControlsPlaceIsRefused) {
  fs::remove_all(path("out/controls/seed-plus-one"));
  fs::copy(path("out/b"), path("out/controls/seed-plus-one"), fs::copy_options::recursive);
  compare("INVALID", 3);
}

TEST_F(Evidence, ADamagedControlIsBrokenEvidence) {
  std::vector<std::string> steps = lines("out/controls/seed-plus-one/steps.jsonl");
  steps.erase(steps.begin() + 2);
  write_lines("out/controls/seed-plus-one/steps.jsonl", steps);
  compare("EVIDENCE_INVALID", 5);
}

TEST_F(Evidence, RunsOfUnlikeExperimentsAreNotCompared) {
  ASSERT_EQ(twinrun({"verify", "case.yaml", "--out", "other", "--set", "train.steps=5"}).exit_code,
            0);
  const json judged = compare("INCONCLUSIVE", 3, {"out/a", "other/b"});
  EXPECT_EQ(check(judged, "twin").at("reason"), "not_comparable");
  EXPECT_EQ(judged.at("comparisons_made"), 0);
}

TEST_F(Evidence, RunsOfTwoSeedsAreNotCompared) {
  ASSERT_EQ(twinrun({"verify", "case.yaml", "--out", "other", "--set", "seed=43"}).exit_code, 0);
  compare("INCONCLUSIVE", 3, {"out/a", "other/b"});
}

TEST_F(Evidence, CompareWritesAVerdictWhereAsked) {
  const ProcessResult result = twinrun({"compare", "out/a", "out/b", "--out", "again.json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("again.json"));
  const json judged = read_json("again.json");
  EXPECT_EQ(judged.at("verdict"), "REPRODUCED");
  EXPECT_EQ(judged.at("runs").at(0).at("dir"), "out/a");
}

TEST_F(Evidence, AFolderThatIsNoRunIsAUsageError) {
  EXPECT_EQ(twinrun({"compare", "out/a", "nowhere"}).exit_code, 2);
  EXPECT_EQ(twinrun({"compare", "out/a", "out"}).exit_code, 2);
}

TEST_F(Evidence, ThreeRunsAreJudgedInEveryPair) {
  ASSERT_EQ(twinrun({"verify", "case.yaml", "--out", "more"}).exit_code, 0);
  const json judged = compare("REPRODUCED", 0, {"out/a", "out/b", "more/a"});
  EXPECT_EQ(judged.at("comparisons").size(), 3u);
}

}  // namespace
}  // namespace twinrun
