#include "harness/cli/resume.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/exit_code.h"
#include "tests/harness/synthetic_run.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class ConfigToResume : public testing::Test {
 protected:
  ConfigToResume() {
    run_.manifest["status"] = "running";
    run_.config.launch["record"] = {{"tensors_every", 1}};
    run_.config.launch["run"] = "b";
    run_.config.launch["inject"] = {"crash@3"};
    run_.write(folder_.path());
  }
  /// What the case gives now.
  protocol::RunConfig now() const {
    protocol::RunConfig config = run_.config;
    config.launch["run"] = "a";
    config.launch["inject"] = nlohmann::json::array();
    config.launch["threads"] = 7;
    return config;
  }
  std::string refusal(const protocol::RunConfig& config) const {
    return test::message_of<UsageError>([&] { config_to_resume(config, folder_.path()); });
  }

  test::SyntheticRun run_{4};
  const test::TempFolder folder_;
};

TEST_F(ConfigToResume, LaunchIsThatOfNowButForNameAndEnd) {
  run_.config.launch["stop_after"] = 2;
  run_.write(folder_.path());
  auto config = now();
  config.launch["stop_after"] = nullptr;
  const auto resumed = config_to_resume(config, folder_.path());
  EXPECT_EQ(resumed.identity, run_.config.identity);
  EXPECT_EQ(resumed.launch.at("run"), "b");
  EXPECT_EQ(resumed.launch.at("stop_after"), 2);
  EXPECT_EQ(resumed.launch.at("threads"), 7);
  EXPECT_EQ(resumed.launch.at("inject"), nlohmann::json::array());
}

TEST_F(ConfigToResume, ARunKilledBeforeItsManifestGoesOn) {
  fs::remove(folder_.path() / "manifest.json");
  EXPECT_EQ(refusal(now()), "");
}

TEST_F(ConfigToResume, FailedRunsGoOn) {
  for (const char* status : {"failed", "usage_error"}) {
    run_.manifest["status"] = status;
    run_.write(folder_.path());
    EXPECT_EQ(refusal(now()), "");
  }
}

TEST_F(ConfigToResume, ACompleteRunIsRefused) {
  run_.manifest["status"] = "complete";
  run_.write(folder_.path());
  EXPECT_THAT(refusal(now()), HasSubstr("holds a run that is complete"));
}

TEST_F(ConfigToResume, AFolderWithoutARunIsRefused) {
  const test::TempFolder empty;
  for (const auto& folder : {empty.path(), empty.path() / "none"}) {
    EXPECT_THAT(test::message_of<UsageError>([&] { config_to_resume(now(), folder); }),
                AllOf(HasSubstr("holds no run"), HasSubstr("Start one without --resume")));
  }
}

TEST_F(ConfigToResume, AnotherIdentityIsRefusedByWhatDiffers) {
  auto config = now();
  config.identity["train"]["steps"] = 20;
  EXPECT_THAT(refusal(config),
              AllOf(HasSubstr("of another identity"), HasSubstr("train.steps is 20, the run has 4"),
                    Not(HasSubstr("more"))));
  for (auto& seed : config.identity["seeds"]) seed = 5;
  config.identity["lora"] = {{"rank", 4}};
  EXPECT_THAT(refusal(config),
              AllOf(HasSubstr("lora.rank is 4, the run has null"), HasSubstr("; and 1 more")));
}

TEST_F(ConfigToResume, AnotherRecordIsRefused) {
  auto config = now();
  config.launch["record"]["tensors_every"] = 2;
  EXPECT_THAT(refusal(config), HasSubstr("record.tensors_every is 2, the run has 1"));
}

TEST_F(ConfigToResume, AnotherEvaluationIsRefused) {
  run_.config.judgement["evaluation"] = {{"sha256", "ab"}, {"every", 2}};
  run_.config.launch["evaluation"] = {{"path", "/a/heldout.jsonl"}};
  run_.write(folder_.path());
  auto config = now();
  config.launch["evaluation"]["path"] = "/b/moved.jsonl";  // the same file elsewhere
  EXPECT_EQ(refusal(config), "");
  config.judgement["evaluation"]["every"] = 3;
  EXPECT_THAT(refusal(config), HasSubstr("evaluation.every is 3, the run has 2"));
  config.judgement.erase("evaluation");
  EXPECT_THAT(refusal(config), HasSubstr("evaluation.every is null, the run has 2"));
}

TEST_F(ConfigToResume, DamagedFilesAreRefusedByName) {
  folder_.write("manifest.json", "{");
  EXPECT_THAT(refusal(now()), HasSubstr("manifest.json"));
  folder_.write("config.json", "{");
  EXPECT_THAT(refusal(now()), HasSubstr("config.json"));
}

}  // namespace
}  // namespace twinrun::harness
