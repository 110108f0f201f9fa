#include "harness/calibrate/run_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <limits>

#include "harness/exit_code.h"
#include "tests/temp_folder.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using testing::HasSubstr;

const json kOf = {{"key", {{"arithmetic", "a/1"}}}, {"identity", "x"}};

CalibrationRun made_up(std::int64_t run) {
  return {run, "start", {{1.5f, -0.0f}, {0.25f, 3e-42f}, {"s", "d1", "d2"}, "chain"}};
}

std::string refusal(const std::filesystem::path& folder, const json& of) {
  try {
    const RunStore store(folder, of);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no error";
}

TEST(RunStoreTest, KeepsEveryBitOverCalls) {
  const test::TempFolder folder;
  {
    RunStore store(folder.path(), kOf);
    EXPECT_EQ(store.size(), 0u);
    store.add(made_up(0));
    store.add(made_up(7));
  }
  EXPECT_EQ(stored_runs_of(folder.path()), kOf);
  const RunStore store(folder.path(), kOf);
  ASSERT_EQ(store.size(), 2u);
  const CalibrationRun* run = store.find(7, "start");
  ASSERT_NE(run, nullptr);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(run->curves.loss[1]), 0x80000000u);
  EXPECT_EQ(run->curves.grad_norm, made_up(7).curves.grad_norm);
  EXPECT_EQ(run->curves.discrete, made_up(7).curves.discrete);
  EXPECT_EQ(store.find(1, "start"), nullptr);
  EXPECT_EQ(store.find(7, "restored-3"), nullptr);
}

TEST(RunStoreTest, ATornLineIsCutAndItsRunIsDoneAgain) {
  const test::TempFolder folder;
  const auto file = folder.path() / "runs.jsonl";
  {
    RunStore store(folder.path(), kOf);
    store.add(made_up(0));
    store.add(made_up(1));
  }
  const std::string text = test::read_file(file);
  test::write_file(file, text.substr(0, text.size() - 9));
  RunStore store(folder.path(), kOf);
  EXPECT_EQ(store.size(), 1u);
  store.add(made_up(1));
  EXPECT_EQ(test::read_file(file), text);
}

TEST(RunStoreTest, RunsOfAnotherCalibrationAreRefusedByWhatDiffers) {
  const test::TempFolder folder;
  RunStore(folder.path(), kOf).add(made_up(0));
  json other = kOf;
  other["key"]["arithmetic"] = "a/2";
  EXPECT_THAT(refusal(folder.path(), other), HasSubstr("/key/arithmetic"));
  EXPECT_EQ(refusal(folder.path(), kOf), "no error");
}

TEST(RunStoreTest, ALineThatIsNoRunIsRefusedByItsNumber) {
  for (const char* line : {"{}", "nonsense",
                           "{\"run\":1,\"window\":\"start\",\"chain\":\"\","
                           "\"loss\":[\"3f8000\"],\"grad_norm\":[],"
                           "\"discrete\":[]}"}) {
    const test::TempFolder folder;
    RunStore(folder.path(), kOf).add(made_up(0));
    const auto file = folder.path() / "runs.jsonl";
    test::write_file(file, test::read_file(file) + line + "\n");
    EXPECT_THAT(refusal(folder.path(), kOf), HasSubstr("line 3")) << line;
  }
}

}  // namespace
}  // namespace twinrun::harness
