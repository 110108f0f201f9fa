#include "trainer/tokenizer/utf8.h"

#include <gtest/gtest.h>

namespace twinrun::trainer {
namespace {

#define REPLACED "\xEF\xBF\xBD"

TEST(Utf8Lossy, KeepsWhatIsUtf8) {
  for (const std::string text :
       {"", "abc", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x8C\x9E", "a\n\x7F"}) {
    EXPECT_EQ(utf8_lossy(text), text);
  }
}

// As Python's bytes.decode("utf-8", "replace").
TEST(Utf8Lossy, ReplacesEachMaximalPart) {
  EXPECT_EQ(utf8_lossy("a\xF0\x9F\x8C"), "a" REPLACED);
  EXPECT_EQ(utf8_lossy("\xF0\x9F\x8Cz"), REPLACED "z");
  EXPECT_EQ(utf8_lossy("\xE2\x82\xE2\x82\xAC"), REPLACED "\xE2\x82\xAC");
  EXPECT_EQ(utf8_lossy("\x80\xBF"), REPLACED REPLACED);
  EXPECT_EQ(utf8_lossy("\xC0\xAF"), REPLACED REPLACED);               // overlong
  EXPECT_EQ(utf8_lossy("\xE0\x80\xAF"), REPLACED REPLACED REPLACED);  // overlong
  EXPECT_EQ(utf8_lossy("\xED\xA0\x80"), REPLACED REPLACED REPLACED);  // a surrogate
  EXPECT_EQ(utf8_lossy("\xF4\x90\x80\x80"), REPLACED REPLACED REPLACED REPLACED);
  EXPECT_EQ(utf8_lossy("\xFF"), REPLACED);
}

}  // namespace
}  // namespace twinrun::trainer
