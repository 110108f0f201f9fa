#include "trainer/tokenizer/sentencepiece.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "tests/temp_folder.h"
#include "tests/trainer/tokenizer/bpe_reference.h"
#include "tests/trainer/tokenizer/made_up_sentencepiece.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

using Model = MadeUpSentencePiece;

// Ids of made_up_mistral().
constexpr std::int64_t kUnk = 0, kBegin = 1, kEnd = 2, kInst = 3, kInstEnd = 4, kByte0 = 5;
constexpr std::int64_t kSpaceH = 261, kEl = 262, kLo = 263, kSpaceHello = 265, kTwoSpaces = 266,
                       kSpace = 267, kH = 268, kO = 271, kW = 272, kR = 273, kAccent = 276;

class SentencePiece : public testing::Test {
 protected:
  /// A space that was there is taken for the one that is put there.
  static std::string without_space(const std::string& text) {
    return text.starts_with(' ') ? text.substr(1) : text;
  }
  std::unique_ptr<const Tokenizer> load() {
    folder.write("tokenizer.model", model.bytes());
    json all = {{"tokenizer_class", "LlamaTokenizer"}};
    all.update(config);
    folder.write("tokenizer_config.json", all.dump());
    return load_tokenizer(folder.path());
  }
  std::string refusal() {
    return test::message_of<TokenizerError>([&] { load(); });
  }
  // The same with an added token; without flags it is a plain one.
  std::string refusal_with_added(const char* id, json token) {
    config = {{"added_tokens_decoder", {{id, std::move(token)}}}};
    return refusal();
  }

  test::TempFolder folder;
  Model model = made_up_mistral();
  json config = json::object();
};

/// The steps of a tokenizer.json that transformers converted from a SentencePiece model.
const json kPrepend = {{"type", "Prepend"}, {"prepend", "\u2581"}};
const json kReplace = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\u2581"}};
json sequence(const json& steps) { return {{"type", "Sequence"}, {"normalizers", steps}}; }
json metaspace(const char* scheme) {
  return {{"type", "Metaspace"},
          {"replacement", "\u2581"},
          {"prepend_scheme", scheme},
          {"split", false}};
}

TEST_F(SentencePiece, EncodesWithASpaceBeforeTheText) {
  const auto tokenizer = load();
  EXPECT_THAT(tokenizer->encode("hello"), ElementsAre(kSpaceHello));
  EXPECT_THAT(tokenizer->encode(" hello"), ElementsAre(kSpaceHello));
  EXPECT_THAT(tokenizer->encode("or"), ElementsAre(kSpace, kO, kR));
  EXPECT_THAT(tokenizer->encode(""), ElementsAre());
  EXPECT_THAT(tokenizer->encode("  "), ElementsAre(kTwoSpaces));
  EXPECT_THAT(tokenizer->encode("\u2581h"), ElementsAre(kSpaceH));
}

TEST_F(SentencePiece, FindsControlSymbolsInTheText) {
  const auto tokenizer = load();
  EXPECT_THAT(tokenizer->encode("<s>[INST] hello[/INST]hello</s>"),
              ElementsAre(kBegin, kInst, kSpaceHello, kInstEnd, kH, kEl, kLo, kEnd));
  EXPECT_THAT(tokenizer->encode("<unk>"), ElementsAre(kUnk));
  EXPECT_THAT(tokenizer->encode("[INS"),
              ElementsAre(kSpace, kByte0 + '[', kByte0 + 'I', kByte0 + 'N', kByte0 + 'S'));
}

TEST_F(SentencePiece, PutsTheSpaceWhereTheConfigurationSays) {
  config = {{"legacy", false}};
  EXPECT_THAT(load()->encode("w<s>w<s> h"), ElementsAre(kSpace, kW, kBegin, kW, kBegin, kSpaceH));
  config = {{"legacy", true}};
  EXPECT_THAT(load()->encode("w<s>w<s> h"),
              ElementsAre(kSpace, kW, kBegin, kSpace, kW, kBegin, kSpaceH));
  config = {{"legacy", true}, {"add_prefix_space", false}};
  EXPECT_THAT(load()->encode("w<s>w<s> h"), ElementsAre(kW, kBegin, kW, kBegin, kSpaceH));
  EXPECT_EQ(load()->decode(std::vector{kSpace, kW}), " w");
  config = {{"legacy", "yes"}};
  EXPECT_THAT(refusal(), AllOf(HasSubstr("tokenizer_config.json"), HasSubstr("legacy")));
}

// Which transformers reads without LlamaTokenizer, so without `legacy`.
TEST_F(SentencePiece, AnotherClassOrAMistralModelPutsTheSpaceAsItsTokenizerJsonSays) {
  const auto ids = [&](const json& normalizer, const json& pre_tokenizer) {
    const json file = {{"model", {{"byte_fallback", true}, {"vocab", {{"<s>", kBegin}}}}},
                       {"normalizer", normalizer},
                       {"pre_tokenizer", pre_tokenizer},
                       {"added_tokens", json::array()}};
    folder.write("tokenizer.json", file.dump());
    return load()->encode("w<s>w<s> h");
  };
  for (const char* kind : {"LlamaTokenizer", "TokenizersBackend"}) {
    config = {{"tokenizer_class", kind}, {"legacy", true}};
    folder.write("config.json",
                 kind == std::string("LlamaTokenizer") ? R"({"model_type":"mistral"})" : "{}");
    std::filesystem::remove(folder.path() / "tokenizer.json");
    EXPECT_THAT(load()->encode("w<s> h"), ElementsAre(kW, kBegin, kSpaceH));
    EXPECT_THAT(ids(sequence({kPrepend, kReplace}), nullptr),
                ElementsAre(kSpace, kW, kBegin, kSpace, kW, kBegin, kSpace, kSpaceH));
    EXPECT_THAT(ids(nullptr, metaspace("always")),
                ElementsAre(kSpace, kW, kBegin, kSpace, kW, kBegin, kSpaceH));
    EXPECT_THAT(ids(nullptr, metaspace("first")),
                ElementsAre(kSpace, kW, kBegin, kW, kBegin, kSpaceH));
    for (const json& none : {kReplace, sequence(json::array({kReplace}))}) {
      EXPECT_THAT(ids(none, nullptr), ElementsAre(kW, kBegin, kW, kBegin, kSpaceH));
    }
    EXPECT_THAT(ids(nullptr, metaspace("never")), ElementsAre(kW, kBegin, kW, kBegin, kSpaceH));
  }
  folder.write("config.json", R"({"model_type":"llama"})");
  config = {{"legacy", true}};
  EXPECT_THAT(ids(sequence({kPrepend, kReplace}), nullptr),
              ElementsAre(kSpace, kW, kBegin, kSpace, kW, kBegin, kSpaceH));
}

TEST_F(SentencePiece, RefusesStepsOfATokenizerJsonThatAreNotBuilt) {
  json file = {{"model", {{"byte_fallback", true}, {"vocab", {{"<s>", kBegin}}}}},
               {"added_tokens", {{{"id", kBegin}, {"content", "<s>"}, {"normalized", true}}}}};
  const auto refused = [&](const json& normalizer, const json& pre_tokenizer) {
    config = {{"tokenizer_class", "TokenizersBackend"}};
    file["normalizer"] = normalizer;
    file["pre_tokenizer"] = pre_tokenizer;
    folder.write("tokenizer.json", file.dump());
    return refusal();
  };
  json splits = metaspace("first");
  splits["split"] = true;
  for (const json& pre_tokenizer : {json(), splits, metaspace("second")}) {
    EXPECT_THAT(refused(nullptr, pre_tokenizer),
                AllOf(HasSubstr("tokenizer.json: "), HasSubstr("'pre_tokenizer' is ")));
  }
  EXPECT_THAT(refused(kReplace, metaspace("first")), HasSubstr("'pre_tokenizer' is "));
  for (const json& normalizer : {kPrepend, sequence({kReplace, kPrepend}), json("NFC")}) {
    EXPECT_THAT(refused(normalizer, nullptr), HasSubstr("'normalizer' is "));
  }
  EXPECT_THAT(refused(sequence({kPrepend, kReplace}), nullptr),
              HasSubstr("added_tokens[0].normalized"));
  EXPECT_EQ(refused(kReplace, nullptr), "");
}

// As spm_train leaves it with --self_test_sample_size.
TEST_F(SentencePiece, SelfTestDataChangeNothing) {
  model.add_self_test("hello", "\u2581hello");
  model.add_self_test("w", "\u2581 w");
  EXPECT_THAT(load()->encode("w<s>w"), ElementsAre(kSpace, kW, kBegin, kW));
  model.add_self_test("w", "w");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("tokenizer.model: "), HasSubstr("elf-test")));
}

TEST_F(SentencePiece, UserDefinedSymbolsAreFoundInTheText) {
  model.add("[USR]", Model::kUserDefined);
  const auto tokenizer = load();
  EXPECT_THAT(tokenizer->encode("[USR]w[USR] h"), ElementsAre(277, kW, 277, kSpaceH));
  config = {{"legacy", true}};
  EXPECT_THAT(load()->encode("[USR]w[USR] h"), ElementsAre(277, kSpace, kW, 277, kSpaceH));
}

TEST_F(SentencePiece, TakesAddedTokensOfTheConfiguration) {
  config = {{"added_tokens_decoder",
             {{"1", {{"content", "<s>"}, {"rstrip", true}}},
              {"277", {{"content", "<pad>"}, {"lstrip", true}}}}}};
  const auto tokenizer = load();
  EXPECT_THAT(tokenizer->encode("<s>  w <pad><s>"), ElementsAre(kBegin, kW, 277, kBegin));
  EXPECT_EQ(tokenizer->vocab_size(), 278);
  EXPECT_EQ(tokenizer->token_id("<pad>"), 277);
  EXPECT_EQ(tokenizer->decode(std::vector<std::int64_t>{277, kSpace, kW}), "<pad> w");
}

TEST_F(SentencePiece, KnowsItsTokensAndItsSize) {
  const auto tokenizer = load();
  EXPECT_EQ(tokenizer->vocab_size(), kAccent + 1);
  EXPECT_EQ(tokenizer->token_id("[INST]"), kInst);
  EXPECT_EQ(tokenizer->token_id("\u2581hello"), kSpaceHello);
  EXPECT_EQ(tokenizer->token_id("<unk>"), kUnk);
  EXPECT_EQ(tokenizer->token_id("nowhere"), std::nullopt);
}

TEST_F(SentencePiece, DecodesWhatItEncodes) {
  const auto tokenizer = load();
  for (const std::string text :
       {"", "hello", "  hello  ", "<s>hello</s>", "na\u00efve \u4f60\n", "\t"}) {
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), without_space(text));
  }
  EXPECT_THROW(tokenizer->decode(std::vector<std::int64_t>{277}), TokenizerError);
  EXPECT_THROW(tokenizer->decode(std::vector<std::int64_t>{-1}), TokenizerError);
  EXPECT_EQ(tokenizer->decode_known(std::vector<std::int64_t>{-1, kSpaceHello, 277}), "hello");
}

TEST_F(SentencePiece, OffsetsAreBytesOfTheText) {
  const auto tokenizer = load();
  // A space of its own, two bytes of one character, a control symbol, a piece with its space.
  const auto tokens = tokenizer->encode_with_offsets("\u4f60</s> hello");
  std::vector<std::pair<std::size_t, std::size_t>> offsets;
  for (const EncodedToken& token : tokens) offsets.emplace_back(token.begin, token.end);
  using Range = std::pair<std::size_t, std::size_t>;
  EXPECT_THAT(offsets, ElementsAre(Range{0, 0}, Range{0, 3}, Range{0, 3}, Range{0, 3}, Range{3, 7},
                                   Range{7, 13}));
}

TEST_F(SentencePiece, RefusesByNameWhatIsNotBuilt) {
  const auto number = Model::number_field;
  const std::tuple<const char*, std::string, std::string> refused[] = {
      {"trainer_spec.model_type", number(3, 1), ""},
      {"trainer_spec.treat_whitespace_as_suffix", number(24, 1), ""},
      {"trainer_spec.byte_fallback", number(35, 0), ""},
      {"normalizer_spec.precompiled_charsmap", "", Model::text_field(2, "x")},
      {"normalizer_spec.add_dummy_prefix", "", number(3, 0)},
      {"normalizer_spec.remove_extra_whitespaces", "", number(4, 1)},
      {"normalizer_spec.escape_whitespaces", "", number(5, 0)},
  };
  for (const auto& [field, trainer, normalizer] : refused) {
    model = made_up_mistral();
    model.trainer_spec += trainer;
    model.normalizer_spec += normalizer;
    EXPECT_THAT(refusal(), AllOf(HasSubstr("tokenizer.model: "), HasSubstr(field)));
  }
  // The defaults are not what is built either.
  model.normalizer_spec.clear();
  EXPECT_THAT(refusal(), HasSubstr("remove_extra_whitespaces"));
}

TEST_F(SentencePiece, RefusesAddedTokensThatClash) {
  EXPECT_EQ(refusal_with_added("277", {{"content", "<pad>"}}), "");
  EXPECT_THAT(refusal_with_added("276", {{"content", "<pad>"}}),
              AllOf(HasSubstr("tokenizer_config.json: "), HasSubstr("added_tokens_decoder.276")));
  EXPECT_THAT(refusal_with_added("277", {{"content", "<s>"}}), HasSubstr("277"));
  for (const char* id : {"0277", "-1", "x", "", "4294967296", "99999999999999999999"}) {
    EXPECT_THAT(refusal_with_added(id, {{"content", "<pad>"}}), HasSubstr("no number below 2^31"));
  }
  EXPECT_THAT(refusal_with_added("277", {{"content", ""}}), HasSubstr("content"));
  EXPECT_THAT(refusal_with_added("277", {{"content", " x"}, {"rstrip", true}}),
              HasSubstr("rstrip"));
  EXPECT_THAT(refusal_with_added("277", {{"content", "x"}, {"single_word", true}}),
              HasSubstr("single_word"));
  EXPECT_THAT(refusal_with_added("277", {{"content", "x"}, {"surprise", 1}}),
              HasSubstr("surprise"));
  config = {{"added_tokens_decoder", {{"277", {{"content", "x"}}}, {"278", {{"content", "x"}}}}}};
  EXPECT_THAT(refusal(), HasSubstr("was there before"));
}

TEST_F(SentencePiece, RefusesOtherFilesWithOtherTokens) {
  folder.write("added_tokens.json", R"({"<s>":1})");
  EXPECT_EQ(refusal(), "");
  folder.write("added_tokens.json", R"({"<pad>":277})");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("added_tokens.json"), HasSubstr("<pad>")));
  folder.write("added_tokens.json", "{}");

  json fast = {{"model", {{"byte_fallback", true}, {"vocab", {{"<s>", 1}}}}},
               {"added_tokens", json::array()}};
  folder.write("tokenizer.json", fast.dump());
  EXPECT_EQ(refusal(), "");
  fast["added_tokens"] = json::array({{{"content", "<pad>"}, {"id", 277}}});
  folder.write("tokenizer.json", fast.dump());
  EXPECT_THAT(refusal(), AllOf(HasSubstr("tokenizer.json"), HasSubstr("added_tokens[0]")));
  fast["added_tokens"] = json::array();
  fast["model"]["vocab"]["<s>"] = 2;
  folder.write("tokenizer.json", fast.dump());
  EXPECT_THAT(refusal(), AllOf(HasSubstr("tokenizer.json"), HasSubstr("model.vocab")));
}

TEST_F(SentencePiece, ATokenizerJsonThatWasNotConvertedFromItIsRead) {
  load();
  folder.write("tokenizer.json", kLikeSmolLm2);
  EXPECT_EQ(tokenizer_file(folder.path()).filename(), "tokenizer.json");
  EXPECT_EQ(load_tokenizer(folder.path())->token_id("<|im_end|>"), 2);
}

TEST_F(SentencePiece, NamesAFileThatIsDamaged) {
  const std::string whole = model.bytes();
  for (const std::string& bytes :
       {std::string(), whole.substr(0, whole.size() / 2),
        std::string("version https://git-lfs.github.com/spec/v1\n"), std::string("hello")}) {
    folder.write("tokenizer.model", bytes);
    EXPECT_THAT(test::message_of<TokenizerError>([&] { load_tokenizer(folder.path()); }),
                HasSubstr("tokenizer.model"))
        << bytes.size();
  }
  for (const char* piece : {"<s>", ""}) {  // there already, nothing
    model = made_up_mistral();
    model.add(piece, Model::kControl);
    EXPECT_THAT(refusal(), HasSubstr("tokenizer.model"));
  }
  EXPECT_THROW(load_tokenizer("/nonexistent"), TokenizerError);
}

TEST_F(SentencePiece, RefusesTextThatTheLibraryCannotCount) {
  const auto tokenizer = load();
  const std::string text(std::size_t{1} << 29, 'h');
  EXPECT_THAT(test::message_of<TokenizerError>([&] { tokenizer->encode(text); }),
              HasSubstr("too long"));
}

TEST_F(SentencePiece, SurvivesMutatedBytes) {
  const std::string whole = model.bytes();
  std::mt19937 random(20240610);
  int refused = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = whole;
    for (std::uint32_t changes = 1 + random() % 3; changes > 0; --changes) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    folder.write("tokenizer.model", bytes);
    const std::string message = test::message_of<TokenizerError>([&] {
      const auto tokenizer = load_tokenizer(folder.path());
      tokenizer->decode(tokenizer->encode("hello <s>the 12 caf\u00e9"));
    });
    refused += message.empty() ? 0 : 1;
  }
  EXPECT_GT(refused, 300);
  EXPECT_LT(refused, 2000);
}

TEST_F(SentencePiece, NeverFailsOnRandomBytesButByItsError) {
  const auto tokenizer = load();
  std::mt19937 random(7);
  for (int round = 0; round < 20000; ++round) {
    std::string text(random() % 24, ' ');
    for (char& byte : text) byte = static_cast<char>(random() % (round % 2 ? 128 : 256));
    std::string decoded;
    const std::string message = test::message_of<TokenizerError>(
        [&] { decoded = tokenizer->decode(tokenizer->encode(text)); });
    if (message.empty()) {
      EXPECT_EQ(decoded, without_space(text));
    }
  }
}

}  // namespace
}  // namespace twinrun::trainer
