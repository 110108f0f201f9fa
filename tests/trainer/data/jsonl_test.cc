#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/temp_folder.h"
#include "tests/trainer/tokenizer/bpe_reference.h"
#include "trainer/data/chat_template.h"
#include "trainer/data/dataset.h"
#include "trainer/tokenizer/bpe.h"

namespace twinrun::trainer {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Jsonl : public testing::Test {
 protected:
  Dataset load(std::string_view text) {
    options.path = folder.write("data.jsonl", text);
    return load_jsonl(options, tokenizer);
  }
  std::string refusal(std::string_view text) {
    return test::message_of<DataError>([&] { load(text); });
  }
  // The text of the labelled tokens, those at position 0 included, with '|' where others lie
  // between.
  std::string labelled(const Sample& sample) {
    std::string text;
    bool inside = false;
    for (std::size_t i = 0; i < sample.labels.size(); ++i) {
      const bool counts = sample.labels[i] != kIgnoreIndex;
      if (counts) {
        EXPECT_EQ(sample.labels[i], sample.input_ids[i]);
        if (!inside && !text.empty()) text += '|';
        text += tokenizer.decode(std::vector{sample.labels[i]});
      }
      inside = counts;
    }
    return text;
  }

  test::TempFolder folder;
  BpeTokenizer tokenizer = BpeTokenizer::load(folder.write("tokenizer.json", kLikeSmolLm2));
  DataOptions options{.path = {},
                      .rendering = {"chatml", 2, folder.path()},
                      .max_length = 1000,
                      .loss_on = "response"};
};

constexpr const char* kTwoTurns =
    R"({"id":"x","category":"c","messages":[{"role":"user","content":"hi"},)"
    R"({"role":"assistant","content":"the cat"},{"role":"user","content":"and?"},)"
    R"({"role":"assistant","content":"sat"}]})";

TEST_F(Jsonl, RendersChatmlAndLabelsEveryAssistantTurnWithItsEnd) {
  const Dataset data = load(kTwoTurns);
  ASSERT_EQ(data.samples.size(), 1u);
  const Sample& sample = data.samples[0];
  EXPECT_EQ(sample.id, protocol::SampleId("x"));
  EXPECT_EQ(tokenizer.decode(sample.input_ids),
            "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nthe cat<|im_end|>\n"
            "<|im_start|>user\nand?<|im_end|>\n<|im_start|>assistant\nsat<|im_end|>\n");
  EXPECT_EQ(labelled(sample), "the cat<|im_end|>|sat<|im_end|>");
}

TEST_F(Jsonl, EncodesTheRenderedTextAsAWhole) {
  // The header's line feed and the white space of the response become one token, as in
  // transformers.
  const Dataset data = load(R"({"prompt":"a","response":"\n\nthe"})");
  EXPECT_EQ(data.samples[0].input_ids,
            tokenizer.encode(
                "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n\n\nthe<|im_end|>\n"));
  EXPECT_THAT(labelled(data.samples[0]), HasSubstr("\nthe<|im_end|>"));
}

TEST_F(Jsonl, KeepsASystemTurnAndAddsNone) {
  const Dataset data =
      load(R"({"messages":[{"role":"system","content":"be"},{"role":"user","content":"a"},)"
           R"({"role":"assistant","content":""}]})");
  EXPECT_THAT(tokenizer.decode(data.samples[0].input_ids),
              testing::StartsWith("<|im_start|>system\nbe<|im_end|>\n<|im_start|>user\n"));
  EXPECT_EQ(labelled(data.samples[0]), "<|im_end|>");
}

TEST_F(Jsonl, TakesPromptAndResponseAsTwoTurns) {
  EXPECT_EQ(tokenizer.decode(load(R"({"prompt":"a","response":"b"})").samples[0].input_ids),
            "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n");
}

TEST_F(Jsonl, TemplateTextEndsWithTheEndToken) {
  options.rendering.name = "text";
  const Dataset data = load(R"({"prompt":"the cat ","response":"sat on"})");
  EXPECT_EQ(tokenizer.decode(data.samples[0].input_ids), "the cat sat on<|im_end|>");
  EXPECT_THAT(labelled(data.samples[0]), testing::EndsWith("sat on<|im_end|>"));
  EXPECT_THAT(labelled(data.samples[0]), testing::Not(HasSubstr("cat")));
  EXPECT_THAT(refusal(kTwoTurns), HasSubstr(":1: has 'messages'"));
  options.rendering.end_token_id.reset();
  EXPECT_THAT(refusal(R"({"prompt":"a","response":"b"})"), HasSubstr("eos_token_id"));
}

TEST_F(Jsonl, LossOnAllLabelsEveryToken) {
  options.loss_on = "all";
  const Dataset data = load(kTwoTurns);
  EXPECT_EQ(data.samples[0].labels, data.samples[0].input_ids);
}

TEST_F(Jsonl, DropsAndCountsWhatIsTooLong) {
  const std::string lines = R"({"prompt":"a","response":"b"})"
                            "\n"
                            R"({"prompt":"a","response":"the cat sat on the mat the cat sat"})"
                            "\n";
  options.max_length = static_cast<std::int64_t>(load(lines).samples[0].input_ids.size());
  const Dataset data = load(lines);
  EXPECT_EQ(data.samples.size(), 1u);
  EXPECT_EQ(data.dropped, 1);
  --options.max_length;
  EXPECT_THAT(refusal(lines), HasSubstr("all 2 samples are longer than max_length"));
}

TEST_F(Jsonl, GivesASampleWithoutIdItsLineNumber) {
  const Dataset data = load(
      "{\"prompt\":\"a\",\"response\":\"b\",\"id\":7}\r\n"
      "{\"prompt\":\"a\",\"response\":\"b\"}\n"
      "{\"prompt\":\"a\",\"response\":\"b\",\"id\":-3}");
  ASSERT_EQ(data.samples.size(), 3u);
  EXPECT_EQ(data.samples[0].id, protocol::SampleId(std::int64_t{7}));
  EXPECT_EQ(data.samples[1].id, protocol::SampleId(std::int64_t{1}));
  EXPECT_EQ(data.samples[2].id, protocol::SampleId(std::int64_t{-3}));
}

TEST_F(Jsonl, NamesTheLineThatIsWrong) {
  const std::string good = R"({"prompt":"a","response":"b"})";
  const std::pair<std::string, const char*> wrong[] = {
      {"{", "not JSON"},
      {"", "is empty"},
      {"[1]", "not a JSON object"},
      {R"({"prompt":"a","prompt":"b","response":"c"})", "twice"},
      {"{\"prompt\":\"\xff\",\"response\":\"b\"}", "not JSON"},
      {R"({"prompt":"\ud800","response":"b"})", "not JSON"},
      {R"({"prompt":"a"})", "no 'response'"},
      {R"({"response":"a"})", "no 'prompt'"},
      {R"({"prompt":1,"response":"b"})", "'prompt' that is no string"},
      {R"({"messages":[]})", "empty"},
      {R"({"messages":"a"})", "no list"},
      {R"({"messages":[1]})", "message 0 is no object"},
      {R"({"messages":[{"role":"bot","content":"a"}]})", "unknown role 'bot'"},
      {R"({"messages":[{"role":"user"}]})", "message 0 has no 'content'"},
      {R"({"messages":[{"role":"user","content":"a","weight":0}]})", "unknown key 'weight'"},
      {R"({"messages":[{"role":"user","content":"a"}]})", "no labelled token"},
      {R"({"messages":[{"role":"assistant","content":"a"}],"prompt":"b"})",
       "has 'prompt' beside 'messages'"},
      {R"({"prompt":"a","response":"b","instruction":"c"})", "has 'instruction'"},
      {R"({"prompt":"a","response":"b","id":0})", "has the id of line 1"},
      {R"({"prompt":"a","response":"b","id":1.5})", "neither a string nor an integer"},
      {R"({"prompt":"a","response":"b","id":9007199254740992})", "neither a string nor an integer"},
      {R"({"prompt":"a","response":"b","id":18446744073709551615})", "neither a string"},
  };
  for (const auto& [line, what] : wrong) {
    EXPECT_THAT(refusal(good + "\n" + line + "\n" + good),
                AllOf(HasSubstr("data.jsonl:2: "), HasSubstr(what)))
        << line;
  }
}

TEST_F(Jsonl, NamesAFileWithoutSamples) {
  EXPECT_THAT(refusal(""), HasSubstr("has no samples"));
  EXPECT_THAT(refusal("version https://git-lfs.github.com/spec/v1\n"),
              HasSubstr("Git LFS pointer"));
  options.path = folder.path() / "none.jsonl";
  EXPECT_THAT(test::message_of<DataError>([&] { load_jsonl(options, tokenizer); }),
              HasSubstr("No such file"));
}

TEST_F(Jsonl, RefusesOptionsItDoesNotKnow) {
  options.rendering.name = "llama4";
  EXPECT_THAT(refusal(kTwoTurns), HasSubstr("unknown template 'llama4'"));
  options.rendering.name = "chatml";
  options.loss_on = "prompt";
  EXPECT_THAT(refusal(kTwoTurns), HasSubstr("unknown loss_on 'prompt'"));
}

TEST_F(Jsonl, ChatmlNeedsItsTokens) {
  tokenizer = BpeTokenizer::load(folder.write("tokenizer.json", kLikeGpt2));
  EXPECT_THAT(refusal(kTwoTurns), HasSubstr("needs the token <|im_start|>"));
}

TEST_F(Jsonl, SurvivesMutatedBytes) {
  const std::string whole = std::string(kTwoTurns) + "\n" + R"({"prompt":"\u00e9","response":"b"})";
  std::mt19937 random(20240609);
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string text = whole;
    for (std::uint32_t changes = 1 + random() % 3; changes > 0; --changes) {
      text[random() % text.size()] =
          random() % 2 ? whole[random() % whole.size()] : static_cast<char>(random());
    }
    refused += refusal(text).empty() ? 0 : 1;
  }
  EXPECT_GT(refused, 500);
  EXPECT_LT(refused, 2000);
}

}  // namespace
}  // namespace twinrun::trainer
