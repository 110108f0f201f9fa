#include "trainer/bench/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

namespace twinrun::trainer {
namespace {

using ::testing::HasSubstr;

std::string complaint(const std::string& text) {
  std::istringstream in(text);
  try {
    return "none, " + std::to_string(next_window(in));
  } catch (const CommandError& error) {
    return error.what();
  }
}

TEST(BenchCommand, WindowsComeInTurnUntilQuit) {
  std::istringstream in("run 1\nrun 1000000\nquit\nrun 3\n");
  EXPECT_EQ(next_window(in), 1);
  EXPECT_EQ(next_window(in), 1000000);
  EXPECT_EQ(next_window(in), 0);
}

TEST(BenchCommand, TheEndOfTheCommandsIsAQuitAndATornLineIsNone) {
  for (const char* text : {"", "quit", "run 5", "ru", "quit\n"}) {
    std::istringstream in(text);
    EXPECT_EQ(next_window(in), 0) << text;
  }
}

TEST(BenchCommand, AnythingElseIsRefusedAndShown) {
  for (const char* text : {"\n", "run\n", "run \n", "run  5\n", "run 5 \n", "run 5x\n", "run +5\n",
                           "run 0x5\n", "run 1.5\n", "RUN 5\n", " run 5\n", "run 5\r\n", "go\n"}) {
    EXPECT_THAT(complaint(text), HasSubstr("is no command; `run N` and `quit` are")) << text;
  }
  EXPECT_THAT(complaint("a\x1b[31m\xff\n"), HasSubstr(R"("a\u001b[31m\ufffd")"));
  const std::string huge(100'000, 'x');
  EXPECT_LT(complaint(huge + "\n").size(), 200u);
  EXPECT_THAT(complaint(std::string("run 5\0\n", 7)), HasSubstr("is no command"));
}

TEST(BenchCommand, AWindowOfNoStepsOrOfTooManyIsRefused) {
  for (const char* text : {"run 0\n", "run -1\n", "run 1000001\n", "run 99999999999999999999\n",
                           "run -99999999999999999999\n"}) {
    EXPECT_THAT(complaint(text), HasSubstr("a window has 1 .. 1000000 steps")) << text;
  }
}

}  // namespace
}  // namespace twinrun::trainer
