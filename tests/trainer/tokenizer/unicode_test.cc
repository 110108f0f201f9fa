#include "trainer/tokenizer/unicode.h"

#include <gtest/gtest.h>

namespace twinrun::trainer::unicode {
namespace {

// All code points are held against the `tokenizers` package by tests/parity/tokenizer_parity.py.
TEST(Unicode, TellsLettersNumbersAndSpaces) {
  for (const char32_t letter : {U'a', U'Z', U'\u00e9', U'\u0416', U'\u4f60', U'\U0001d400'}) {
    EXPECT_EQ(kind_of(letter), Kind::kLetter);
  }
  for (const char32_t number : {U'7', U'\u00bd', U'\u0663', U'\u2167', U'\U0001d7ce'}) {
    EXPECT_EQ(kind_of(number), Kind::kNumber);
    EXPECT_TRUE(is_digit(number));
  }
  for (const char32_t space : {U' ', U'\t', U'\n', U'\u00a0', U'\u3000', U'\u2028'}) {
    EXPECT_EQ(kind_of(space), Kind::kSpace);
  }
  for (const char32_t other : {U'\0', U'.', U'\u180e', U'\u200b', U'\u0301', U'\U0001f600',
                               char32_t{0xE000}, char32_t{0x10FFFF}}) {
    EXPECT_EQ(kind_of(other), Kind::kOther);
    EXPECT_FALSE(is_digit(other));
  }
}

TEST(Nfc, ComposesAndTellsWhereBytesComeFrom) {
  const Nfc nfc = to_nfc("ae\u0301x");
  EXPECT_EQ(nfc.text, "a\u00e9x");
  EXPECT_EQ(nfc.begin, (std::vector<std::size_t>{0, 1, 1, 4}));
  EXPECT_EQ(nfc.end, (std::vector<std::size_t>{1, 4, 4, 5}));
}

TEST(Nfc, LeavesWhatIsComposed) {
  for (const char* text : {"", "plain", "\u00e9\u4f60\ud55c", "x\u0301", "\U0001f600\u200d"}) {
    const Nfc nfc = to_nfc(text);
    EXPECT_EQ(nfc.text, text);
    EXPECT_TRUE(nfc.begin.empty());
  }
}

TEST(Nfc, FollowsAnnex15) {
  EXPECT_EQ(to_nfc("\u212b\u2126 \u0340").text, "\u00c5\u03a9 \u0300");  // singletons
  EXPECT_EQ(to_nfc("a\u0323\u0302").text, "\u1ead");                     // two marks, one by one
  EXPECT_EQ(to_nfc("a\u0302\u0323").text, "\u1ead");                     // put in order first
  EXPECT_EQ(to_nfc("a\u0301\u0300").text, "\u00e1\u0300");               // the second is kept off
  EXPECT_EQ(to_nfc("\u1112\u1161\u11ab\u11a8").text, "\ud55c\u11a8");    // Hangul, by rule
  EXPECT_EQ(to_nfc("\u0915\u093c \u0958").text, "\u0915\u093c \u0915\u093c");  // never composed
}

}  // namespace
}  // namespace twinrun::trainer::unicode
