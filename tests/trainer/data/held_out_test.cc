#include "trainer/data/held_out.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/temp_folder.h"
#include "tests/trainer/tokenizer/bpe_reference.h"
#include "trainer/data/prompts.h"
#include "trainer/tokenizer/bpe.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

/// A tokenizer with the special tokens of all templates.
std::string with_tokens() {
  json tokenizer = json::parse(kLikeSmolLm2);
  std::int64_t id = 1000;
  for (const char* token : {"<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>",
                            "<|eot_id|>", "<s>", "</s>"}) {
    auto added = tokenizer["added_tokens"][0];
    added["id"] = id++;
    added["content"] = token;
    tokenizer["added_tokens"].push_back(added);
  }
  return tokenizer.dump();
}

class HeldOutRows : public testing::Test {
 protected:
  HeldOut load(std::string_view text) {
    options.path = folder.write("heldout.jsonl", text);
    return load_held_out(options, tokenizer);
  }
  std::string refusal(std::string_view text) {
    return test::message_of<DataError>([&] { load(text); });
  }

  test::TempFolder folder;
  BpeTokenizer tokenizer = BpeTokenizer::load(folder.write("tokenizer.json", with_tokens()));
  DataOptions options{.path = {},
                      .rendering = {"chatml", 2, folder.path()},
                      .max_length = 64,
                      .loss_on = "response"};
};

constexpr const char* kChat =
    R"({"id":"a","category":"cats","cluster":"tale","messages":[{"role":"user","content":"hi"},)"
    R"({"role":"assistant","content":"hello"},{"role":"user","content":"the cat"},)"
    R"({"role":"assistant","content":" sat "}]})"
    "\n"
    R"({"prompt":"the rat","response":"ate"})"
    "\n";

TEST_F(HeldOutRows, AreSamplesOfTrainingWithTheirLastAnswerApart) {
  const HeldOut data = load(kChat);
  const Dataset training = load_jsonl(options, tokenizer);
  ASSERT_EQ(data.samples.size(), 2u);
  for (std::size_t row = 0; row < 2; ++row) {
    EXPECT_EQ(data.samples[row].id, training.samples[row].id);
    EXPECT_EQ(data.samples[row].input_ids, training.samples[row].input_ids);
    EXPECT_EQ(data.samples[row].labels, training.samples[row].labels);
  }
  EXPECT_THAT(data.references, ElementsAre(" sat ", "ate"));
  EXPECT_THAT(data.categories, ElementsAre("cats", std::nullopt));
  EXPECT_THAT(data.clusters, ElementsAre("tale", std::nullopt));
  EXPECT_EQ(data.prompts[0],
            tokenizer.encode("<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nhello"
                             "<|im_end|>\n<|im_start|>user\nthe cat<|im_end|>\n"
                             "<|im_start|>assistant\n"));
  EXPECT_EQ(data.prompts[1],
            tokenizer.encode("<|im_start|>user\nthe rat<|im_end|>\n<|im_start|>assistant\n"));
}

// What is asked is what `infer` asks for the same prompt.
TEST_F(HeldOutRows, OfEveryTemplateEndWhereTheAssistantBeginsToSpeak) {
  const std::tuple<const char*, const char*, const char*> rows[] = {
      {"chatml", R"({"prompt":"the cat","response":"sat"})", R"({"prompt":"the cat"})"},
      {"llama3", R"({"prompt":"the cat","response":"sat"})", R"({"prompt":"the cat"})"},
      {"mistral", R"({"prompt":"the cat","response":"sat"})", R"({"prompt":"the cat"})"},
      {"text", R"({"prompt":"the cat","response":"sat"})", R"({"prompt":"the cat"})"},
      {"alpaca", R"({"instruction":"say","input":"the cat","output":"sat"})",
       R"({"instruction":"say","input":"the cat"})"}};
  options.max_length = 500;
  for (const auto& [name, row, prompt] : rows) {
    options.rendering.name = name;
    const HeldOut data = load(row);
    const auto asked =
        load_prompts({folder.write("prompts.jsonl", prompt), options.rendering, 2000}, &tokenizer);
    EXPECT_EQ(data.prompts[0], asked[0].ids) << name;
    EXPECT_THAT(data.references, ElementsAre("sat")) << name;
    // The sample goes on where the prompt ends.
    const auto& ids = data.samples[0].input_ids;
    ASSERT_GT(ids.size(), data.prompts[0].size()) << name;
    EXPECT_TRUE(std::equal(data.prompts[0].begin(), data.prompts[0].end() - 1, ids.begin()))
        << name;
  }
}

TEST_F(HeldOutRows, ThatCannotBeUsedAreNamed) {
  const std::string good = R"({"prompt":"the cat","response":"sat"})";
  const std::pair<std::string, const char*> bad[] = {
      {R"({"messages":[{"role":"user","content":"hi"}]})", "has no labelled token"},
      {R"({"messages":[{"role":"assistant","content":"a"},{"role":"user","content":"hi"}]})",
       "does not end with a message of the assistant"},
      {R"({"messages":[{"role":"assistant","content":"a"}]})",
       "'messages' is no list, or an empty"},
      {R"({"prompt":"the cat"})", "no 'response'"},
      {R"({"prompt":"the cat","response":"sat","category":7})", "category"},
      {R"({"prompt":"the cat","response":"sat","category":""})", "category"},
      {R"({"prompt":"the cat","response":"sat","cluster":[]})", "has a cluster that is no text"},
      {R"({"prompt":"the cat","response":"sat","id":0})", "has the id of line 1"},
      {R"({"prompt":")" + std::string(200, 'x') + R"(","response":"sat"})",
       "more than the max_length 64 of evaluation"}};
  for (const auto& [line, says] : bad) {
    EXPECT_THAT(refusal(good + "\n" + line + "\n"),
                AllOf(HasSubstr("heldout.jsonl:2: "), HasSubstr(says)));
  }
  EXPECT_THAT(refusal(""), HasSubstr("has no rows"));
}

}  // namespace
}  // namespace twinrun::trainer
