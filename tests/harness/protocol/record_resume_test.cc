#include "harness/protocol/record_resume.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/protocol/record_reader.h"
#include "harness/protocol/record_writer.h"
#include "tests/harness/synthetic_record.h"
#include "tests/temp_folder.h"

namespace twinrun::protocol {
namespace {

using test::SyntheticRecord;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::int64_t kSteps = 6;

class RecordResume : public testing::Test {
 protected:
  /// The first `count` lines of the record.
  std::string first_lines(std::size_t count) const {
    return SyntheticRecord::join({lines_.begin(), lines_.begin() + static_cast<long>(count)});
  }
  /// Behind the line of `step`.
  RecordPosition behind(std::int64_t step) const {
    const auto count = static_cast<std::size_t>(step) + 2;
    return {first_lines(count).size(), split_chain(lines_[count - 1])->chain};
  }
  /// Continues a file that holds `text` behind `step` (from the first line: -1) up to the end.
  void go_on(const std::string& text, std::int64_t step) const {
    folder_.write("steps.jsonl", text);
    RecordWriter writer(folder_.path(), record_.header,
                        step < 0 ? std::nullopt : std::optional(behind(step)));
    if (step < 0) writer.step_zero(record_.zero);
    for (const auto& one : record_.steps) {
      if (one.step > step) writer.step(one);
    }
    EXPECT_EQ(to_hex(writer.end(record_.end)), to_hex(split_chain(lines_.back())->chain));
  }
  std::string refusal(const std::string& text, std::int64_t step) const {
    return test::message_of<ResumeRefused>([&] { go_on(text, step); });
  }
  std::string divergence(const std::string& text, std::int64_t step) const {
    return test::message_of<ResumeDiverged>([&] { go_on(text, step); });
  }
  std::string now() const { return test::read_file(folder_.path() / "steps.jsonl"); }

  const SyntheticRecord record_{kSteps};
  const std::vector<std::string> lines_ = record_.lines();
  const std::string whole_ = record_.text();
  const test::TempFolder folder_;
};

TEST_F(RecordResume, CutAnywhereItEndsInTheSameBytes) {
  for (std::size_t bytes = 0; bytes <= whole_.size(); ++bytes) {
    if (bytes % 37 != 0 && whole_[bytes - 1] != '\n') continue;
    go_on(whole_.substr(0, bytes), -1);
    EXPECT_EQ(now(), whole_) << bytes;
    for (std::int64_t step = 1; step <= kSteps; step += 2) {
      if (behind(step).bytes > bytes) break;
      go_on(whole_.substr(0, bytes), step);
      EXPECT_EQ(now(), whole_) << bytes << " behind step " << step;
    }
  }
}

TEST_F(RecordResume, AMissingFileIsBegun) {
  RecordWriter writer(folder_.path(), record_.header, std::nullopt);
  EXPECT_EQ(now(), lines_[0] + '\n');
}

TEST_F(RecordResume, TheStepBeforeTheCheckpointIsToldAndThePositionGoesOn) {
  folder_.write("steps.jsonl", whole_);
  RecordWriter writer(folder_.path(), record_.header, behind(3));
  ASSERT_TRUE(writer.continued_behind());
  EXPECT_EQ(writer.continued_behind()->step, 3);
  EXPECT_EQ(writer.continued_behind()->adapter, record_.steps[2].adapter);
  writer.step(record_.steps[3]);
  EXPECT_EQ(writer.position().bytes, behind(4).bytes);
  EXPECT_EQ(writer.position().chain, behind(4).chain);
}

TEST_F(RecordResume, AStepThatComesOutOtherwiseIsNamedAndNothingIsOverwritten) {
  SyntheticRecord other = record_;
  other.steps[4].loss = std::nextafter(other.steps[4].loss, 10.0f);
  EXPECT_THAT(divergence(other.text(), 3),
              AllOf(StartsWith("resume_diverged: step 5,"), HasSubstr("nothing was overwritten")));
  EXPECT_EQ(now(), other.text());
  EXPECT_THAT(divergence(other.text(), -1), StartsWith("resume_diverged: step 5,"));
  // Behind it, what differs is no longer computed again: its chain value is another, however.
  EXPECT_THAT(refusal(other.text(), 5), HasSubstr("line 7: the checkpoint that stands behind it"));
}

TEST_F(RecordResume, AnotherStepZeroDiverges) {
  SyntheticRecord other = record_;
  other.zero.adapter = sha256("elsewhere");
  EXPECT_THAT(divergence(other.text(), -1), StartsWith("resume_diverged: step 0,"));
}

TEST_F(RecordResume, LinesThatTheRunDoesNotReachDiverge) {
  SyntheticRecord longer(kSteps + 2);
  longer.header = record_.header;
  EXPECT_THAT(divergence(longer.text(), 3), StartsWith("resume_diverged: the end after step 6,"));
  EXPECT_EQ(now(), longer.text());
  auto twice = lines_;
  const std::string open = format_end(record_.end);
  twice.push_back(with_chain(open, chain_next(split_chain(lines_.back())->chain, open)));
  EXPECT_THAT(divergence(SyntheticRecord::join(twice), 3),
              StartsWith("resume_diverged: the end after step 6,"));
}

TEST_F(RecordResume, ABrokenChainIsRefusedWhereverItIs) {
  for (std::size_t line = 1; line < lines_.size(); ++line) {
    auto broken = lines_;
    broken[line][9] ^= 1;
    for (const std::int64_t step : {-1, 2, 4}) {
      const std::string text = SyntheticRecord::join(broken);
      EXPECT_THAT(refusal(text, step),
                  HasSubstr("line " + std::to_string(line + 1) + ": its chain value does not"));
      EXPECT_EQ(now(), text);
    }
  }
  auto removed = lines_;
  removed.erase(removed.begin() + 3);
  EXPECT_THAT(refusal(SyntheticRecord::join(removed), 4), HasSubstr("line 4: its chain value"));
  EXPECT_THAT(refusal(first_lines(4) + "no chain\n", 2), HasSubstr("line 5: its chain value"));
}

TEST_F(RecordResume, ABrokenChainBeforeATornLineLeavesTheTornLineToo) {
  auto broken = lines_;
  broken[3][9] ^= 1;
  const std::string text = SyntheticRecord::join(broken) + "{\"torn";
  EXPECT_NE(refusal(text, 2), "");
  EXPECT_EQ(now(), text);
}

TEST_F(RecordResume, AnotherHeaderIsRefused) {
  SyntheticRecord other = record_;
  other.header.arithmetic = "portable-f32/1";
  EXPECT_THAT(refusal(other.text(), -1),
              AllOf(HasSubstr("the record begins with"), HasSubstr("portable-f32/1"),
                    HasSubstr("libtorch-float32/1")));
  EXPECT_THAT(refusal(other.text(), 3), HasSubstr("the record begins with"));
}

TEST_F(RecordResume, ARecordShorterThanTheCheckpointIsRefused) {
  const std::string what = "no line ends at byte " + std::to_string(behind(3).bytes);
  EXPECT_THAT(refusal(first_lines(4), 3), HasSubstr(what));
  EXPECT_THAT(refusal(whole_.substr(0, behind(3).bytes - 1), 3), HasSubstr(what));
  EXPECT_THAT(refusal("", 3), HasSubstr(what));
}

TEST_F(RecordResume, APositionThatIsNoStepsIsRefused) {
  folder_.write("steps.jsonl", whole_);
  const RecordPosition zero{first_lines(2).size(), split_chain(lines_[1])->chain};
  EXPECT_THAT(
      test::message_of<ResumeRefused>([&] { RecordWriter(folder_.path(), record_.header, zero); }),
      HasSubstr("line 2: the checkpoint stands behind it, but it is no step"));
}

class TensorsResume : public testing::Test {
 protected:
  /// Lines of steps 1 .. 3, with the position behind each step.
  TensorsResume() {
    TensorsWriter writer(folder_.path());
    for (std::int64_t step = 1; step <= 3; ++step) {
      for (const auto& group : groups(step)) writer.write(step, group);
      behind_.push_back(writer.position());
    }
    text_ = now();
  }
  static std::vector<TensorGroup> groups(std::int64_t step) {
    return {{"grad", {{"a", sha256("g" + std::to_string(step))}}},
            {"adapter", {{"a", sha256("a" + std::to_string(step))}, {"b", Digest{}}}}};
  }
  void go_on(const std::string& text, std::int64_t step) const {
    folder_.write("tensors.jsonl", text);
    TensorsWriter writer(folder_.path(), step == 0 ? FilePosition{} : behind_[step - 1]);
    while (++step <= 3) {
      for (const auto& group : groups(step)) writer.write(step, group);
      EXPECT_EQ(writer.position().bytes, behind_[step - 1].bytes);
      EXPECT_EQ(writer.position().sha256, behind_[step - 1].sha256);
    }
    writer.end();
  }
  std::string now() const { return test::read_file(folder_.path() / "tensors.jsonl"); }

  const test::TempFolder folder_;
  std::vector<FilePosition> behind_;
  std::string text_;
};

TEST_F(TensorsResume, CutAnywhereItEndsInTheSameBytes) {
  for (std::size_t bytes = 0; bytes <= text_.size(); ++bytes) {
    for (std::int64_t step = 0; step <= 3; ++step) {
      if (step > 0 && behind_[step - 1].bytes > bytes) break;
      go_on(text_.substr(0, bytes), step);
      ASSERT_EQ(now(), text_) << bytes << " behind step " << step;
    }
  }
}

TEST_F(TensorsResume, WhatStandsBeforeTheCheckpointIsChecked) {
  std::string changed = text_;
  changed[behind_[0].bytes + 70] ^= 1;
  EXPECT_THAT(test::message_of<ResumeRefused>([&] { go_on(changed, 2); }),
              HasSubstr("bytes are not those that it had at the checkpoint"));
  EXPECT_THAT(test::message_of<ResumeRefused>([&] { go_on(text_.substr(0, 100), 2); }),
              HasSubstr("has fewer than the"));
}

TEST_F(TensorsResume, WhatStandsBehindItIsCompared) {
  std::string changed = text_;
  changed[behind_[1].bytes + 70] ^= 1;
  EXPECT_THAT(test::message_of<ResumeDiverged>([&] { go_on(changed, 1); }),
              StartsWith("resume_diverged: step 3, grad,"));
  EXPECT_EQ(now(), changed);
  EXPECT_THAT(test::message_of<ResumeDiverged>([&] { go_on(text_ + "{}\n", 3); }),
              StartsWith("resume_diverged: the end,"));
}

}  // namespace
}  // namespace twinrun::protocol
