#include "trainer/tokenizer/tokenizer_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "tests/temp_folder.h"
#include "tests/trainer/tokenizer/bpe_reference.h"
#include "trainer/tokenizer/bpe.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

std::string refusal_of_text(std::string_view text) {
  const test::TempFolder folder;
  const auto file = folder.write("tokenizer.json", text);
  const std::string message = test::message_of<TokenizerError>([&] { read_tokenizer_file(file); });
  EXPECT_TRUE(message.empty() || message.starts_with(file.string() + ": ")) << message;
  return message;
}

// The message for the tokenizer of SmolLM2's kind with `value` at the JSON pointer `place`.
std::string refusal_with(const std::string& place, const json& value,
                         std::string_view whole = kLikeSmolLm2) {
  json file = json::parse(whole);
  file[json::json_pointer(place)] = value;
  return refusal_of_text(file.dump());
}

TEST(TokenizerFile, RefusesByNameWhatIsNotBuilt) {
  const std::pair<const char*, json> refused[] = {
      {"/normalizer", {{"type", "NFKC"}}},
      {"/normalizer", {{"type", "Sequence"}, {"normalizers", json::array()}}},
      {"/normalizer", {{"type", "NFC"}, {"surprise", 1}}},
      {"/truncation", {{"max_length", 5}}},
      {"/padding", {{"strategy", "BatchLongest"}}},
      {"/post_processor", {{"type", "BertProcessing"}}},
      {"/decoder", {{"type", "WordPiece"}}},
      {"/surprise", 1},
      {"/pre_tokenizer", nullptr},
      {"/pre_tokenizer/type", "Whitespace"},
      {"/pre_tokenizer/pretokenizers/0/individual_digits", false},
      {"/pre_tokenizer/pretokenizers/0/type", "Punctuation"},
      {"/pre_tokenizer/pretokenizers/1/add_prefix_space", true},
      {"/pre_tokenizer/pretokenizers/1/use_regex", false},
      {"/pre_tokenizer/pretokenizers", json::array()},
      {"/model/type", "WordPiece"},
      {"/model/dropout", 0.1},
      {"/model/unk_token", "<unk>"},
      {"/model/byte_fallback", true},
      {"/model/continuing_subword_prefix", "##"},
      {"/model/end_of_word_suffix", "</w>"},
      {"/model/surprise", 1},
      {"/added_tokens/0/single_word", true},
  };
  for (const auto& [place, value] : refused) {
    std::string field = std::string(place).substr(std::string(place).rfind('/') + 1);
    EXPECT_THAT(refusal_with(place, value), HasSubstr(field)) << place;
  }
}

TEST(TokenizerFile, RefusesByNameWhatIsNotLlama3s) {
  const json text_twice =
      json::array({{{"Sequence", {{"id", "A"}}}}, {{"Sequence", {{"id", "A"}}}}});
  const std::pair<const char*, json> refused[] = {
      {"/pre_tokenizer/pretokenizers/0/pattern/Regex", "\\s+"},
      {"/pre_tokenizer/pretokenizers/0/pattern", {{"String", " "}}},
      {"/pre_tokenizer/pretokenizers/0/behavior", "Removed"},
      {"/pre_tokenizer/pretokenizers/0/invert", true},
      {"/pre_tokenizer/pretokenizers/0/surprise", 1},
      {"/pre_tokenizer/pretokenizers/1/use_regex", true},
      {"/post_processor/processors/0/type", "RobertaProcessing"},
      {"/post_processor/processors/0/type", "Sequence"},
      {"/post_processor/processors/1/single", text_twice},
      {"/post_processor/processors/1/surprise", 1},
  };
  EXPECT_EQ(refusal_of_text(kLikeLlama3), "");
  for (const auto& [place, value] : refused) {
    const std::string field = std::string(place).substr(std::string(place).rfind('/') + 1);
    EXPECT_THAT(refusal_with(place, value, kLikeLlama3), HasSubstr(field)) << place;
  }
}

TEST(TokenizerFile, RefusesAddedTokensThatGetInEachOthersWay) {
  json file = json::parse(kWithNfc);
  json& tokens = file["added_tokens"];
  const json last = tokens.back();
  const auto refusal_of_added = [&](const char* content, bool normalized) {
    tokens.back() = last;
    tokens.back()["content"] = content;
    tokens.back()["normalized"] = normalized;
    return refusal_of_text(file.dump());
  };
  EXPECT_EQ(refusal_of_added("\u00e9t\u00e9", false), "");
  // Another token is this one in normalization form C.
  EXPECT_THAT(refusal_of_added("\u00e9t\u00e9", true), HasSubstr("content"));
  EXPECT_THAT(refusal_of_added(" x", false), HasSubstr("rstrip"));
}

TEST(TokenizerFile, RefusesWhatIsDamaged) {
  const std::pair<const char*, json> refused[] = {
      {"/model", nullptr},
      {"/model/vocab", json::array()},
      {"/model/vocab", json::object()},
      {"/model/vocab/a", -1},
      {"/model/vocab/a", 1.5},
      {"/model/vocab/a", 1ull << 31},
      {"/model/vocab/a", 3},  // the id of another token
      {"/model/merges", "a b"},
      {"/model/merges/0", "ab"},
      {"/model/merges/0", "a b c"},
      {"/model/merges/0", {"a"}},
      {"/model/merges/0", {"a", 1}},
      {"/model/merges/0", {"a", "qqq"}},
      {"/model/merges/0", {"q", "q"}},
      {"/added_tokens", 1},
      {"/added_tokens/0", 1},
      {"/added_tokens/0/id", 5},
      {"/added_tokens/0/id", "0"},
      {"/added_tokens/0/content", ""},
      {"/added_tokens/0/content", "<|im_end|>"},
      {"/added_tokens/0/content", "new"},  // under the id of a token of the vocabulary
      {"/added_tokens/0/normalized", nullptr},
      {"/added_tokens/0/lstrip", 1},
      {"/added_tokens/0/rstrip", "yes"},
      {"/model/ignore_merges", 1},
  };
  for (const auto& [place, value] : refused) {
    EXPECT_NE(refusal_with(place, value), "") << place << " " << value;
  }
  EXPECT_THAT(refusal_with("/model/merges/0", {"q", "q"}),
              AllOf(HasSubstr("'model.merges[0]'"), HasSubstr("'qq'")));
}

TEST(TokenizerFile, TakesMergesOfBothForms) {
  json file = json::parse(kLikeSmolLm2);
  for (json& merge : file["model"]["merges"]) {
    merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  }
  const test::TempFolder folder;
  const TokenizerFile older = read_tokenizer_file(folder.write("a.json", file.dump()));
  const TokenizerFile newer = read_tokenizer_file(folder.write("b.json", kLikeSmolLm2));
  EXPECT_EQ(older.merges, newer.merges);
  EXPECT_EQ(newer.pretokenizer, Pretokenizer::kGpt2Digits);
}

TEST(TokenizerFile, NamesAFileThatCannotBeRead) {
  EXPECT_THAT(refusal_of_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
              HasSubstr("Git LFS pointer"));
  EXPECT_THAT(refusal_of_text("{"), HasSubstr("not JSON"));
  EXPECT_THAT(refusal_of_text("[]"), HasSubstr("not a JSON object"));
  EXPECT_THROW(read_tokenizer_file("/nonexistent/tokenizer.json"), TokenizerError);
}

TEST(TokenizerFile, SurvivesMutatedBytes) {
  const test::TempFolder folder;
  std::mt19937 random(20240608);
  int refused = 0;
  for (int round = 0; round < 1000; ++round) {
    std::string text(kLikeSmolLm2);
    for (std::uint32_t changes = 1 + random() % 3; changes > 0; --changes) {
      // Half of the changes swap in a byte of the file, which keeps more of them JSON.
      text[random() % text.size()] =
          random() % 2 ? kLikeSmolLm2[random() % text.size()] : static_cast<char>(random());
    }
    const auto file = folder.write("tokenizer.json", text);
    const std::string message = test::message_of<TokenizerError>([&] {
      const BpeTokenizer tokenizer = BpeTokenizer::load(file);
      tokenizer.decode(tokenizer.encode("hello <|im_start|>the 12 caf\u00e9"));
    });
    refused += message.empty() ? 0 : 1;
  }
  EXPECT_GT(refused, 300);
  EXPECT_LT(refused, 1000);
}

}  // namespace
}  // namespace twinrun::trainer
