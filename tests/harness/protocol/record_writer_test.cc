#include "harness/protocol/record_writer.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include "harness/protocol/record_reader.h"
#include "tests/harness/synthetic_record.h"
#include "tests/temp_folder.h"

namespace twinrun::protocol {
namespace {

TEST(RecordWriterTest, WritesTheLinesOfTheFormat) {
  const test::TempFolder folder;
  const test::SyntheticRecord record(3);
  RecordWriter writer(folder.path(), record.header);
  writer.step_zero(record.zero);
  for (const auto& step : record.steps) writer.step(step);
  const Digest head = writer.end(record.end);
  EXPECT_EQ(test::read_file(folder.path() / "steps.jsonl"), record.text());
  EXPECT_EQ(head, writer.chain());
  EXPECT_EQ(split_chain(record.lines().back())->chain, head);
}

TEST(RecordWriterTest, EveryLineIsThereOnceItIsSaid) {
  const test::TempFolder folder;
  const test::SyntheticRecord record(1);
  RecordWriter writer(folder.path(), record.header);
  const auto lines = record.lines();
  EXPECT_EQ(test::read_file(folder.path() / "steps.jsonl"), lines[0] + '\n');
  writer.step_zero(record.zero);
  EXPECT_EQ(test::read_file(folder.path() / "steps.jsonl"), lines[0] + '\n' + lines[1] + '\n');
}

TEST(RecordWriterTest, RefusesARecordThatIsThereAlready) {
  const test::TempFolder folder;
  test::write_file(folder.path() / "steps.jsonl", "");
  EXPECT_THROW(RecordWriter(folder.path(), {}), std::runtime_error);
}

TEST(RecordWriterTest, AFullDiskIsAnErrorThatNamesTheFile) {
  const test::TempFolder folder;
  const test::SyntheticRecord record(1);
  RecordWriter writer(folder.path(), record.header);
  struct rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  struct rlimit small = before;
  small.rlim_cur = 300;
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string what;
  try {
    writer.step_zero(record.zero);
  } catch (const std::runtime_error& error) {
    what = error.what();
  }
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);
  EXPECT_NE(what.find("steps.jsonl"), std::string::npos) << what;
  const auto summary = summarize_record(folder.path() / "steps.jsonl");
  EXPECT_EQ(summary.state, RecordSummary::State::kIncomplete);
}

TEST(TensorsWriterTest, WritesALineAGroup) {
  const test::TempFolder folder;
  const Digest digest = sha256(std::string_view("x"));
  TensorsWriter writer(folder.path());
  writer.write(2, {"grad", {{"b", digest}, {"a\"", digest}}});
  writer.write(2, {"adapter", {}});
  const std::string hex = to_hex(digest);
  EXPECT_EQ(test::read_file(folder.path() / "tensors.jsonl"),
            "{\"step\":2,\"group\":\"grad\",\"tensors\":[[\"b\",\"" + hex + "\"],[\"a\\\"\",\"" +
                hex + "\"]]}\n{\"step\":2,\"group\":\"adapter\",\"tensors\":[]}\n");
}

TEST(WriteFileAtomicallyTest, ReplacesAndLeavesNothingBeside) {
  const test::TempFolder folder;
  const auto path = folder.path() / "manifest.json";
  write_file_atomically(path, "one");
  write_file_atomically(path, "two");
  EXPECT_EQ(test::read_file(path), "two");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(WriteFileAtomicallyTest, NamesTheFileThatCannotBeWritten) {
  try {
    write_file_atomically("/nowhere/manifest.json", "");
    FAIL() << "no exception";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("/nowhere/manifest.json"), std::string::npos);
  }
}

TEST(RandomRunIdTest, Is128BitsAndNeverTheSame) {
  const std::string first = random_run_id(), second = random_run_id();
  EXPECT_EQ(first.size(), 32u);
  EXPECT_EQ(first.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(first, second);
}

}  // namespace
}  // namespace twinrun::protocol
