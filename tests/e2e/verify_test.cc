// `twinrun verify` and `twinrun train` as a user meets them.

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <set>
#include <sstream>

#include "tests/e2e/toy_case.h"

namespace twinrun {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

using Verify = ToyCase;

TEST_F(Verify, EqualRunsAreReproduced) {
  const ProcessResult result = verify();
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.out, StartsWith("REPRODUCED  toy: runs a and b are equal in every bit\n"));
  const json verdict = this->verdict();
  EXPECT_EQ(verdict.at("verdict"), "REPRODUCED");
  EXPECT_EQ(verdict.at("comparisons").at(0).at("steps_compared"), 6);
  EXPECT_GT(verdict.at("comparisons_made"), 60);
  EXPECT_EQ(read("out/a/steps.jsonl"), read("out/b/steps.jsonl"));
  EXPECT_EQ(verdict.at("runs").at(0).at("head"), verdict.at("runs").at(1).at("head"));
  EXPECT_NE(verdict.at("runs").at(0).at("run_id"), verdict.at("runs").at(1).at("run_id"));
}

TEST_F(Verify, EveryControlRanAndPassed) {
  verify();
  const json verdict = this->verdict();
  std::set<std::string> names;
  for (const json& control : verdict.at("controls")) {
    EXPECT_EQ(control.at("ran"), true) << control;
    EXPECT_EQ(control.at("passed"), true) << control;
    names.insert(control.at("name"));
  }
  EXPECT_EQ(names, (std::set<std::string>{"planted-ulp", "seed-plus-one", "adapter-moved",
                                          "base-unmoved"}));
  EXPECT_EQ(verdict.at("control_runs").at(0).at("dir"), "controls/seed-plus-one");
  EXPECT_EQ(verdict.at("control_runs").at(0).at("steps"), 2);
}

TEST_F(Verify, ThePlantedUlpGoesWhereTheStatedSeedSays) {
  verify();
  const json first = verdict();
  const ProcessResult again = twinrun({"verify", "case.yaml", "--out", "again", "--quiet"});
  ASSERT_EQ(again.exit_code, 0);
  const json second = read_json("again/verdict.json");
  EXPECT_NE(first.at("controls_seed"), second.at("controls_seed"));
  EXPECT_EQ(first.at("controls").at(0).at("details").at("seed"), first.at("controls_seed"));
}

TEST_F(Verify, ResultsGoToStdoutMessagesToStderr) {
  const ProcessResult result = verify();
  EXPECT_THAT(result.err, HasSubstr("run a"));
  EXPECT_THAT(result.out, Not(HasSubstr("\x1b")));
  const ProcessResult quiet = twinrun({"verify", "case.yaml", "--out", "quiet", "--quiet"});
  EXPECT_EQ(quiet.err, "");
}

TEST_F(Verify, JsonOnStdoutIsTheVerdictFile) {
  const ProcessResult result = verify({"--json"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, read("out/verdict.json"));
  EXPECT_EQ(json::parse(result.out).at("schema"), 1);
}

TEST_F(Verify, TheDefaultFolderIsNewAndSaid) {
  const ProcessResult result = twinrun({"verify", "case.yaml", "--quiet"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("writing to twinrun-out/toy-"));
  EXPECT_EQ(twinrun({"verify", "case.yaml", "--quiet"}).exit_code, 0);
  int folders = 0;
  for (const auto& entry : fs::directory_iterator(path("twinrun-out"))) {
    EXPECT_TRUE(fs::exists(entry.path() / "verdict.json"));
    ++folders;
  }
  EXPECT_EQ(folders, 2);
}

TEST_F(Verify, AFolderThatHoldsAnythingIsRefusedUntouched) {
  fs::create_directory(path("out"));
  write("out/note", "mine");
  const ProcessResult result = verify();
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("is not empty"));
  int files = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(path("out"))) ++files;
  EXPECT_EQ(files, 1);
}

TEST_F(Verify, SurroundingsDifferAndAreRecorded) {
  verify();
  const json a = read_json("out/a/config.json").at("launch").at("nuisance");
  const json b = read_json("out/b/config.json").at("launch").at("nuisance");
  for (const char* name : {"tz", "locale", "umask", "hash_seed", "gpu_memory_offset_mb"}) {
    EXPECT_NE(a.at(name), b.at(name)) << name;
  }
}

TEST_F(Verify, SurroundingsAreReallyApplied) {
  params("{tell_surroundings: true}");
  verify();
  for (const std::string run : {"out/a", "out/b"}) {
    const json said = read_json(run + "/config.json").at("launch").at("nuisance");
    const std::string seen = read(run + "/stdout.log");
    EXPECT_THAT(seen, HasSubstr("TZ=" + said.at("tz").get<std::string>() + "\n"));
    EXPECT_THAT(seen, HasSubstr("LC_ALL=" + said.at("locale").get<std::string>() + "\n"));
    EXPECT_THAT(seen, HasSubstr("PYTHONHASHSEED=" + said.at("hash_seed").dump() + "\n"));
    struct stat status {};
    ASSERT_EQ(stat(path(run + "/steps.jsonl").c_str(), &status), 0);
    const unsigned mask = std::stoul(said.at("umask").get<std::string>(), nullptr, 8);
    EXPECT_EQ(status.st_mode & 0777, 0666 & ~mask) << run;
  }
}

TEST_F(Verify, RunsMayBeMoreThanTwo) {
  const ProcessResult result = verify({"--runs", "3"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const json verdict = this->verdict();
  EXPECT_EQ(verdict.at("runs").size(), 3u);
  EXPECT_EQ(verdict.at("comparisons").size(), 3u);
  EXPECT_EQ(verdict.at("judgement").at("verify").at("runs"), 3);
}

TEST_F(Verify, OneOfThreeThatDiffersIsEnough) {
  EXPECT_EQ(verify({"--runs", "3", "--inject", "c:loss-ulp@2"}).exit_code, 1);
  const json pairs = verdict().at("comparisons");
  EXPECT_EQ(pairs.at(0).at("verdict"), "REPRODUCED");
  EXPECT_EQ(pairs.at(1).at("verdict"), "NOT_REPRODUCED");
}

TEST_F(Verify, OneRunCannotBeVerified) {
  const ProcessResult result = verify({"--runs", "1"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_FALSE(fs::exists(path("out")));
}

TEST_F(Verify, WithControlsSwitchedOffNothingIsGreen) {
  EXPECT_EQ(verify({"--set", "verify.controls=false"}).exit_code, 3);
  const json verdict = this->verdict();
  EXPECT_EQ(verdict.at("verdict"), "INCONCLUSIVE");
  EXPECT_EQ(check(verdict, "controls").at("reason"), "controls_not_run");
  EXPECT_FALSE(fs::exists(path("out/controls")));
}

TEST_F(Verify, ATrainerThatPromisesNothingIsInconclusive) {
  params("{promise: none}");
  EXPECT_EQ(verify().exit_code, 3);
  EXPECT_EQ(verdict().at("verdict"), "INCONCLUSIVE");
  EXPECT_EQ(check(verdict(), "twin").at("reason"), "discrete_equal");
  EXPECT_EQ(check(verdict(), "calibration").at("reason"), "not_declared");
}

TEST_F(Verify, ATrainerWithoutAnAdapterFileIsJudgedByItsRecord) {
  params("{adapter: none}");
  EXPECT_EQ(verify().exit_code, 0);
}

TEST_F(Verify, AUsageErrorOfTheTrainerIsOneOfTheCaller) {
  params("{usage_error: \"no such GPU\\n::error::x\"}");
  const ProcessResult result = verify();
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("run a, the trainer says: no such GPU ::error::x"));
  EXPECT_FALSE(fs::exists(path("out/b")));
  EXPECT_FALSE(fs::exists(path("out/verdict.json")));
}

TEST_F(Verify, ATrainerThatFailsIsShownWithItsStderr) {
  params("{fail: \"CUDA out of memory\"}");
  const ProcessResult result = verify();
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(
      result.out,
      StartsWith("INVALID  toy: run a (exited with 3): the trainer says: CUDA out of memory\n"));
  EXPECT_THAT(result.out, HasSubstr("| fake trainer: CUDA out of memory\n"));
  EXPECT_EQ(verdict().at("runs").at(0).at("outcome"), "exited with 3");
  EXPECT_EQ(verdict().at("runs").at(1).at("status"), "failed");
  EXPECT_EQ(check(verdict(), "controls").at("verdict"), "NOT_RUN");
}

TEST_F(Verify, ACompleteRecordDoesNotExcuseAnExitCode) {
  params("{exit_code: 7}");
  EXPECT_EQ(verify().exit_code, 3);
  EXPECT_EQ(verdict().at("verdict"), "INVALID");
  EXPECT_EQ(verdict().at("runs").at(0).at("reason"), "trainer_failed");
}

TEST_F(Verify, AnEmptyCurveIsNeverEqual) {
  for (const char* record : {"empty", "none"}) {
    params(std::string("{record: ") + record + "}");
    EXPECT_EQ(verify().exit_code, 3) << record;
    EXPECT_EQ(verdict().at("verdict"), "INVALID") << record;
    EXPECT_EQ(verdict().at("comparisons_made"), 0) << record;
    fs::remove_all(path("out"));
  }
}

TEST_F(Verify, ATrainerWithoutManifestIsInvalid) {
  params("{manifest: none}");
  EXPECT_EQ(verify().exit_code, 3);
  EXPECT_EQ(verdict().at("runs").at(0).at("reason"), "manifest_missing");
}

TEST_F(Verify, ErrorsOfTheCaseHaveLineAndColumn) {
  write("case.yaml", read("case.yaml") + "sed: 1\n");
  const ProcessResult result = verify();
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("case.yaml:10:1"));
  EXPECT_EQ(twinrun({"verify", "nowhere.yaml"}).exit_code, 2);
}

TEST_F(Verify, ATrainerOfTheCaseLeavesNoneToChoose) {
  EXPECT_EQ(verify({"--trainer", "/bin/true"}).exit_code, 2);
}

TEST_F(Verify, UsageOfTheProgramIsExitTwo) {
  EXPECT_EQ(twinrun({}).exit_code, 2);
  const ProcessResult result = twinrun({"verfiy"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, StartsWith("twinrun: no command 'verfiy'; did you mean 'verify'?"));
  EXPECT_EQ(twinrun({"verify", "case.yaml", "--on-missing-baseline", "fail"}).exit_code, 2);
  EXPECT_EQ(twinrun({"--help"}).exit_code, 0);
  EXPECT_EQ(twinrun({"--version"}).exit_code, 0);
}

using Train = ToyCase;

TEST_F(Train, OneRunIsTrainedAndWatched) {
  const ProcessResult result = twinrun({"train", "case.yaml", "--run-dir", "run"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, StartsWith("complete\n"));
  EXPECT_EQ(read_json("run/manifest.json").at("status"), "complete");
}

TEST_F(Train, TwoRunsByHandCanBeCompared) {
  ASSERT_EQ(twinrun({"train", "case.yaml", "--run-dir", "x"}).exit_code, 0);
  ASSERT_EQ(twinrun({"train", "case.yaml", "--run-dir", "y", "--inject", "loss-ulp@2"}).exit_code,
            0);
  EXPECT_EQ(twinrun({"compare", "x", "y"}).exit_code, 1);
}

TEST_F(Train, AFailedRunIsExitThree) {
  const ProcessResult result =
      twinrun({"train", "case.yaml", "--run-dir", "run", "--inject", "crash@3", "--json"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(json::parse(result.out).at("outcome"), "killed by SIGKILL");
  EXPECT_EQ(json::parse(result.out).at("injected"), json::array({"crash@3"}));
}

TEST_F(Train, AFolderThatHoldsARunIsRefused) {
  ASSERT_EQ(twinrun({"train", "case.yaml", "--run-dir", "run"}).exit_code, 0);
  const std::string record = read("run/steps.jsonl");
  EXPECT_EQ(twinrun({"train", "case.yaml", "--run-dir", "run"}).exit_code, 2);
  EXPECT_EQ(read("run/steps.jsonl"), record);
}

}  // namespace
}  // namespace twinrun
