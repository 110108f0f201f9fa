// What is left of a record that was cut, changed or badly written: summarize_record.
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "harness/protocol/record_reader.h"
#include "tests/harness/synthetic_record.h"
#include "tests/temp_folder.h"

namespace twinrun::protocol {
namespace {

using State = RecordSummary::State;
using test::SyntheticRecord;

RecordSummary summary_of(const std::string& text, int threads = 2) {
  const test::TempFolder folder;
  test::write_file(folder.path() / "steps.jsonl", text);
  return summarize_record(folder.path() / "steps.jsonl", threads);
}

void expect_equal(const RecordSummary& a, const RecordSummary& b, const std::string& what) {
  EXPECT_EQ(a.state, b.state) << what;
  EXPECT_EQ(a.reason, b.reason) << what;
  EXPECT_EQ(a.problem, b.problem) << what;
  EXPECT_EQ(a.line, b.line) << what;
  EXPECT_EQ(a.last_step, b.last_step) << what;
  EXPECT_EQ(a.head, b.head) << what;
  EXPECT_EQ(a.last_adapter, b.last_adapter) << what;
  EXPECT_EQ(a.non_finite_step, b.non_finite_step) << what;
  EXPECT_EQ(a.bytes, b.bytes) << what;
  EXPECT_EQ(a.zero.has_value(), b.zero.has_value()) << what;
}

TEST(SummarizeRecordTest, AWholeRecordIsComplete) {
  const SyntheticRecord record(5);
  const auto summary = summary_of(record.text());
  EXPECT_EQ(summary.state, State::kComplete) << summary.problem;
  EXPECT_EQ(summary.reason, "complete");
  EXPECT_EQ(summary.line, 0);
  EXPECT_EQ(summary.last_step, 5);
  EXPECT_EQ(summary.end->steps, 5);
  EXPECT_EQ(summary.zero->adapter, record.zero.adapter);
  EXPECT_EQ(summary.last_adapter, record.steps.back().adapter);
  EXPECT_EQ(summary.head, split_chain(record.lines().back())->chain);
  EXPECT_EQ(summary.bytes, record.text().size());
  EXPECT_FALSE(summary.non_finite_step);
}

TEST(SummarizeRecordTest, AnEarlyEndIsComplete) {
  SyntheticRecord record(2);
  record.header.steps = 10;
  EXPECT_EQ(summary_of(record.text()).state, State::kComplete);
}

TEST(SummarizeRecordTest, NoFileIsMissingAndAnEmptyOneIncomplete) {
  EXPECT_EQ(summarize_record("/nowhere/steps.jsonl").state, State::kMissing);
  EXPECT_EQ(summary_of("").state, State::kIncomplete);
  EXPECT_EQ(summary_of("").last_step, -1);
}

TEST(SummarizeRecordTest, CutAnywhereItIsIncomplete) {
  const std::string text = SyntheticRecord(1).text();
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto summary = summary_of(text.substr(0, size), 1);
    ASSERT_EQ(summary.state, State::kIncomplete) << size << summary.problem;
    std::int64_t whole = 0;
    for (const char c : text.substr(0, size)) whole += c == '\n';
    ASSERT_EQ(summary.last_step, std::min<std::int64_t>(std::max<std::int64_t>(whole, 1) - 2, 1))
        << size;
  }
}

TEST(SummarizeRecordTest, AChangedByteBreaksTheChain) {
  const std::string text = SyntheticRecord(1).text();
  for (std::size_t at = 0; at + 1 < text.size(); ++at) {
    if (text[at] == '\n') continue;
    std::string changed = text;
    changed[at] ^= 1;
    const auto summary = summary_of(changed, 1);
    ASSERT_EQ(summary.state, State::kBroken) << at << ' ' << summary.problem;
    ASSERT_TRUE(summary.chain_broken) << at << ' ' << summary.problem;
  }
}

TEST(SummarizeRecordTest, ALineTakenAwayDoubledOrMovedBreaksTheChain) {
  const auto lines = SyntheticRecord(4).lines();
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    auto fewer = lines, more = lines, moved = lines;
    fewer.erase(fewer.begin() + i);
    more.insert(more.begin() + i, lines[i]);
    std::swap(moved[i], moved[i + 1]);
    for (const auto& changed : {fewer, more, moved}) {
      const auto summary = summary_of(SyntheticRecord::join(changed));
      EXPECT_TRUE(summary.chain_broken) << i << summary.problem;
    }
  }
}

TEST(SummarizeRecordTest, AStepLeftOutThatChainsOnIsMissing) {
  SyntheticRecord record(4);
  record.steps.erase(record.steps.begin() + 1);
  const auto summary = summary_of(record.text());
  EXPECT_EQ(summary.state, State::kBroken);
  EXPECT_EQ(summary.reason, "missing_step");
  EXPECT_FALSE(summary.chain_broken);
  EXPECT_EQ(summary.line, 4);
  EXPECT_EQ(summary.last_step, 1);
}

TEST(SummarizeRecordTest, AnEndThatNamesOtherStepsIsMissingSome) {
  SyntheticRecord record(4);
  record.steps.pop_back();
  EXPECT_EQ(summary_of(record.text()).reason, "missing_step");
}

TEST(SummarizeRecordTest, StepsThatRepeatGoBeyondOrFollowTheEndAreExtra) {
  SyntheticRecord repeated(4), beyond(4);
  repeated.steps.insert(repeated.steps.begin() + 1, repeated.steps[0]);
  EXPECT_EQ(summary_of(repeated.text()).reason, "extra_line");
  beyond.header.steps = 3;
  EXPECT_EQ(summary_of(beyond.text()).reason, "extra_line");
  auto lines = SyntheticRecord(2).lines();
  const std::string open = format_end({2, {}});
  lines.push_back(with_chain(open, chain_next(split_chain(lines.back())->chain, open)));
  EXPECT_EQ(summary_of(SyntheticRecord::join(lines)).reason, "extra_line");
}

TEST(SummarizeRecordTest, AHeaderThatWasWrittenSoIsMalformed) {
  SyntheticRecord record(2);
  record.header.schema = 2;
  const auto summary = summary_of(record.text());
  EXPECT_EQ(summary.reason, "malformed");
  EXPECT_EQ(summary.line, 1);
  EXPECT_NE(summary.problem.find("schema"), std::string::npos);
}

TEST(SummarizeRecordTest, TheFirstNonFiniteStepIsNamed) {
  SyntheticRecord record(6);
  record.steps[3].loss = std::numeric_limits<float>::quiet_NaN();
  record.steps[2].lr = std::numeric_limits<double>::infinity();
  EXPECT_EQ(summary_of(record.text()).non_finite_step, 3);
}

TEST(SummarizeRecordTest, ThreadsSayWhatOneThreadSays) {
  SyntheticRecord good(9000);
  good.steps[7000].loss = std::numeric_limits<float>::infinity();
  const auto lines = good.lines();
  std::vector<std::string> texts{good.text(), good.text().substr(0, 5000000)};
  for (const std::size_t at : {std::size_t{1}, std::size_t{4490}, std::size_t{4520},
                               std::size_t{8000}, lines.size() - 1}) {
    auto changed = lines;
    changed[at].replace(10, 1, "x");
    texts.push_back(SyntheticRecord::join(changed));
    changed = lines;
    changed.erase(changed.begin() + at);
    texts.push_back(SyntheticRecord::join(changed));
  }
  SyntheticRecord left_out(9000);
  left_out.steps.erase(left_out.steps.begin() + 4400, left_out.steps.begin() + 4600);
  texts.push_back(left_out.text());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto one = summary_of(texts[i], 1);
    for (const int threads : {2, 3, 5}) {
      expect_equal(summary_of(texts[i], threads), one, std::to_string(i));
    }
  }
}

TEST(SummarizeRecordLikeTest, SaysWhatReadingTheWholeSays) {
  SyntheticRecord like(3000);
  like.steps[100].loss = std::numeric_limits<float>::infinity();
  const std::string text = like.text();
  const auto like_summary = summary_of(text);
  const test::TempFolder folder;
  const auto path = folder.path() / "steps.jsonl";
  for (const std::size_t at :
       {std::size_t{0}, std::size_t{5}, std::size_t{50}, std::size_t{2000}, std::size_t{2999}}) {
    for (const bool chained : {true, false}) {
      SyntheticRecord other = like;
      other.steps[at].grad_norm = 7;
      std::string changed = other.text();
      if (!chained) {
        changed = text;
        changed[text.find("{\"step\":" + std::to_string(at + 1) + ",") + 30] ^= 1;
      }
      const auto shared = static_cast<std::uint64_t>(
          std::mismatch(text.begin(), text.end(), changed.begin()).first - text.begin());
      test::write_file(path, changed);
      expect_equal(summarize_record_like(path, like_summary, shared), summarize_record(path),
                   std::to_string(at));
    }
  }
  test::write_file(path, text);
  expect_equal(summarize_record_like(path, like_summary, text.size()), like_summary, "equal");
  test::write_file(path, text.substr(0, 1500000));
  expect_equal(summarize_record_like(path, like_summary, 1500000), summarize_record(path), "cut");
}

TEST(SummarizeRecordTest, SurvivesAnyBytes) {
  std::mt19937 random(7);
  const std::string text = SyntheticRecord(3).text();
  for (int round = 0; round < 2000; ++round) {
    std::string garbage = text;
    for (int change = 0; change < 5; ++change) {
      const std::size_t at = random() % garbage.size();
      switch (random() % 3) {
        case 0:
          garbage[at] = static_cast<char>(random());
          break;
        case 1:
          garbage.erase(at, random() % 50);
          break;
        default:
          garbage.insert(at, garbage.substr(random() % garbage.size(), random() % 50));
      }
    }
    std::size_t begin = 0;
    while (begin < garbage.size()) {
      const std::size_t end = std::min(garbage.find('\n', begin), garbage.size());
      const std::string_view line = std::string_view(garbage).substr(begin, end - begin);
      parse_header(line);
      parse_step_zero(line);
      parse_end(line);
      const bool parsed = std::holds_alternative<StepRecord>(parse_step(line));
      EXPECT_TRUE(parsed || !scan_step(line)) << line;
      begin = end + 1;
    }
    if (garbage != text && round < 200) {
      EXPECT_NE(summary_of(garbage).state, State::kComplete);
    }
  }
}

}  // namespace
}  // namespace twinrun::protocol
