#include "trainer/data/prompts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/temp_folder.h"
#include "tests/trainer/tokenizer/bpe_reference.h"
#include "trainer/data/dataset.h"
#include "trainer/tokenizer/bpe.h"

namespace twinrun::trainer {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Prompts : public testing::Test {
 protected:
  std::vector<Prompt> load(std::string_view text, bool with_tokenizer = true) {
    options.path = folder.write("prompts.jsonl", text);
    return load_prompts(options, with_tokenizer ? &tokenizer : nullptr);
  }
  std::string refusal(std::string_view text, bool with_tokenizer = true) {
    return test::message_of<DataError>([&] { load(text, with_tokenizer); });
  }

  test::TempFolder folder;
  BpeTokenizer tokenizer = BpeTokenizer::load(folder.write("tokenizer.json", kLikeSmolLm2));
  PromptOptions options{
      .path = {}, .rendering = {"chatml", 2, folder.path()}, .vocab_size = tokenizer.vocab_size()};
};

TEST_F(Prompts, ChatmlEndsWhereTheAssistantBeginsToSpeak) {
  const auto prompts =
      load(R"({"id":"x","category":"c","messages":[{"role":"system","content":"be"},)"
           R"({"role":"user","content":"hi"}]})"
           "\n"
           R"({"prompt":"the cat"})"
           "\n");
  ASSERT_EQ(prompts.size(), 2U);
  EXPECT_EQ(prompts[0].id, protocol::SampleId("x"));
  EXPECT_EQ(prompts[0].text,
            "<|im_start|>system\nbe<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n"
            "<|im_start|>assistant\n");
  EXPECT_EQ(prompts[0].ids, tokenizer.encode(*prompts[0].text));
  EXPECT_EQ(prompts[1].id, protocol::SampleId(std::int64_t{1}));
  EXPECT_EQ(prompts[1].text, "<|im_start|>user\nthe cat<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(stop_token(options.rendering, &tokenizer), tokenizer.token_id("<|im_end|>"));
}

TEST_F(Prompts, TemplateTextIsThePromptItself) {
  options.rendering.name = "text";
  const auto prompts = load(R"({"prompt":"the cat"})");
  EXPECT_EQ(prompts[0].text, "the cat");
  EXPECT_EQ(prompts[0].ids, tokenizer.encode("the cat"));
  EXPECT_EQ(stop_token(options.rendering, &tokenizer), 2);
}

TEST_F(Prompts, IdsAreTakenAsTheyAreWithATokenizerOrWithout) {
  for (const bool with_tokenizer : {true, false}) {
    const auto prompts = load(R"({"ids":[3,0,3]})", with_tokenizer);
    EXPECT_EQ(prompts[0].ids, (std::vector<std::int64_t>{3, 0, 3}));
    EXPECT_FALSE(prompts[0].text);
  }
  EXPECT_EQ(stop_token(options.rendering, nullptr), 2);
}

TEST_F(Prompts, RefusesWithFileAndLine) {
  const std::string good = R"({"prompt":"a"})";
  const std::pair<const char*, const char*> wrong[] = {
      {"", "is empty"},
      {"[]", "not a JSON object"},
      {R"({"prompt":"a","prompt":"b"})", "twice"},
      {R"({"prompt":5})", "'prompt' that is no string"},
      {R"({"id":3})", "has no prompt; template chatml takes 'messages', 'prompt' or 'ids'"},
      {R"({"prompt":"a","ids":[1]})", "has 'prompt' beside 'ids'"},
      {R"({"ids":[1],"output":"b"})", "has 'output'"},
      {R"({"prompt":"a","response":"b"})", "has 'response'"},
      {R"({"prompt":"a","output":"b"})", "has 'output'"},
      {R"({"instruction":"a"})", "has 'instruction'; template chatml takes"},
      {R"({"prompt":"a","input":"b"})", "has 'input'; template chatml takes"},
      {R"({"messages":[{"role":"user","content":"a"}],"instruction":"b"})",
       "has 'instruction' beside 'messages'"},
      {R"({"messages":[]})", "empty"},
      {R"({"messages":[{"role":"bot","content":"a"}]})", "unknown role"},
      {R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]})",
       "nothing to answer"},
      {R"({"ids":[]})", "no token"},
      {R"({"ids":"1"})", "no list"},
      {R"({"ids":[1,1.5]})", "holds 1.5"},
      {R"({"ids":[true]})", "holds true"},
      {R"({"ids":[-1]})", "outside the model's vocab_size"},
      {R"({"ids":[99999]})", "id 99999 lies outside"},
      {R"({"ids":[18446744073709551615]})", "outside the model's vocab_size"},
      {R"({"prompt":"a","id":0})", "has the id of line 1"},
      {R"({"prompt":"a","id":1.5})", "neither a string nor an integer"},
  };
  for (const auto& [line, what] : wrong) {
    EXPECT_THAT(refusal(good + "\n" + line + "\n"),
                AllOf(HasSubstr("prompts.jsonl:2: "), HasSubstr(what)))
        << line;
  }
}

TEST_F(Prompts, RefusesTextWithoutATokenizerAndFilesWithoutPrompts) {
  EXPECT_THAT(refusal(R"({"prompt":"a"})", /*with_tokenizer=*/false), HasSubstr("no tokenizer"));
  EXPECT_THAT(refusal(""), HasSubstr("has no prompts"));
  options.path = folder.path() / "none.jsonl";
  EXPECT_THAT(test::message_of<DataError>([&] { load_prompts(options, &tokenizer); }),
              HasSubstr("No such file"));
  options.rendering.name = "text";
  options.rendering.end_token_id.reset();
  EXPECT_THAT(refusal(R"({"prompt":"a"})"), HasSubstr("needs an eos_token_id"));
  EXPECT_THAT(refusal(R"({"prompt":""})"), HasSubstr("eos_token_id"));
}

}  // namespace
}  // namespace twinrun::trainer
