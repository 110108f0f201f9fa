#include "harness/protocol/record_reader.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>

#include "tests/harness/synthetic_record.h"
#include "tests/temp_folder.h"

namespace twinrun::protocol {
namespace {

std::string replaced(std::string line, const std::string& from, const std::string& to) {
  const std::size_t at = line.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return line.replace(at, from.size(), to);
}

std::string step_line(const StepRecord& step) { return with_chain(format_step(step), Digest{}); }
std::string step_line() { return step_line(test::synthetic_step(1)); }

std::string problem_of_step(const std::string& line) {
  const auto parsed = parse_step(line);
  const auto* problem = std::get_if<LineProblem>(&parsed);
  return problem == nullptr ? "" : problem->what;
}

TEST(ParseStepTest, GivesBackWhatWasFormatted) {
  StepRecord step = test::synthetic_step(3);
  step.loss = std::bit_cast<float>(0x7fc00001u);
  step.grad_norm = -0.0f;
  step.lr = 5e-324;
  step.samples.emplace_back(std::in_place_type<std::string>, "\u00e4\"\\\n");
  const auto parsed = parse_step(step_line(step));
  ASSERT_TRUE(std::holds_alternative<StepRecord>(parsed)) << problem_of_step(step_line(step));
  const auto& back = std::get<StepRecord>(parsed);
  EXPECT_EQ(format_step(back), format_step(step));
  EXPECT_EQ(std::bit_cast<std::uint32_t>(back.loss), 0x7fc00001u);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(back.grad_norm), 0x80000000u);
}

TEST(ParseStepTest, NamesTheFieldThatIsWrong) {
  const std::string good = step_line();
  const std::string loss = "{\"bits\":\"40200000\",\"value\":2.5}";
  ASSERT_EQ(problem_of_step(good), "");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {replaced(good, "\"tokens\":512,", ""), "'tokens' is missing"},
      {replaced(good, "\"tokens\":512", "\"tokens\":512,\"extra\":1"), "unknown field 'extra'"},
      {replaced(good, "\"tokens\":512", "\"tokens\":512,\"tokens\":512"), "occurs twice"},
      {replaced(good, "\"tokens\":512", "\"tokens\":512.0"), "'tokens'"},
      {replaced(good, "\"tokens\":512", "\"tokens\":-1"), "'tokens'"},
      {replaced(good, "\"tokens\":512", "\"tokens\":9223372036854775808"), "'tokens'"},
      {replaced(good, "\"step\":1", "\"step\":0"), "'step'"},
      {replaced(good, loss, "2.5"), "'loss'"},
      {replaced(good, loss, "{\"bits\":\"4020000\",\"value\":2.5}"), "'loss.bits'"},
      {replaced(good, loss, "{\"bits\":\"4020000G\",\"value\":2.5}"), "'loss.bits'"},
      {replaced(good, loss, "{\"bits\":\"40200000\",\"value\":2.50001}"), "'loss.value'"},
      {replaced(good, loss, "{\"bits\":\"40200000\",\"value\":null}"), "'loss.value'"},
      {replaced(good, loss, "{\"bits\":\"7fc00000\",\"value\":2.5}"), "'loss.value'"},
      {replaced(good, loss, "{\"bits\":\"40200000\",\"value\":2.5,\"x\":1}"), "'loss'"},
      {replaced(good, "[2,3,", "[2.5,3,"), "'samples'"},
      {replaced(good, "\"rng\":\"", "\"rng\":\"0"), "'rng'"},
      {good.substr(1), "not JSON"},
      {"[]", "not a JSON object"},
  };
  for (const auto& [line, what] : cases) {
    EXPECT_NE(problem_of_step(line).find(what), std::string::npos)
        << line << "\nsays: " << problem_of_step(line);
    EXPECT_FALSE(scan_step(line)) << line;
  }
}

TEST(ParseStepTest, TakesAnotherOrderAndAnotherDecimalOfTheSameNumber) {
  const std::string good = step_line();
  EXPECT_EQ(problem_of_step(replaced(good, "\"value\":2.5}", "\"value\": 2.5000000000001}")), "");
  EXPECT_FALSE(scan_step(replaced(good, "\"value\":2.5}", "\"value\":2.50}")));
}

TEST(ScanStepTest, ReadsTheNumbersOfALineAsFormatted) {
  for (const std::int64_t number : {1, 9, 10, 1000000}) {
    const StepRecord step = test::synthetic_step(number);
    const auto scan = scan_step(step_line(step));
    ASSERT_TRUE(scan) << step_line(step);
    EXPECT_EQ(scan->step, number);
    EXPECT_EQ(scan->loss_bits, std::bit_cast<std::uint32_t>(step.loss));
    EXPECT_EQ(scan->grad_norm_bits, std::bit_cast<std::uint32_t>(step.grad_norm));
    EXPECT_EQ(scan->lr_bits, std::bit_cast<std::uint64_t>(step.lr));
  }
}

TEST(ScanStepTest, ReadsNonFiniteNumbersAndNoSamples) {
  StepRecord step = test::synthetic_step(1);
  step.loss = std::numeric_limits<float>::quiet_NaN();
  step.samples.clear();
  const auto scan = scan_step(step_line(step));
  ASSERT_TRUE(scan);
  EXPECT_EQ(scan->loss_bits, 0x7fc00000u);
}

TEST(ScanStepTest, WhatItReadsParsesToTheSame) {
  const std::string good = step_line();
  int read = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const char byte : {'0', '1', 'f', '"', ',', '}', '-', ' ', '\0', '\xff'}) {
      std::string line = good;
      line[at] = byte;
      const auto scan = scan_step(line);
      if (!scan) continue;
      ++read;
      const auto parsed = parse_step(line);
      ASSERT_TRUE(std::holds_alternative<StepRecord>(parsed)) << line << problem_of_step(line);
      EXPECT_EQ(std::get<StepRecord>(parsed).step, scan->step);
      EXPECT_EQ(std::bit_cast<std::uint64_t>(std::get<StepRecord>(parsed).lr), scan->lr_bits);
    }
  }
  EXPECT_GT(read, 100);
  EXPECT_LT(read, static_cast<int>(good.size()) * 9);
}

TEST(ParseHeaderTest, IsStrict) {
  const std::string good = format_header(test::SyntheticRecord(5).header);
  const auto parsed = parse_header(good);
  ASSERT_TRUE(std::holds_alternative<RecordHeader>(parsed));
  EXPECT_EQ(format_header(std::get<RecordHeader>(parsed)), good);
  for (const std::string& bad :
       {replaced(good, "\"schema\":1", "\"schema\":2"), replaced(good, "bitwise", "Bitwise"),
        replaced(good, "\"aaaa", "\"aaa"), replaced(good, "\"steps\":5", "\"steps\":-5"),
        replaced(good, "libtorch-float32/1", ""), replaced(good, "\"schema\":1", "\"schema\":1.0"),
        std::string()}) {
    EXPECT_TRUE(std::holds_alternative<LineProblem>(parse_header(bad))) << bad;
  }
}

TEST(ParseStepZeroAndEndTest, AreStrict) {
  const auto lines = test::SyntheticRecord(1).lines();
  EXPECT_TRUE(std::holds_alternative<StepZero>(parse_step_zero(lines[1])));
  EXPECT_TRUE(std::holds_alternative<LineProblem>(parse_step_zero(lines[2])));
  EXPECT_TRUE(std::holds_alternative<LineProblem>(parse_step_zero(lines[3])));
  EXPECT_TRUE(std::holds_alternative<RecordEnd>(parse_end(lines[3])));
  EXPECT_TRUE(std::holds_alternative<LineProblem>(parse_end(lines[1])));
  EXPECT_TRUE(std::holds_alternative<LineProblem>(
      parse_end(replaced(lines[3], "\"end\":true", "\"end\":1"))));
}

TEST(SplitChainTest, TakesTheChainOffTheEnd) {
  const Digest chain = sha256(std::string_view("x"));
  const std::string line = with_chain("{\"step\":0", chain);
  const auto split = split_chain(line);
  ASSERT_TRUE(split);
  EXPECT_EQ(split->hashed, "{\"step\":0");
  EXPECT_EQ(split->chain, chain);
  EXPECT_FALSE(split_chain(line + " "));
  EXPECT_FALSE(split_chain(line.substr(line.size() - 40)));
  EXPECT_FALSE(split_chain(""));
}

TEST(LineReaderTest, GivesLinesOfAnyLength) {
  const test::TempFolder folder;
  const auto path = folder.path() / "lines";
  const std::string longest(5000000, 'x');
  test::write_file(path, "a\n\n" + longest + "\nb");
  LineReader reader(path);
  EXPECT_EQ(reader.next(), "a");
  EXPECT_EQ(reader.next(), "");
  EXPECT_EQ(reader.offset(), 3u);
  EXPECT_EQ(reader.next(), longest);
  EXPECT_FALSE(reader.torn());
  EXPECT_EQ(reader.next(), "b");
  EXPECT_TRUE(reader.torn());
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.next());
}

TEST(LineReaderTest, StartsWhereItIsTold) {
  const test::TempFolder folder;
  test::write_file(folder.path() / "lines", "a\nbc\n");
  LineReader reader(folder.path() / "lines", 2);
  EXPECT_EQ(reader.next(), "bc");
  EXPECT_EQ(reader.offset(), 5u);
}

TEST(LineReaderTest, RefusesABottomlessLineAndAMissingFile) {
  const test::TempFolder folder;
  const auto path = folder.path() / "garbage";
  test::write_file(path, "");
  std::filesystem::resize_file(path, 80u << 20);
  LineReader reader(path);
  EXPECT_THROW(reader.next(), std::runtime_error);
  EXPECT_THROW(LineReader(folder.path() / "none"), std::runtime_error);
}

}  // namespace
}  // namespace twinrun::protocol
