#include "harness/launch/stderr_tail.h"

#include <gmock/gmock.h>

#include "tests/harness/launch/launch_fixture.h"

namespace twinrun::harness {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class StderrTail : public LaunchFixture {
 protected:
  std::string tail_of(const std::string& text) const {
    std::ofstream(run_dir_ / "stderr.log", std::ios::binary) << text;
    return stderr_tail(run_dir_ / "stderr.log");
  }
};

TEST_F(StderrTail, HoldsTheLastTwentyLines) {
  std::string text;
  for (int i = 1; i <= 100; ++i) text += "line " + std::to_string(i) + "\n";
  const std::string tail = tail_of(text);
  EXPECT_THAT(tail, StartsWith("| line 81\n"));
  EXPECT_EQ(std::count(tail.begin(), tail.end(), '\n'), 20);
}

TEST_F(StderrTail, LastLineNeedsNoLineFeed) { EXPECT_EQ(tail_of("a\nb"), "| a\n| b\n"); }

TEST_F(StderrTail, IsEmptyWithoutOutput) {
  EXPECT_EQ(tail_of(""), "");
  EXPECT_EQ(stderr_tail(run_dir_ / "nosuch"), "");
}

TEST_F(StderrTail, IsBoundedEvenForOneEndlessLine) {
  const std::string tail = tail_of(std::string(1'000'000, 'x'));
  EXPECT_EQ(tail.size(), 4096 + 3u);
  EXPECT_EQ(tail_of("first\n" + std::string(5000, 'x') + "\nlast\n"), "| last\n");
}

TEST_F(StderrTail, CarriesNoControls) {
  EXPECT_EQ(tail_of("\x1b[2Jgone\x07\r\nbar\rbaz\n"), "| \\x1b[2Jgone\\x07\n| bar\\x0dbaz\n");
}

TEST_F(StderrTail, CarriesNoWorkflowCommands) {
  const std::string tail =
      tail_of("::error::owned\n  ::set-output name=x::y\nsee ##[error]x\n##vso[task]\n");
  std::istringstream lines(tail);
  for (std::string line; std::getline(lines, line);) EXPECT_THAT(line, StartsWith("| "));
  EXPECT_THAT(tail, Not(HasSubstr("##[")));
  EXPECT_THAT(tail, Not(HasSubstr("##vso[")));
}

}  // namespace
}  // namespace twinrun::harness
