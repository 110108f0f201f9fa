#include "harness/protocol/inference_reader.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "tests/harness/inference_fixture.h"
#include "tests/temp_folder.h"

namespace twinrun::protocol {
namespace {

using test::toy_inference;
using test::ToyInference;

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

/// The end line of `before`, which ends in a line feed.
std::string sealed(const std::string& before, int prompts) {
  return before + "{\"end\":true,\"prompts\":" + std::to_string(prompts) + ",\"sha256\":\"" +
         to_hex(sha256(before)) + "\"}\n";
}

std::string header_problem(const std::string& line) {
  const auto parsed = parse_inference_header(line);
  const auto* problem = std::get_if<LineProblem>(&parsed);
  return problem == nullptr ? "" : problem->what;
}

std::string prompt_problem(const std::string& line, const InferenceHeader& header) {
  const auto parsed = parse_inference_prompt(line, header);
  const auto* problem = std::get_if<LineProblem>(&parsed);
  return problem == nullptr ? "" : problem->what;
}

class ReadInferenceTest : public testing::Test {
 protected:
  /// What reading `text` comes to: "" if it is good, else "REASON LINE: what".
  std::string read(const std::string& text) {
    const auto result = read_inference(folder_.write("inference.jsonl", text));
    const auto* problem = std::get_if<InferenceProblem>(&result);
    if (problem == nullptr) return "";
    return problem->reason + " " + std::to_string(problem->line) + ": " + problem->what;
  }
  void expect(const std::string& text, const std::string& start, const std::string& part = "") {
    const std::string found = read(text);
    EXPECT_EQ(found.rfind(start, 0), 0u) << "wanted " << start << ", found " << found;
    EXPECT_NE(found.find(part), std::string::npos) << "wanted " << part << ", found " << found;
  }
  /// Three prompts, of which the lines are at hand.
  std::vector<std::string> lines() const {
    std::vector<std::string> list = {format_inference_header(toy_.header)};
    for (const PromptOutput& output : toy_.outputs) {
      list.push_back(format_inference_prompt(output));
    }
    return list;
  }
  static std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    return text;
  }
  ToyInference toy_ = toy_inference();
  test::TempFolder folder_;
};

TEST_F(ReadInferenceTest, GivesBackWhatWasWritten) {
  ToyInference forced = toy_inference();
  test::force(forced, toy_, 0.5);
  for (const ToyInference& toy : {toy_, forced}) {
    const auto file = folder_.write("inference.jsonl", toy.text());
    const auto result = read_inference(file);
    ASSERT_TRUE(std::holds_alternative<InferenceFile>(result)) << read(toy.text());
    const auto& good = std::get<InferenceFile>(result);
    EXPECT_EQ(format_inference(good.header, good.outputs), toy.text());
    EXPECT_EQ(good.sha256, sha256(toy.text()));
  }
}

TEST_F(ReadInferenceTest, ADamagedFileIsToldFromOneThatWasWrittenWrong) {
  const std::string good = toy_.text();
  ASSERT_EQ(read(good), "");
  expect(good.substr(0, good.size() - 1), "incomplete 5:", "no line feed");
  expect(joined(lines()), "incomplete 4:", "no end line");
  expect(joined({lines()[0], lines()[1]}), "incomplete 2:", "no end line");
  expect(good.substr(0, good.size() / 2), "incomplete 3:");
  expect(good.substr(0, 40), "incomplete 1:");
  expect("", "incomplete 0:", "empty");
  expect(replaced(good, "\"completion\":\"", "\"completion\":\"x"), "digest_mismatch 5:");
  expect(good + "{}\n", "extra_line 6:");
  // Every byte counts, those of numbers that read the same too.
  expect(replaced(good, "\"prompts\":3,\"max", "\"prompts\": 3,\"max"), "digest_mismatch 5:");
  // Of the header's too, whatever they make of it.
  expect(replaced(good, "\"schema\":1,", "\"schema\":0,"), "digest_mismatch 5:");
  expect(replaced(good, "\"prompts\":3,\"max", "\"prompts\":x,\"max"), "digest_mismatch 5:");
  expect(replaced(good, "\"numerics\":", "\"numeric\":"), "digest_mismatch 5:");
}

TEST_F(ReadInferenceTest, AnyFlippedBitIsFound) {
  const std::string good = toy_.text();
  for (std::size_t i = 0; i < good.size(); i += 7) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ (1 << i % 8));
    EXPECT_NE(read(bad), "") << "byte " << i;
  }
}

TEST_F(ReadInferenceTest, PromptsAreWholeAndInOrder) {
  const auto all = lines();
  expect(sealed(joined({all[0], all[1], all[2]}), 2), "missing_prompt 4:", "2 of 3");
  expect(sealed(joined({all[0], all[1], all[3]}), 2), "missing_prompt 3:", "prompt 2 follows");
  expect(sealed(joined({all[0], all[1], all[1], all[2]}), 3),
         "repeated_prompt 3:", "prompt 0 stands there again");
  expect(sealed(joined({all[0], all[2], all[1], all[3]}), 3), "missing_prompt 2:");
  expect(
      sealed(joined({replaced(all[0], "\"prompts\":3", "\"prompts\":2"), all[1], all[2], all[3]}),
             3),
      "extra_line 4:");
  expect(sealed(joined(all), 2), "malformed 5:", "counts 2 prompts, 3 are there");
  expect(sealed(all[0] + "\n", 0), "missing_prompt 2:", "0 of 3");
}

TEST_F(ReadInferenceTest, ANewerSchemaIsNamedBeforeAnythingElse) {
  const std::string newer =
      replaced(toy_.text(), "\"schema\":1,", "\"schema\":2,\"what\":[1,{\"a\":2}],");
  expect(newer, "newer_schema 1:", "schema 2, this program knows 1");
  expect("{\"schema\":3,\"format\":\"twinrun-inference\"}\n", "newer_schema 1:");
  auto all = lines();
  all[0] = replaced(all[0], "\"schema\":1,", "\"schema\":0,");
  expect(sealed(joined(all), 3), "malformed 1:", "'schema'");
}

TEST_F(ReadInferenceTest, OtherFilesAreRefused) {
  expect("{\"schema\":1,\"identity\":\"ab\"}\n", "malformed 1:", "no file of inference outputs");
  expect("hello\n", "malformed 1:", "no file of inference outputs");
  expect("[]\n", "malformed 1:");
  expect(std::string("\0\0\0\n", 4), "malformed 1:");
  const auto gone = read_inference(folder_.path() / "gone.jsonl");
  ASSERT_TRUE(std::holds_alternative<InferenceProblem>(gone));
  EXPECT_EQ(std::get<InferenceProblem>(gone).reason, "missing");
  const auto a_folder = read_inference(folder_.path());
  ASSERT_TRUE(std::holds_alternative<InferenceProblem>(a_folder));
  EXPECT_EQ(std::get<InferenceProblem>(a_folder).reason, "unreadable");
}

TEST_F(ReadInferenceTest, AProblemNamesFileAndLine) {
  EXPECT_EQ((InferenceProblem{"malformed", 3, "is bad"}.at("x.jsonl")), "x.jsonl:3: is bad");
  EXPECT_EQ((InferenceProblem{"missing", 0, "is not there"}.at("x.jsonl")),
            "x.jsonl: is not there");
}

TEST_F(ReadInferenceTest, ALineThatWasWrittenWrongIsNamed) {
  auto all = lines();
  all[2] = replaced(all[2], "\"finish\":\"length\"", "\"finish\":\"end\"");
  expect(sealed(joined(all), 3), "malformed 3:", "'finish' should be stop or length");
}

TEST_F(ReadInferenceTest, EveryPromptHasAsManyTopEntries) {
  for (auto& top : toy_.outputs[1].top) top.pop_back();
  expect(toy_.text(), "malformed 3:", "3 entries a position, where prompt 0 has 4");
}

TEST(ParseInferenceHeaderTest, NamesTheFieldThatIsWrong) {
  const std::string good = format_inference_header(toy_inference().header);
  ASSERT_EQ(header_problem(good), "");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {replaced(good, "\"dtype\":\"float32\",", ""), "'dtype' is missing"},
      {replaced(good, "\"dtype\":\"float32\"", "\"dtype\":\"\""), "'dtype'"},
      {replaced(good, "\"dtype\"", "\"extra\":1,\"dtype\""), "unknown field 'extra'"},
      {replaced(good, "\"format\":\"twinrun-inference\"", "\"format\":\"other\""), "'format'"},
      {replaced(good, "\"promise\":\"bitwise\"", "\"promise\":\"bits\""), "'promise'"},
      {replaced(good, "\"versions\":", "\"version\":"), "'made_by.versions' is missing"},
      {replaced(good, "\"program\":\"twinrun-train\"", "\"program\":7"), "'program'"},
      {replaced(good, "\"prompts\":3", "\"prompts\":0"), "'prompts'"},
      {replaced(good, "\"max_new_tokens\":6", "\"max_new_tokens\":0"), "'max_new_tokens'"},
      {replaced(good, "\"batch_size\":8", "\"batch_size\":8.0"), "'batch_size'"},
      {replaced(good, "\"top\":4", "\"top\":0"), "'top'"},
      {replaced(good, "\"adapter\":\"3", "\"adapter\":\"G"), "'adapter'"},
      {replaced(good, "\"reference\":null", "\"reference\":\"ab\""), "'reference'"},
      {replaced(good, "\"tokenizer\":{", "\"tokenizer\":[{"), ""}};
  for (const auto& [line, part] : cases) {
    const std::string problem = header_problem(line);
    EXPECT_NE(problem, "") << line;
    EXPECT_NE(problem.find(part), std::string::npos) << problem;
  }
}

/// A change to the second prompt and what the reader has to say of it.
struct Change {
  std::function<void(PromptOutput&)> make;
  std::string part;
};

TEST(ParseInferencePromptTest, NamesTheFieldThatIsWrong) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<Change> changes = {
      {[&](auto& o) { o.logprobs[2] = nan; }, "'logprobs[2]' should be the logarithm"},
      {[&](auto& o) { o.logprobs[2] = -infinity; }, "'logprobs[2]'"},
      {[&](auto& o) { o.logprobs[2] = 0.25F; }, "'logprobs[2]'"},
      {[&](auto& o) { o.logprobs.pop_back(); },
       "'logprobs' should have one entry for each of the 6"},
      {[&](auto& o) { o.logprobs.clear(); }, "'logprobs' should have one entry"},
      {[&](auto& o) { o.tokens.clear(); }, "'tokens'"},
      {[&](auto& o) { o.tokens.pop_back(); }, "'finish' is length, but only 5 of 6"},
      {[&](auto& o) { o.tokens.push_back(1); }, "'tokens' should have 1 to 6"},
      {[&](auto& o) { o.tokens[1] = -4; }, "'tokens[1]'"},
      {[&](auto& o) { o.tokens[1] = o.top[1][1].id; }, "'tokens[1]': token"},
      {[&](auto& o) { o.tokens[1] = 99; }, "'tokens[1]': token 99"},
      {[&](auto& o) { o.logprobs[1] -= 0.125F; }, "'tokens[1]': token"},
      {[&](auto& o) { o.ids.clear(); }, "'ids'"},
      {[&](auto& o) { o.completion.reset(); }, "'completion' should be a text"},
      {[&](auto& o) { o.top.pop_back(); }, "'top' should have one entry"},
      {[&](auto& o) { o.top[3].pop_back(); }, "'top[3]' should have"},
      {[&](auto& o) {
         o.top[3].push_back({13, -50});
       },
       "'top[3]' should have"},
      {[&](auto& o) { o.top[3][2].logprob = nan; }, "'top[3][2]'"},
      {[&](auto& o) { std::swap(o.top[3][1], o.top[3][2]); }, "'top[3]' should be falling"},
      {[&](auto& o) { o.top[3][2] = o.top[3][1]; }, "'top[3]' should be no token twice"},
      {[&](auto& o) {
         for (auto& e : o.top[3]) e.logprob = -0.1F - 1e-3F * float(&e - &o.top[3][0]);
       },
       "'top[3]' should be of no more than the whole probability"},
      {[&](auto& o) {
         o.forced = ForcedTokens{{-1}, {{1, -1}}, {{-1}}};
       },
       "'forced' should be null"}};
  for (const Change& change : changes) {
    ToyInference toy = toy_inference();
    change.make(toy.outputs[1]);
    const std::string problem = prompt_problem(format_inference_prompt(toy.outputs[1]), toy.header);
    EXPECT_NE(problem.find(change.part), std::string::npos)
        << "wanted " << change.part << ", found " << problem;
  }
}

TEST(ParseInferencePromptTest, BitsAndValueHaveToAgree) {
  const ToyInference toy = toy_inference();
  const std::string good = format_inference_prompt(toy.outputs[0]);
  const std::size_t at = good.find("\"value\":");
  std::string bad = good;
  bad.replace(at, good.find('}', at) - at, "\"value\":-0.5");
  EXPECT_NE(prompt_problem(bad, toy.header).find("'logprobs[0].value'"), std::string::npos);
  bad = good;
  bad.replace(at, good.find('}', at) - at, "\"value\":null");
  EXPECT_NE(prompt_problem(bad, toy.header).find("'logprobs[0].value'"), std::string::npos);
}

TEST(ParseInferencePromptTest, WithoutTokenizerThereIsNoText) {
  ToyInference toy = toy_inference();
  toy.header.tokenizer = nlohmann::json::object();
  const auto problem = [&] {
    return prompt_problem(format_inference_prompt(toy.outputs[0]), toy.header);
  };
  EXPECT_NE(problem().find("'completion' should be null"), std::string::npos);
  toy.outputs[0].completion.reset();
  EXPECT_NE(problem().find("'text' should be null"), std::string::npos);
  toy.outputs[0].text.reset();
  EXPECT_EQ(problem(), "");
}

TEST(ParseInferencePromptTest, OfEqualsAnyMayHaveBeenTaken) {
  ToyInference toy = toy_inference();
  PromptOutput& output = toy.outputs[0];
  const auto good = [&] {
    return prompt_problem(format_inference_prompt(output), toy.header) == "";
  };
  output.top[0] = {{2, -1.5F}, {5, -1.5F}, {7, -1.5F}, {8, -3.0F}};
  output.logprobs[0] = -1.5F;
  output.tokens[0] = 7;
  EXPECT_TRUE(good());
  output.tokens[0] = 9;  // would stand among the equals
  EXPECT_FALSE(good());
  output.top[0] = {{2, -1.5F}, {5, -1.5F}, {7, -1.5F}, {8, -1.5F}};
  EXPECT_TRUE(good());
}

TEST(ParseInferencePromptTest, ForcedTokensAreThereJustWhereAReferenceIsNamed) {
  const ToyInference reference = toy_inference();
  ToyInference toy = toy_inference();
  test::force(toy, reference, 0.5);
  const auto problem = [&] {
    return prompt_problem(format_inference_prompt(toy.outputs[0]), toy.header);
  };
  ASSERT_EQ(problem(), "");
  ForcedTokens& forced = *toy.outputs[0].forced;
  const ForcedTokens good = forced;
  forced.best.pop_back();
  EXPECT_NE(problem().find("'forced' should have as many"), std::string::npos);
  forced = good;
  forced.logprobs[2] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_NE(problem().find("'forced.logprobs[2]'"), std::string::npos);
  forced = good;
  forced.top[1][0] = 0.5F;
  EXPECT_NE(problem().find("'forced.top[1]'"), std::string::npos);
  forced = good;
  for (float& logprob : forced.top[1]) logprob = 0;
  EXPECT_NE(problem().find("'forced.top[1]' should be of no more than the whole probability"),
            std::string::npos);
  toy.outputs[0].forced.reset();
  EXPECT_NE(problem().find("'forced' should be there"), std::string::npos);
}

}  // namespace
}  // namespace twinrun::protocol
