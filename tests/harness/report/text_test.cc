#include "harness/report/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace twinrun::harness {
namespace {

using testing::ElementsAre;

TEST(OneLine, NothingOfATrainerStartsALineOrAnEscape) {
  EXPECT_EQ(one_line("a\n::error::b\tc"), "a ::error::b c");
  EXPECT_EQ(one_line("\x1b[31mred"), "\\x1b[31mred");
}

TEST(Ellipsize, CutsByCodePointsNotBytes) {
  EXPECT_EQ(ellipsize("äöüäöü", 6), "äöüäöü");
  EXPECT_EQ(ellipsize("äöüäöü", 5), "äö...");
}

TEST(Wrap, BreaksAtSpacesAndCutsALongWord) {
  EXPECT_THAT(wrap("one two three", 7), ElementsAre("one two", "three"));
  EXPECT_THAT(wrap("a longerthanthat b", 6), ElementsAre("a", "lon...", "b"));
  EXPECT_THAT(wrap("", 6), ElementsAre());
}

TEST(ShellQuote, QuotesWhatAShellWouldChange) {
  EXPECT_EQ(shell_quote("out/a-1.2"), "out/a-1.2");
  EXPECT_EQ(shell_quote("it's here"), "'it'\\''s here'");
  EXPECT_EQ(shell_quote(""), "''");
}

TEST(ListWords, ReadsAsASentence) {
  EXPECT_EQ(list_words({}), "");
  EXPECT_EQ(list_words({"a"}), "a");
  EXPECT_EQ(list_words({"a", "b", "c"}), "a, b and c");
}

TEST(CountOf, KnowsOneFromMany) {
  EXPECT_EQ(count_of(1, "step"), "1 step");
  EXPECT_EQ(count_of(0, "step"), "0 steps");
}

}  // namespace
}  // namespace twinrun::harness
