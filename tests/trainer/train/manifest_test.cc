#include "trainer/train/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "harness/protocol/record_resume.h"
#include "tests/temp_folder.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;
using protocol::ResumeRefused;
using testing::AllOf;
using testing::HasSubstr;

class ManifestTest : public testing::Test {
 protected:
  json stored() const { return json::parse(test::read_file(folder_.path() / "manifest.json")); }
  std::string refusal() const {
    return test::message_of<ResumeRefused>([&] { Manifest::resume(folder_.path(), config_); });
  }

  const protocol::RunConfig config_{{{"schema", 1}, {"seed", 42}}, json::object(), json::object()};
  const test::TempFolder folder_;
};

TEST_F(ManifestTest, AResumedOneKeepsItsRunAndSaysWhereItWentOn) {
  Manifest first = Manifest::begin(folder_.path(), config_);
  first.fields()["cpu"] = {{"threads", 2}};
  EXPECT_EQ(first.end("failed", "no more disk", 3), 3);
  Manifest again = Manifest::resume(folder_.path(), config_);
  EXPECT_EQ(again.run_id(), first.run_id());
  again.add_resumed(6);
  again.write();
  const json now = stored();
  EXPECT_EQ(now.at("status"), "running");
  EXPECT_TRUE(now.at("message").is_null());
  EXPECT_TRUE(now.at("ended").is_null());
  EXPECT_EQ(now.at("started"), first.fields().at("started"));
  EXPECT_EQ(now.at("cpu").at("threads"), 2);
  EXPECT_EQ(now.at("resumed").size(), 1u);
  EXPECT_EQ(now.at("resumed").at(0).at("step"), 6);
  Manifest third = Manifest::resume(folder_.path(), config_);
  third.add_resumed(9);
  EXPECT_EQ(third.fields().at("resumed").size(), 2u);
}

TEST_F(ManifestTest, ARunKilledBeforeItHadOneBegins) {
  const Manifest manifest = Manifest::resume(folder_.path(), config_);
  EXPECT_EQ(stored().at("run_id"), manifest.run_id());
}

TEST_F(ManifestTest, WhatIsNoUnfinishedRunOfThisIdentityIsRefusedUntouched) {
  folder_.write("steps.jsonl", "");
  EXPECT_THAT(refusal(), HasSubstr("there is a record but no manifest.json"));
  folder_.write("manifest.json", "{\"sch");
  EXPECT_THAT(refusal(), HasSubstr("manifest.json: "));
  Manifest manifest = Manifest::begin(folder_.path(), config_);
  json good = stored();
  const auto refuse = [&](const char* field, const json& value, const char* says) {
    json bad = good;
    bad[field] = value;
    folder_.write("manifest.json", bad.dump());
    EXPECT_THAT(refusal(), HasSubstr(says));
    EXPECT_EQ(stored(), bad);
  };
  refuse("status", "complete", "the run is complete");
  refuse("identity", "elsewhere", "the run is of identity \"elsewhere\"");
  refuse("run_id", nullptr, "names no run_id");
}

TEST(PlatformDifference, NamesTheKeyFieldsThatDifferAndNoOthers) {
  const json before = {{"cpu", {{"threads", 1}, {"isa", "avx2"}, {"model", "x"}}},
                       {"device", {{"type", "cuda"}, {"name", nullptr}}}};
  json now = before;
  now["cpu"]["model"] = "y";
  now["device"]["name"] = "NVIDIA H200";
  now["versions"] = {{"torch", "2.11.0"}};
  EXPECT_EQ(platform_difference(before, now), "");
  now["cpu"]["threads"] = 2;
  now["device"]["type"] = "cpu";
  EXPECT_THAT(platform_difference(before, now),
              AllOf(HasSubstr("cpu/threads was 1 and is 2"),
                    HasSubstr("device/type was \"cuda\" and is \"cpu\"")));
}

TEST(RunLock, WaitsUntilTheOtherIsGone) {
  const test::TempFolder folder;
  auto first = std::make_unique<RunLock>(folder.path());
  std::atomic<bool> taken = false;
  std::thread other([&] {
    const RunLock second(folder.path());
    taken = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_FALSE(taken);
  first.reset();
  other.join();
  EXPECT_TRUE(taken);
}

}  // namespace
}  // namespace twinrun::trainer
