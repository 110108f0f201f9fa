#include "trainer/train/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <limits>
#include <span>

#include "tests/temp_folder.h"

namespace twinrun::trainer {
namespace {

namespace fs = std::filesystem;
using protocol::ResumeRefused;
using testing::AllOf;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

const CheckpointOwner kOwner{"0123456789abcdef", std::string(64, 'a'), "libtorch-float32/1"};

class CheckpointTest : public testing::Test {
 protected:
  static CheckpointState state_of(std::int64_t step) {
    return {.owner = kOwner,
            .step = step,
            .record = {1000 + static_cast<std::uint64_t>(step), protocol::sha256("chain")},
            .tensors = {77, protocol::sha256("tensors")},
            .beta1_power = 0.9 * 0.9 * 0.9,
            .beta2_power = std::numeric_limits<double>::denorm_min(),
            .dropout_seed = (std::uint64_t{1} << 63) + 1,
            .shuffle_seed = 43,
            .dropout_draws = std::numeric_limits<std::int64_t>::max(),
            .epoch = 2,
            .position = 8,
            .shuffle_draws = 93};
  }

  void save(std::int64_t step) const {
    const auto bytes = std::as_bytes(std::span(values_));
    write_checkpoint(run_, state_of(step), {{"w", "F32", {3}, bytes}},
                     {{"w.exp_avg", "F32", {3}, bytes}, {"w.exp_avg_sq", "F32", {3}, bytes}});
  }

  std::string refusal(const CheckpointOwner& owner = kOwner) const {
    return test::message_of<ResumeRefused>([&] { read_newest_checkpoint(run_, owner); });
  }

  std::vector<std::string> saved() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(run_ / "checkpoints")) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  const std::vector<float> values_ = {1.5f, -0.0f, std::numeric_limits<float>::quiet_NaN()};
  const test::TempFolder temp_;
  const fs::path run_ = temp_.path();
  const fs::path folder_ = run_ / "checkpoints" / "step-6";
};

TEST_F(CheckpointTest, ComesBackInEveryBit) {
  save(6);
  const auto saved = read_newest_checkpoint(run_, kOwner);
  ASSERT_TRUE(saved);
  const CheckpointState wanted = state_of(6), &found = saved->state;
  EXPECT_EQ(saved->folder, folder_);
  EXPECT_EQ(found.step, 6);
  EXPECT_EQ(found.owner, kOwner);
  EXPECT_EQ(found.record.bytes, wanted.record.bytes);
  EXPECT_EQ(found.record.chain, wanted.record.chain);
  EXPECT_EQ(found.tensors.bytes, wanted.tensors.bytes);
  EXPECT_EQ(found.tensors.sha256, wanted.tensors.sha256);
  EXPECT_EQ(std::bit_cast<std::uint64_t>(found.beta1_power),
            std::bit_cast<std::uint64_t>(wanted.beta1_power));
  EXPECT_EQ(std::bit_cast<std::uint64_t>(found.beta2_power), 1u);
  EXPECT_EQ(found.dropout_seed, wanted.dropout_seed);
  EXPECT_EQ(found.shuffle_seed, wanted.shuffle_seed);
  EXPECT_EQ(found.dropout_draws, wanted.dropout_draws);
  EXPECT_EQ(found.epoch, 2);
  EXPECT_EQ(found.position, 8);
  EXPECT_EQ(found.shuffle_draws, 93);
  const auto tensors = Checkpoint::open_file(optimizer_file(*saved));
  const auto& stored = tensors.tensors().at("w.exp_avg_sq");
  EXPECT_EQ(std::memcmp(stored.data.data(), values_.data(), 12), 0);
  EXPECT_EQ(Checkpoint::open_file(adapter_file(*saved)).tensors().count("w"), 1u);
}

TEST_F(CheckpointTest, NoneIsThereBeforeTheFirst) {
  EXPECT_FALSE(read_newest_checkpoint(run_, kOwner));
  fs::create_directory(run_ / "checkpoints");
  EXPECT_FALSE(read_newest_checkpoint(run_, kOwner));
}

TEST_F(CheckpointTest, TheNewestTwoAreKeptByNumberNotByName) {
  for (const int step : {8, 9, 10, 11}) save(step);
  EXPECT_THAT(saved(), UnorderedElementsAre("step-10", "step-11"));
  EXPECT_EQ(read_newest_checkpoint(run_, kOwner)->state.step, 11);
}

TEST_F(CheckpointTest, WhatIsUnfinishedIsIgnoredAndRemoved) {
  save(6);
  fs::copy(folder_, run_ / "checkpoints" / "step-9.tmp");
  fs::create_directory(run_ / "checkpoints" / "step-3.tmp");
  EXPECT_EQ(read_newest_checkpoint(run_, kOwner)->state.step, 6);
  EXPECT_THAT(saved(), UnorderedElementsAre("step-6"));
  // An unfinished one of the same step is no obstacle either.
  fs::copy(folder_, run_ / "checkpoints" / "step-7.tmp");
  save(7);
  EXPECT_EQ(read_newest_checkpoint(run_, kOwner)->state.step, 7);
}

TEST_F(CheckpointTest, AFlippedBitInAnyByteIsRefusedByItsFile) {
  save(6);
  for (const auto* name : {"adapter.safetensors", "optimizer.safetensors", "checkpoint.json"}) {
    const std::string whole = test::read_file(folder_ / name);
    for (std::size_t byte = 0; byte < whole.size(); ++byte) {
      std::string damaged = whole;
      damaged[byte] = static_cast<char>(damaged[byte] ^ (1 << byte % 8));
      test::write_file(folder_ / name, damaged);
      ASSERT_THAT(refusal(), AllOf(HasSubstr(folder_.string()), HasSubstr(name),
                                   HasSubstr("Remove that folder to resume from the start")))
          << "byte " << byte;
    }
    test::write_file(folder_ / name, whole);
    ASSERT_EQ(refusal(), "");
  }
}

TEST_F(CheckpointTest, TruncatedAndMissingFilesAreRefused) {
  save(3);
  save(6);
  for (const auto* name : {"adapter.safetensors", "optimizer.safetensors", "checkpoint.json"}) {
    const std::string whole = test::read_file(folder_ / name);
    for (const std::size_t size : {std::size_t{0}, whole.size() / 2, whole.size() - 1}) {
      test::write_file(folder_ / name, whole.substr(0, size));
      EXPECT_THAT(refusal(), AllOf(HasSubstr("step-6 is refused"), HasSubstr(name),
                                   HasSubstr("to resume from step 3")));
    }
    test::write_file(folder_ / name, whole + "\n");
    EXPECT_THAT(refusal(), HasSubstr(name));
    fs::remove(folder_ / name);
    EXPECT_THAT(refusal(), AllOf(HasSubstr(name), HasSubstr("missing")));
    test::write_file(folder_ / name, whole);
  }
  fs::remove_all(folder_);
  EXPECT_EQ(read_newest_checkpoint(run_, kOwner)->state.step, 3);
}

TEST_F(CheckpointTest, AFileInPlaceOfTheFolderIsRefused) {
  save(6);
  test::write_file(run_ / "checkpoints" / "step-9", "");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("step-9 is refused"), HasSubstr("to resume from step 6")));
}

TEST_F(CheckpointTest, AnotherOwnersIsRefused) {
  save(6);
  CheckpointOwner other = kOwner;
  other.identity = std::string(64, 'b');
  EXPECT_THAT(refusal(other), HasSubstr("of another identity: aaaa"));
  other = kOwner;
  other.arithmetic = "portable-f32/1";
  EXPECT_THAT(refusal(other), HasSubstr("of another arithmetic: libtorch-float32/1"));
  other = kOwner;
  other.run_id = "ffff";
  EXPECT_THAT(refusal(other), HasSubstr("of another run id: 0123456789abcdef"));
}

TEST_F(CheckpointTest, ARenamedFolderIsRefused) {
  save(6);
  fs::rename(folder_, run_ / "checkpoints" / "step-7");
  EXPECT_THAT(refusal(), HasSubstr("it is the checkpoint of step 6"));
}

}  // namespace
}  // namespace twinrun::trainer
