#include "trainer/data/template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "harness/protocol/sha256.h"
#include "tests/temp_folder.h"
#include "tests/trainer/tokenizer/bpe_reference.h"
#include "tests/trainer/tokenizer/made_up_sentencepiece.h"
#include "trainer/data/dataset.h"
#include "trainer/data/folder_template.h"
#include "trainer/data/prompts.h"
#include "trainer/tokenizer/bpe.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

/// A tokenizer with the special tokens of all templates, and a model folder to bend.
class Templates : public testing::Test {
 protected:
  static std::string with_tokens() {
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
  Template named(const std::string& name) const {
    return Template({name, 2, folder.path()}, tokenizer);
  }
  std::string refusal(const std::string& name) const {
    return test::message_of<DataError>([&] { named(name); });
  }
  /// The labelled parts of the text between brackets.
  static std::string marked(const RenderedSample& sample) {
    std::string text = sample.text;
    for (auto range = sample.labelled.rbegin(); range != sample.labelled.rend(); ++range) {
      text.insert(range->end, "}").insert(range->begin, "{");
    }
    return text;
  }
  std::string sample(const std::string& name, const char* line) const {
    return marked(named(name).sample(json::parse(line)));
  }
  std::string wrong(const std::string& name, const char* line, bool prompt = false) const {
    const auto object = json::parse(line);
    const auto made = named(name);
    return test::message_of<LineError>([&] {
      if (prompt) {
        made.prompt(object);
      } else {
        made.sample(object);
      }
    });
  }

  test::TempFolder folder;
  BpeTokenizer tokenizer = BpeTokenizer::load(folder.write("tokenizer.json", with_tokens()));
};

constexpr const char* kFourTurns =
    R"({"messages":[{"role":"system","content":"be"},{"role":"user","content":" hi "},)"
    R"({"role":"assistant","content":"\u2003the cat\n"},{"role":"user","content":"and?"},)"
    R"({"role":"assistant","content":"sat"}]})";

TEST_F(Templates, Llama3TrimsContentsAsPythonDoes) {
  EXPECT_EQ(sample("llama3", kFourTurns),
            "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nbe<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n{the cat<|eot_id|>}"
            "<|start_header_id|>user<|end_header_id|>\n\nand?<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n{sat<|eot_id|>}");
  EXPECT_EQ(named("llama3").prompt(json::parse(R"({"prompt":"\u3000\t"})")).text,
            "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n");
}

TEST_F(Templates, MistralPutsTheSystemMessageBeforeTheFirstQuestion) {
  EXPECT_EQ(sample("mistral", kFourTurns),
            "<s> [INST] be\n\n hi  [/INST]{ \u2003the cat\n</s>} [INST] and? [/INST]{ sat</s>}");
  EXPECT_EQ(sample("mistral", R"({"prompt":"a","response":"b"})"), "<s> [INST] a [/INST]{ b</s>}");
  EXPECT_EQ(named("mistral").prompt(json::parse(R"({"prompt":"a"})")).text, "<s> [INST] a [/INST]");
}

TEST_F(Templates, MistralRefusesRolesThatDoNotTakeTurns) {
  const std::pair<const char*, const char*> lines[] = {
      {R"({"messages":[{"role":"assistant","content":"a"}]})", "message 0 is of role 'assistant'"},
      {R"({"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]})",
       "message 1 is of role 'user', template mistral needs 'assistant'"},
      {R"({"messages":[{"role":"user","content":"a"},{"role":"system","content":"b"}]})",
       "message 1 is of role 'system'"},
      {R"({"messages":[{"role":"system","content":"a"},{"role":"assistant","content":"b"}]})",
       "message 1 is of role 'assistant', template mistral needs 'user'"},
      {R"({"messages":[{"role":"system","content":"a"}]})", "a system message alone"}};
  for (const auto& [line, what] : lines) EXPECT_THAT(wrong("mistral", line), HasSubstr(what));
  EXPECT_THAT(wrong("mistral", lines[4].first, /*prompt=*/true), HasSubstr("alone"));
}

TEST_F(Templates, AlpacaIsThePublishedTextWithInputAndWithout) {
  EXPECT_EQ(
      sample("alpaca", R"({"instruction":"Add.","input":"1 2","output":"3","text":"passed over"})"),
      "Below is an instruction that describes a task, paired with an input that provides further "
      "context. Write a response that appropriately completes the request.\n\n### Instruction:\n"
      "Add.\n\n### Input:\n1 2\n\n### Response:{3}");
  const std::string without =
      "Below is an instruction that describes a task. Write a response that appropriately "
      "completes the request.\n\n### Instruction:\nSing.\n\n### Response:";
  EXPECT_EQ(sample("alpaca", R"({"instruction":"Sing.","output":"La"})"), without + "{La}");
  EXPECT_EQ(sample("alpaca", R"({"instruction":"Sing.","input":"","output":"La"})"),
            without + "{La}");
  EXPECT_EQ(named("alpaca").prompt(json::parse(R"({"instruction":"Sing."})")).text, without);
  EXPECT_EQ(named("alpaca").sample(json::parse(R"({"instruction":"a","output":"b"})")).end_token_id,
            2);
}

TEST_F(Templates, FieldsOfAnotherTemplateAreRefused) {
  EXPECT_THAT(wrong("alpaca", R"({"prompt":"a","response":"b"})"), HasSubstr("has 'prompt'"));
  EXPECT_THAT(wrong("alpaca", R"({"instruction":"a"})"), HasSubstr("no 'output'"));
  EXPECT_THAT(wrong("alpaca", R"({"output":"a"})"), HasSubstr("no 'instruction'"));
  EXPECT_THAT(wrong("alpaca", R"({"instruction":"a","input":1,"output":"b"})"),
              HasSubstr("'input' that is no string"));
  EXPECT_THAT(wrong("llama3", R"({"instruction":"a","output":"b"})"),
              HasSubstr("has 'instruction'; template llama3 takes 'messages'"));
  EXPECT_THAT(wrong("text", kFourTurns), HasSubstr("has 'messages'"));
  for (const char* field : {"instruction", "input", "output"}) {
    for (const char* name : {"chatml", "llama3", "mistral", "text"}) {
      json line = {{"prompt", "a"}, {"response", "b"}, {field, "c"}};
      EXPECT_THAT(wrong(name, line.dump().c_str()), HasSubstr("has '" + std::string(field) + "'; "))
          << name;
      if (name == std::string("text")) continue;
      line = json::parse(kFourTurns);
      line[field] = "c";
      EXPECT_THAT(wrong(name, line.dump().c_str()),
                  HasSubstr("has '" + std::string(field) + "' beside 'messages'; "))
          << name;
    }
  }
}

TEST_F(Templates, AnAnswerEndsWithTheTokenThatEndsATurn) {
  const auto stop = [&](const char* name) {
    return stop_token({name, 2, folder.path()}, &tokenizer);
  };
  EXPECT_EQ(stop("llama3"), tokenizer.token_id("<|eot_id|>"));
  EXPECT_EQ(stop("mistral"), tokenizer.token_id("</s>"));
  EXPECT_EQ(stop("alpaca"), 2);
}

TEST_F(Templates, NamesTheTokenThatTheTokenizerLacks) {
  tokenizer = BpeTokenizer::load(folder.write("tokenizer.json", kLikeSmolLm2));
  EXPECT_THAT(refusal("llama3"),
              AllOf(HasSubstr("needs the token <|begin_of_text|>"),
                    HasSubstr(folder.path().string()), HasSubstr("template: text")));
  EXPECT_THAT(refusal("mistral"), HasSubstr("needs the token <s>"));
}

// As in tokenizer_config.json of ChatML models; the digest of what Jinja reads is known.
constexpr const char* kChatml =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
    "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' "
    "}}{% endif %}";

TEST_F(Templates, TheModelsOwnTemplateHasToBeTheOneThatIsNamed) {
  const auto config = [&](const json& own) {
    folder.write("tokenizer_config.json", json{{"chat_template", own}}.dump());
  };
  const std::string escaped =
      std::string(kChatml).replace(std::string(kChatml).find('\n'), 1, "\\n");
  const std::string with_default =
      "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}"
      "{% endif %}" +
      std::string(kChatml);
  for (const json& own :
       {json(kChatml), json(escaped), json(std::string(kChatml) + "\n"), json(with_default),
        json{{{"name", "rag"}, {"template", "other"}},
             {{"name", "default"}, {"template", kChatml}}}}) {
    config(own);
    EXPECT_EQ(refusal("chatml"), "");
    EXPECT_THAT(refusal("llama3"),
                AllOf(HasSubstr("tokenizer_config.json"), HasSubstr("is `chatml`, not `llama3`")));
  }
  for (const char* name : {"alpaca", "text"}) EXPECT_EQ(refusal(name), "");
  config("{{ messages }}");
  EXPECT_THAT(refusal("chatml"), AllOf(HasSubstr("not known to give the same as `chatml`"),
                                       HasSubstr("use `template: text`")));
  folder.write("chat_template.jinja", kChatml);
  EXPECT_EQ(refusal("chatml"), "");
  folder.write("chat_template.jinja", "{{ other }}");
  EXPECT_THAT(refusal("chatml"), HasSubstr("chat_template.jinja: the model's own"));
  std::filesystem::remove(folder.path() / "chat_template.jinja");
  for (const json& own : {json(1), json::array({1}), json::array()}) {
    config(own);
    EXPECT_THAT(refusal("chatml"), HasSubstr("chat_template is neither text nor a list"));
  }
  folder.write("tokenizer_config.json", "{");
  EXPECT_THAT(refusal("chatml"), HasSubstr("tokenizer_config.json: "));
  std::filesystem::remove(folder.path() / "tokenizer.json");
  EXPECT_THAT(refusal("text"), HasSubstr("tokenizer_config.json: "));
}

TEST(KnownTemplates, NameABuiltInOneAndTheTokensThatItWrites) {
  std::set<std::string_view> digests;
  for (const KnownTemplate& known : known_templates()) {
    const ChatTemplate* built_in = find_chat_template(known.name);
    ASSERT_NE(built_in, nullptr) << known.name;
    EXPECT_THAT(std::string(known.sha256), MatchesRegex("[0-9a-f]{64}"));
    digests.insert(known.sha256);
    for (const std::string_view token : {known.bos, known.eos}) {
      EXPECT_TRUE(token.empty() || std::ranges::count(built_in->tokens, token) == 1) << token;
    }
    EXPECT_TRUE(known.eos.empty() || known.eos == built_in->turn_end) << known.eos;
    const std::vector<Turn> turns = {{"user", "a"}, {"assistant", "b"}};
    EXPECT_THAT(built_in->render(turns).text, StartsWith(std::string(known.bos)));
  }
  EXPECT_EQ(digests.size(), 5u);
}

TEST(KnownTemplates, WriteTheTokensThatTheFolderNames) {
  const std::string digest = protocol::to_hex(protocol::sha256("{{ bos_token }}"));
  const KnownTemplate known[] = {{digest, "mistral", "<s>", "</s>"}};
  test::TempFolder folder;
  folder.write("chat_template.jinja", "{{ bos_token }}\n");
  const auto refusal = [&](const json& config) {
    folder.write("tokenizer_config.json", config.dump());
    return test::message_of<DataError>(
        [&] { require_template_of_folder(folder.path(), "mistral", known); });
  };
  EXPECT_EQ(refusal(json::object()), "");
  EXPECT_EQ(refusal({{"bos_token", nullptr}, {"eos_token", "</s>"}}), "");
  EXPECT_EQ(refusal({{"bos_token", {{"content", "<s>"}}}, {"eos_token", {{"content", "</s>"}}}}),
            "");
  EXPECT_THAT(refusal({{"bos_token", "<|begin|>"}, {"eos_token", "</s>"}}),
              AllOf(HasSubstr("tokenizer_config.json: bos_token is <|begin|>"),
                    HasSubstr("`mistral` has <s>"), HasSubstr("use `template: text`")));
  EXPECT_THAT(refusal({{"bos_token", "<s>"}, {"eos_token", {{"content", "<|end|>"}}}}),
              AllOf(HasSubstr("eos_token is <|end|>"), HasSubstr("`mistral` has </s>")));
}

TEST_F(Templates, TextBeginsWithTheTokenThatTheTokenizerPutsFirst) {
  const auto begins = [&](const json& config, const json& processor) {
    json file = json::parse(with_tokens());
    file["post_processor"] = processor;
    folder.write("tokenizer.json", file.dump());
    folder.write("tokenizer_config.json", config.dump());
    const auto made = named("text");
    const auto prompt = made.prompt({{"prompt", "a"}});
    EXPECT_EQ(prompt.begin_token_id.has_value(), !made.begin_token().empty());
    // The same ids as of the text: a byte-level tokenizer puts no space before a word.
    EXPECT_EQ(tokenize(prompt, tokenizer).ids, tokenizer.encode(made.begin_token() + "a"));
    return made.begin_token() + prompt.text;
  };
  const json single = {{"type", "TemplateProcessing"},
                       {"single", {{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}}}}};
  const json sequence = {{"type", "Sequence"}, {"processors", {{{"type", "ByteLevel"}}, single}}};
  EXPECT_EQ(begins({{"bos_token", "<s>"}}, nullptr), "a");
  EXPECT_EQ(begins({{"bos_token", "<s>"}}, single), "<s>a");
  EXPECT_EQ(begins({{"bos_token", {{"content", "<s>"}}}}, sequence), "<s>a");
  EXPECT_EQ(begins(json::object(), single), "<s>a");
  // Where there is a tokenizer.json, nothing else counts.
  EXPECT_EQ(begins({{"bos_token", "<s>"}, {"add_bos_token", false}}, single), "<s>a");
  EXPECT_EQ(begins({{"bos_token", "<s>"}, {"add_bos_token", true}}, nullptr), "a");
  EXPECT_EQ(begins({{"bos_token", "<s>"}, {"tokenizer_class", "LlamaTokenizer"}}, nullptr), "a");

  // Rendered elsewhere it may be there already.
  begins(json::object(), single);
  EXPECT_EQ(sample("text", R"({"prompt":"<s>a","response":"b"})"), "<s>a{b}");
  const auto begin = tokenizer.token_id("<s>");
  EXPECT_EQ(named("text").sample({{"prompt", "<s>a"}, {"response", "b"}}).begin_token_id,
            std::nullopt);
  EXPECT_EQ(sample("text", R"({"prompt":"a","response":"b"})"), "a{b}");
  EXPECT_EQ(named("text").sample({{"prompt", ""}, {"response", "<s>"}}).begin_token_id, begin);
  EXPECT_EQ(named("alpaca").sample({{"instruction", "a"}, {"output", "b"}}).begin_token_id, begin);
  EXPECT_EQ(named("mistral").sample({{"prompt", "a"}, {"response", "b"}}).begin_token_id,
            std::nullopt);
  EXPECT_EQ(begin_token({"mistral", 2, folder.path()}), "");

  std::filesystem::remove(folder.path() / "tokenizer.json");
  const auto alone = [&](const char* config) {
    folder.write("tokenizer_config.json", config);
    return begin_token({"text", 2, folder.path()});
  };
  EXPECT_EQ(alone(R"({"bos_token":"<s>","add_bos_token":true})"), "<s>");
  EXPECT_EQ(alone(R"({"bos_token":{"content":"<s>"},"add_bos_token":true})"), "<s>");
  EXPECT_EQ(alone(R"({"bos_token":"<s>","add_bos_token":false})"), "");
  EXPECT_EQ(alone(R"({"bos_token":"<s>","tokenizer_class":"LlamaTokenizer"})"), "");
  EXPECT_EQ(alone(R"({"add_bos_token":true})"), "");
  EXPECT_EQ(alone(R"({"bos_token":"<bos>","add_bos_token":true})"), "<bos>");
  EXPECT_THAT(refusal("text"), HasSubstr("texts begin with <bos>, which is no token"));
}

// As transformers' LlamaTokenizer(legacy=False, add_bos_token=True), whose "<s>h" without
// add_special_tokens has no space before the h.
TEST(BeginToken, LeavesTheSpaceBeforeTheFirstWordOfSentencePiece) {
  test::TempFolder folder;
  folder.write("tokenizer.model", made_up_mistral().bytes());
  folder.write("tokenizer_config.json",
               R"({"tokenizer_class":"LlamaTokenizer","bos_token":"<s>","add_bos_token":true})");
  const auto tokenizer = load_tokenizer(folder.path());
  constexpr std::int64_t kBegin = 1, kEnd = 2, kSpaceHello = 265, kSpace = 267, kO = 271, kW = 272;
  const TemplateOptions options{"text", kEnd, folder.path()};
  const auto sample = [&](const char* prompt) {
    const json line = {{"prompt", prompt}, {"response", " hello"}};
    return tokenize(Template(options, *tokenizer).sample(line), *tokenizer);
  };
  EXPECT_THAT(sample("w").ids, ElementsAre(kBegin, kSpace, kW, kSpaceHello, kEnd));
  EXPECT_THAT(sample("w").labelled, ElementsAre(false, false, false, true, true));
  EXPECT_THAT(sample("<s>w").ids, ElementsAre(kBegin, kW, kSpaceHello, kEnd));
  EXPECT_THAT(sample("<s>w").labelled, ElementsAre(false, false, true, true));

  const auto file = folder.write("prompts.jsonl", "{\"prompt\":\"w\"}\n{\"prompt\":\"<s>w\"}\n");
  const auto prompts = load_prompts({file, options, tokenizer->vocab_size()}, tokenizer.get());
  EXPECT_THAT(prompts[0].ids, ElementsAre(kBegin, kSpace, kW));
  EXPECT_THAT(prompts[1].ids, ElementsAre(kBegin, kW));
  for (const Prompt& prompt : prompts) {
    EXPECT_EQ(prompt.text, "<s>w");
    EXPECT_TRUE(are_ids_of(*prompt.text, prompt.ids, begin_token(options), *tokenizer));
  }
  EXPECT_FALSE(are_ids_of("<s>w", prompts[0].ids, "", *tokenizer));
  EXPECT_FALSE(are_ids_of("w", prompts[0].ids, "<s>", *tokenizer));
  EXPECT_FALSE(are_ids_of("<s>w", {kBegin, kSpace, kO}, "<s>", *tokenizer));
}

}  // namespace
}  // namespace twinrun::trainer
