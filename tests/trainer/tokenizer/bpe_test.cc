#include "trainer/tokenizer/bpe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/temp_folder.h"
#include "tests/trainer/tokenizer/bpe_reference.h"
#include "trainer/tokenizer/byte_level.h"

namespace twinrun::trainer {
namespace {

BpeTokenizer load(std::string_view json) {
  const test::TempFolder folder;
  return BpeTokenizer::load(folder.write("tokenizer.json", json));
}

TEST(BpeTokenizer, GivesTheIdsOfTheReference) {
  const auto expect_ids = [](std::string_view json, std::span<const EncodingReference> references) {
    const BpeTokenizer tokenizer = load(json);
    for (const EncodingReference& reference : references) {
      EXPECT_EQ(tokenizer.encode(reference.text), reference.ids) << reference.text;
    }
  };
  expect_ids(kLikeSmolLm2, kLikeSmolLm2Encodings);
  expect_ids(kLikeGpt2, kLikeGpt2Encodings);
  expect_ids(kLikeLlama3, kLikeLlama3Encodings);
  expect_ids(kWithNfc, kWithNfcEncodings);
}

TEST(BpeTokenizer, DecodesWhatItEncodes) {
  const BpeTokenizer tokenizer = load(kLikeSmolLm2);
  for (const EncodingReference& reference : kLikeSmolLm2Encodings) {
    EXPECT_EQ(tokenizer.decode(reference.ids), reference.text);
  }
  EXPECT_THROW(tokenizer.decode(std::vector<std::int64_t>{100000}), TokenizerError);
  EXPECT_THROW(tokenizer.decode(std::vector<std::int64_t>{-1}), TokenizerError);
}

TEST(BpeTokenizer, DecodesOfIdsThatAreNoTokensThoseThatAre) {
  const BpeTokenizer tokenizer = load(kLikeSmolLm2);
  std::vector<std::int64_t> ids = tokenizer.encode("hello there");
  ids.insert(ids.begin() + 1, {100000, -1});
  ids.push_back(100000);
  EXPECT_EQ(tokenizer.decode_known(ids), "hello there");
  EXPECT_EQ(tokenizer.decode_known({}), "");
}

TEST(BpeTokenizer, OffsetsCoverTheText) {
  const BpeTokenizer tokenizer = load(kLikeSmolLm2);
  for (const EncodingReference& reference : kLikeSmolLm2Encodings) {
    std::size_t position = 0;
    for (const EncodedToken& token : tokenizer.encode_with_offsets(reference.text)) {
      EXPECT_EQ(token.begin, position);
      position = token.end;
      EXPECT_EQ(tokenizer.decode(std::vector{token.id}),
                reference.text.substr(token.begin, token.end - token.begin));
    }
    EXPECT_EQ(position, reference.text.size());
  }
}

TEST(BpeTokenizer, LeavesOutBytesThatTheVocabularyLacks) {
  const BpeTokenizer tokenizer = load(kLikeGpt2);
  const std::vector<EncodedToken> tokens = tokenizer.encode_with_offsets("a\x01t");
  ASSERT_EQ(tokens.size(), 2u);
  EXPECT_EQ(tokens[1].begin, 2u);
  EXPECT_EQ(tokens[1].end, 3u);
}

TEST(BpeTokenizer, KnowsItsTokensAndItsSize) {
  const BpeTokenizer tokenizer = load(kLikeSmolLm2);
  EXPECT_EQ(tokenizer.token_id("<|im_end|>"), 2);
  EXPECT_EQ(tokenizer.token_id("<|im_end"), std::nullopt);
  EXPECT_EQ(tokenizer.vocab_size(), 330);
  // Added tokens lie beyond the vocabulary of 90.
  EXPECT_EQ(load(kLikeGpt2).vocab_size(), 95);
}

TEST(BpeTokenizer, RefusesTextThatIsNotUtf8) {
  const BpeTokenizer tokenizer = load(kLikeSmolLm2);
  for (const char* text : {"\xff", "ab\xc3", "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80", "\x80",
                           "<|im_end|>\xe4\xbd"}) {
    EXPECT_THROW(tokenizer.encode(text), TokenizerError) << testing::PrintToString(text);
  }
  EXPECT_THAT(test::message_of<TokenizerError>([&] { tokenizer.encode("ab\xff"); }),
              testing::HasSubstr("at byte 2"));
}

TEST(BpeTokenizer, TakesLongPieces) {
  const BpeTokenizer tokenizer = load(kLikeSmolLm2);
  for (const char* unit : {"a", " ", "the", "\n", "\xe4\xbd\xa0"}) {
    std::string text;
    for (int i = 0; i < 50000; ++i) text += unit;
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
  }
}

TEST(BpeTokenizer, NeverFailsOnRandomBytesButByItsError) {
  // With all bytes in its vocabulary and the text as it is, or lacking some and with NFC.
  for (const auto& [json, lossless] :
       {std::pair(kLikeSmolLm2, true), std::pair(kLikeLlama3, true), std::pair(kWithNfc, false)}) {
    const BpeTokenizer tokenizer = load(json);
    std::mt19937 random(7);
    for (int round = 0; round < 20000; ++round) {
      std::string text(random() % 24, ' ');
      for (char& byte : text) byte = static_cast<char>(random() % (round % 2 ? 128 : 256));
      std::string decoded;
      const std::string message = test::message_of<TokenizerError>(
          [&] { decoded = tokenizer.decode(tokenizer.encode(text)); });
      if (message.empty() && lossless) {
        EXPECT_EQ(decoded, text);
      }
    }
  }
}

TEST(ByteLevel, MapsEveryByteThereAndBack) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string character = character_of_byte(static_cast<unsigned char>(byte));
    EXPECT_EQ(bytes_of_token(character), std::string(1, static_cast<char>(byte)));
  }
  EXPECT_EQ(character_of_byte(' '), "\u0120");
  EXPECT_EQ(character_of_byte('\n'), "\u010a");
  for (const char* token : {"\u4f60", " ", "\u0144", "\xc4", "a\u00ad"}) {
    EXPECT_EQ(bytes_of_token(token), std::nullopt) << token;
  }
}

}  // namespace
}  // namespace twinrun::trainer
