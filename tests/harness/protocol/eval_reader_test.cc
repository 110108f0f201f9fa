#include "harness/protocol/eval_reader.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <random>

#include "tests/harness/eval_fixture.h"
#include "tests/temp_folder.h"

namespace twinrun::protocol {
namespace {

using test::toy_eval;
using test::ToyEval;

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

class ReadEvalTest : public testing::Test {
 protected:
  std::variant<EvalFile, EvalProblem> result(const std::string& text) const {
    return read_eval(folder_.write("eval.jsonl", text));
  }
  /// What reading `text` comes to: "" if it is good, else "REASON LINE: what".
  std::string read(const std::string& text) const {
    const auto found = result(text);
    const auto* problem = std::get_if<EvalProblem>(&found);
    if (problem == nullptr) return "";
    return problem->reason + " " + std::to_string(problem->line) + ": " + problem->what;
  }
  void expect(const std::string& text, const std::string& start,
              const std::string& part = "") const {
    const std::string found = read(text);
    EXPECT_EQ(found.rfind(start, 0), 0u) << "wanted " << start << ", found " << found;
    EXPECT_NE(found.find(part), std::string::npos) << "wanted " << part << ", found " << found;
  }
  /// The same of a file whose lines are these and whose end line is right.
  void expect(const std::vector<std::string>& lines, const std::string& start,
              const std::string& part = "") const {
    expect(ToyEval::sealed(lines), start, part);
  }

  ToyEval toy_ = toy_eval();
  std::vector<std::string> lines_ = toy_.lines();
  test::TempFolder folder_;
};

TEST_F(ReadEvalTest, GivesBackWhatWasWritten) {
  const auto found = result(toy_.text());
  ASSERT_TRUE(std::holds_alternative<EvalFile>(found)) << read(toy_.text());
  const auto& file = std::get<EvalFile>(found);
  EXPECT_EQ((ToyEval{file.header, file.items}.text()), toy_.text());
  EXPECT_EQ(file.sha256, sha256(toy_.text()));
  ASSERT_EQ(file.at(4).size(), 3u);
  EXPECT_EQ(file.at(4)[2].step, 4);
  EXPECT_EQ(file.at(4)[2].item, 2);
  EXPECT_DOUBLE_EQ(file.at(4)[1].loss(), (3.5 / 4 + 1) / 5);
  EXPECT_TRUE(file.at(3).empty());
}

TEST_F(ReadEvalTest, WithoutAnswersThereAreNone) {
  toy_.header.max_new_tokens = 0;
  expect(toy_.lines(), "malformed 2:", "'answer' should be null");
  for (auto& item : toy_.items) item.answer.reset();
  expect(toy_.lines(), "malformed 2:", "'finish' should be null");
  for (auto& item : toy_.items) item.finish.reset();
  EXPECT_EQ(read(toy_.text()), "");
}

TEST_F(ReadEvalTest, ADamagedFileIsToldFromOneThatWasWrittenWrong) {
  const std::string good = toy_.text();
  ASSERT_EQ(read(good), "");
  expect(good.substr(0, good.size() - 1), "incomplete 11:", "no line feed");
  std::string unsealed;
  for (const auto& line : lines_) unsealed += line + "\n";
  expect(unsealed, "incomplete 10:", "no end line");
  expect(good.substr(0, good.size() / 2), "incomplete");
  expect(good.substr(0, 40), "incomplete 1:");
  expect("", "incomplete 0:", "empty");
  expect(replaced(good, "\"answer\":\"", "\"answer\":\"x"), "digest_mismatch 11:");
  expect(replaced(good, "\"items\":3", "\"items\": 3"), "digest_mismatch 11:");
  expect(good + "{}\n", "extra_line 12:");
}

TEST_F(ReadEvalTest, EveryPrefixIsIncomplete) {
  const std::string good = toy_.text();
  for (std::size_t bytes = 0; bytes < good.size(); bytes += 3) {
    expect(good.substr(0, bytes), "incomplete");
  }
}

TEST_F(ReadEvalTest, AnyFlippedBitIsFound) {
  const std::string good = toy_.text();
  for (std::size_t i = 0; i < good.size(); i += 5) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ (1 << i % 8));
    EXPECT_NE(read(bad), "") << "byte " << i;
  }
}

// Whoever seals a file anew after changing a line still has to keep every rule: no mutation may
// crash the reader, and what it takes is a whole file of the same rows.
TEST_F(ReadEvalTest, WhatIsTakenOfAnyMutationIsWhole) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto below = [&](std::size_t bound) { return random() % bound; };
  const std::string bytes = "0123456789-.\"{}[],:nule\\\xff";
  for (int round = 0; round < 3000; ++round) {
    auto lines = lines_;
    switch (below(4)) {
      case 0:
        lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(below(lines.size())));
        break;
      case 1:
        lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(below(lines.size())),
                     lines[below(lines.size())]);
        break;
      case 2:
        std::swap(lines[below(lines.size())], lines[below(lines.size())]);
        break;
      default: {
        auto& line = lines[below(lines.size())];
        line[below(line.size())] = bytes[below(bytes.size())];
      }
    }
    const auto found = result(ToyEval::sealed(lines));
    if (std::holds_alternative<EvalProblem>(found)) continue;
    const auto& file = std::get<EvalFile>(found);
    ASSERT_EQ(file.items.size(),
              static_cast<std::size_t>(file.header.items * file.header.evaluations()));
    for (const auto& item : file.items) ASSERT_TRUE(item.nll >= 0 && item.nll < 1e300);
  }
}

TEST_F(ReadEvalTest, ItemsAndEvaluationsAreWholeAndInOrder) {
  const auto without = [&](std::size_t line) {
    auto lines = lines_;
    lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(line));
    return lines;
  };
  expect(without(2), "missing_item 3:", "item 2 after step 2 follows where item 1 after step 2");
  expect(without(4), "missing_item 5:", "item 1 after step 4 follows where item 0 after step 4");
  expect(without(9), "missing_item 10:", "ends before item 2 after step 5");
  auto lines = lines_;
  lines.erase(lines.begin() + 4, lines.begin() + 7);
  expect(lines, "missing_item 5:", "item 0 after step 5 follows where item 0 after step 4");
  lines = lines_;
  lines.insert(lines.begin() + 3, lines_[2]);
  expect(lines, "repeated_item 4:", "item 1 after step 2 stands there again");
  lines = lines_;
  lines.insert(lines.begin() + 7, lines_.begin() + 4, lines_.begin() + 7);
  expect(lines, "repeated_item 8:", "item 0 after step 4 stands there again");
  lines = lines_;
  lines.push_back(lines_[9]);
  expect(lines, "extra_line 11:", "none that the header announces");
  expect(std::vector<std::string>(1, lines_[0]),
         "missing_item 2:", "ends before item 0 after step 2");
  expect({lines_[0], replaced(lines_[1], "\"step\":2", "\"step\":3")}, "extra_line 2:");
  expect({lines_[0], replaced(lines_[1], "\"item\":0", "\"item\":3")}, "extra_line 2:");
  expect(replaced(toy_.text(), "\"lines\":9", "\"lines\":8"),
         "malformed 11:", "counts 8 lines, 9 are there");
}

TEST_F(ReadEvalTest, ALossThatIsNotFiniteIsToldByItself) {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    toy_.items[4].nll = bad;
    expect(toy_.lines(), "non_finite 6:", "item 1 after step 4");
  }
  toy_.items[4].nll = -std::numeric_limits<double>::infinity();
  expect(toy_.lines(), "malformed 6:", "'nll'");
}

TEST_F(ReadEvalTest, ARowStaysWhatItIs) {
  toy_.items[2].id = toy_.items[1].id;
  expect(toy_.lines(), "repeated_id 4:", "item 2 after step 2");
  toy_ = toy_eval();
  const std::pair<const char*, std::function<void(EvalItem&)>> changes[] = {
      {"another id", [](auto& item) { item.id = "capital/9"; }},
      {"another category", [](auto& item) { item.category.reset(); }},
      {"another cluster", [](auto& item) { item.cluster = "Chile"; }},
      {"another number of tokens", [](auto& item) { ++item.tokens; }},
      {"another reference", [](auto& item) { item.reference = "Quito"; }}};
  for (const auto& [part, change] : changes) {
    toy_ = toy_eval();
    change(toy_.items[4]);
    expect(toy_.lines(), "changed_item 6:", part);
  }
}

TEST_F(ReadEvalTest, ANewerSchemaIsNamedBeforeAnythingElse) {
  expect(replaced(toy_.text(), "\"schema\":1,", "\"schema\":2,\"what\":[1],"),
         "newer_schema 1:", "schema 2, this program knows 1");
  lines_[0] = replaced(lines_[0], "\"schema\":1,", "\"schema\":0,");
  expect(lines_, "malformed 1:", "'schema'");
}

TEST_F(ReadEvalTest, OtherFilesAreRefused) {
  expect("{\"schema\":1,\"format\":\"twinrun-inference\"}\n",
         "malformed 1:", "no file of evaluations");
  expect("hello\n", "malformed 1:", "no file of evaluations");
  expect(std::string("\0\0\0\n", 4), "malformed 1:");
  const auto gone = read_eval(folder_.path() / "gone.jsonl");
  ASSERT_TRUE(std::holds_alternative<EvalProblem>(gone));
  EXPECT_EQ(std::get<EvalProblem>(gone).reason, "missing");
  const auto a_folder = read_eval(folder_.path());
  ASSERT_TRUE(std::holds_alternative<EvalProblem>(a_folder));
  EXPECT_EQ(std::get<EvalProblem>(a_folder).reason, "unreadable");
}

TEST_F(ReadEvalTest, TheFieldThatIsWrongIsNamed) {
  const std::tuple<std::size_t, const char*, const char*, const char*> changes[] = {
      {0, "\"identity\":\"a", "\"identity\":\"g", "'identity'"},
      {0, "\"data\":\"b", "\"data\":\"B", "'data'"},
      {0, "\"items\":3", "\"items\":0", "'items'"},
      {0, "\"every\":2", "\"every\":-1", "'every'"},
      {0, "\"last\":5", "\"last\":0", "'last'"},
      {0, "\"max_new_tokens\":8", "\"max_new_tokens\":8.5", "'max_new_tokens'"},
      {0, "\"batch_size\":2", "\"batch_size\":0", "'batch_size'"},
      {0, "\"max_length\":64", "\"max_length\":null", "'max_length'"},
      {0, "\"every\"", "\"extra\":1,\"every\"", "unknown field 'extra'"},
      {0, "\"every\":2,", "", "'every' is missing"},
      {2, "\"step\":2", "\"step\":0", "'step'"},
      {2, "\"item\":1", "\"item\":-1", "'item'"},
      {2, "\"id\":\"capital/1\"", "\"id\":null", "'id'"},
      {2, "\"category\":\"capitals\"", "\"category\":\"\"", "'category' should be a name or null"},
      {2, "\"category\":\"capitals\"", "\"category\":7", "'category'"},
      {2, "\"cluster\":\"Peru\"", "\"cluster\":\"\"", "'cluster' should be a name or null"},
      {2, "\"cluster\":\"Peru\",", "", "'cluster' is missing"},
      {2, "\"tokens\":5", "\"tokens\":0", "'tokens'"},
      {2, "\"value\":2.75", "\"value\":2.5", "'nll.value'"},
      {2, "\"value\":2.75", "\"value\":null", "'nll.value'"},
      {2, "\"bits\":\"4", "\"bits\":\"", "'nll.bits'"},
      {2, "\"bits\":\"4006000000000000\",\"value\":2.75",
       "\"bits\":\"c006000000000000\",\"value\":-2.75", "'nll' should be a sum"},
      {2, "\"answer\":\"Lima\"", "\"answer\":null", "'answer' should be a text"},
      {2, "\"reference\":\"Lima\"", "\"reference\":null", "'reference'"},
      {2, "\"finish\":\"stop\"", "\"finish\":\"end\"", "'finish' should be stop or length"},
      {2, "\"finish\":\"stop\"", "\"finish\":null", "'finish' should be a text"}};
  for (const auto& [line, from, to, part] : changes) {
    auto lines = lines_;
    lines[line] = replaced(lines[line], from, to);
    expect(lines, "malformed " + std::to_string(line + 1) + ":", part);
  }
}

}  // namespace
}  // namespace twinrun::protocol
