#include "harness/protocol/eval_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/harness/eval_fixture.h"
#include "tests/temp_folder.h"

namespace twinrun::protocol {
namespace {

using test::toy_eval;
using test::ToyEval;
using testing::HasSubstr;

EvalHeader announcing(std::int64_t every, std::int64_t last) {
  EvalHeader header;
  header.every = every;
  header.last = last;
  return header;
}

TEST(EvalHeader, AnnouncesMultiplesAndTheLastStep) {
  const auto steps = [](std::int64_t every, std::int64_t last) {
    const EvalHeader header = announcing(every, last);
    std::vector<std::int64_t> found;
    for (auto step = header.next_after(0); step; step = header.next_after(*step)) {
      EXPECT_TRUE(header.is_evaluated(*step));
      EXPECT_FALSE(header.is_evaluated(*step + last));
      found.push_back(*step);
    }
    EXPECT_EQ(header.evaluations(), static_cast<std::int64_t>(found.size()));
    return found;
  };
  using Steps = std::vector<std::int64_t>;
  EXPECT_EQ(steps(0, 12), (Steps{12}));
  EXPECT_EQ(steps(5, 12), (Steps{5, 10, 12}));
  EXPECT_EQ(steps(5, 10), (Steps{5, 10}));
  EXPECT_EQ(steps(20, 10), (Steps{10}));
  EXPECT_EQ(steps(1, 3), (Steps{1, 2, 3}));
  const EvalHeader header = announcing(5, 12);
  EXPECT_EQ(header.next_after(7), 10);
  EXPECT_EQ(header.next_after(12), std::nullopt);
  EXPECT_FALSE(header.is_evaluated(0));
  EXPECT_FALSE(header.is_evaluated(7));
}

TEST(FormatEval, HasTheFieldsInOrder) {
  const ToyEval toy = toy_eval();
  EXPECT_EQ(format_eval_header(toy.header),
            "{\"schema\":1,\"format\":\"twinrun-eval\",\"identity\":\"" + std::string(64, 'a') +
                "\",\"data\":\"" + std::string(64, 'b') +
                "\",\"items\":3,\"every\":2,\"last\":5,\"max_new_tokens\":8,\"batch_size\":2,"
                "\"max_length\":64}");
  EXPECT_EQ(format_eval_item(toy.items[1]),
            R"({"step":2,"item":1,"id":"capital/1","category":"capitals","cluster":"Peru",)"
            R"("tokens":5,"nll":{"bits":"4006000000000000","value":2.75},"answer":"Lima",)"
            R"("reference":"Lima","finish":"stop"})");
  EvalItem item;
  item.step = 7;
  item.id = std::int64_t{4};
  item.tokens = 1;
  item.nll = 0.1;
  EXPECT_EQ(format_eval_item(item),
            R"({"step":7,"item":0,"id":4,"category":null,"cluster":null,"tokens":1,)"
            R"("nll":{"bits":"3fb999999999999a","value":0.10000000000000001},"answer":null,)"
            R"("reference":"","finish":null})");
  item.reference = "\xff";
  EXPECT_THROW(format_eval_item(item), std::invalid_argument);
}

class EvalWriterTest : public testing::Test {
 protected:
  /// Says what the toy has, from item `from` on.
  void say(EvalWriter& writer, std::size_t from = 0) const {
    for (std::size_t i = from; i < toy_.items.size(); ++i) writer.item(toy_.items[i]);
    writer.end();
  }
  std::string written() const { return test::read_file(file_); }

  ToyEval toy_ = toy_eval();
  test::TempFolder folder_;
  const std::filesystem::path file_ = folder_.path() / "eval.jsonl";
};

TEST_F(EvalWriterTest, WritesAFileThatIsWhole) {
  EvalWriter writer(folder_.path(), toy_.header);
  say(writer);
  EXPECT_EQ(written(), toy_.text());
  EXPECT_THROW(EvalWriter(folder_.path(), toy_.header), std::runtime_error);  // it is there
}

TEST_F(EvalWriterTest, GoesOnAfterAKillAtAnyByte) {
  const std::string whole = toy_.text();
  for (std::size_t bytes = 0; bytes <= whole.size(); bytes += 11) {
    test::write_file(file_, whole.substr(0, bytes));
    EvalWriter writer(folder_.path(), toy_.header, FilePosition{});
    say(writer);
    ASSERT_EQ(written(), whole) << "killed at byte " << bytes;
  }
}

TEST_F(EvalWriterTest, GoesOnBehindACheckpoint) {
  EvalWriter first(folder_.path(), toy_.header);
  for (std::size_t i = 0; i < 3; ++i) first.item(toy_.items[i]);
  const FilePosition position = first.position();
  first.item(toy_.items[3]);  // behind it: said again
  EvalWriter second(folder_.path(), toy_.header, position);
  say(second, 3);
  EXPECT_EQ(written(), toy_.text());
}

TEST_F(EvalWriterTest, RefusesWhatIsNotItsOwn) {
  EvalWriter first(folder_.path(), toy_.header);
  for (std::size_t i = 0; i < 3; ++i) first.item(toy_.items[i]);
  const FilePosition position = first.position();
  EvalHeader other = toy_.header;
  other.max_new_tokens = 9;
  for (const FilePosition& from : {position, FilePosition{}}) {
    EXPECT_THAT(test::message_of<ResumeRefused>([&] { EvalWriter(folder_.path(), other, from); }),
                HasSubstr("\"max_new_tokens\":9"));
  }
  std::string changed = written();
  changed[changed.find("Lima")] = 'l';
  test::write_file(file_, changed);
  EXPECT_THAT(
      test::message_of<ResumeRefused>([&] { EvalWriter(folder_.path(), toy_.header, position); }),
      HasSubstr("are not those that it had at the checkpoint"));
}

TEST_F(EvalWriterTest, AnotherResultOfTheSameEvaluationIsTold) {
  {
    EvalWriter writer(folder_.path(), toy_.header);
    say(writer);
  }
  toy_ = toy_eval(0.25);
  EvalWriter again(folder_.path(), toy_.header, FilePosition{});
  EXPECT_THAT(test::message_of<ResumeDiverged>([&] { say(again); }),
              HasSubstr("resume_diverged: item 0 of the evaluation after step 2"));
  EXPECT_EQ(written(), toy_eval().text());
}

}  // namespace
}  // namespace twinrun::protocol
