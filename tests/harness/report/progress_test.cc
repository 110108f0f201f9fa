#include "harness/report/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <functional>
#include <stdexcept>

namespace twinrun::harness {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

/// What `work` writes to stderr where stderr is a terminal.
std::string on_terminal(const std::function<void()>& work) {
  int master = -1, slave = -1;
  if (openpty(&master, &slave, nullptr, nullptr, nullptr) != 0) throw std::runtime_error("openpty");
  termios raw{};
  tcgetattr(slave, &raw);
  cfmakeraw(&raw);
  tcsetattr(slave, TCSANOW, &raw);
  const int kept = dup(STDERR_FILENO);
  dup2(slave, STDERR_FILENO);
  work();
  dup2(kept, STDERR_FILENO);
  close(kept);
  close(slave);
  std::string out;
  char buffer[4096];
  // Once the last slave is closed, read ends with EIO.
  for (ssize_t n; (n = read(master, buffer, sizeof buffer)) > 0;) {
    out.append(buffer, static_cast<std::size_t>(n));
  }
  close(master);
  return out;
}

std::string on_pipe(const std::function<void()>& work) {
  ::testing::internal::CaptureStderr();
  work();
  return ::testing::internal::GetCapturedStderr();
}

class ProgressOutput : public ::testing::Test {
 protected:
  ProgressOutput() {
    unsetenv("CI");
    unsetenv("NO_COLOR");
    setenv("TERM", "xterm", 1);
  }
  static void run_two_steps(bool quiet) {
    Progress progress("run a", 10, quiet);
    progress.update(0, 0.5);
    progress.update(5, 10);
    progress.finish("complete");
  }
};

TEST_F(ProgressOutput, BarOnATerminalShowsStepsRateAndEta) {
  const std::string out = on_terminal([] { run_two_steps(false); });
  EXPECT_THAT(out, HasSubstr("run a [##########..........] step 5/10, 0.5 steps/s, ETA 10 s"));
  EXPECT_THAT(out, HasSubstr("run a: complete\n"));
  EXPECT_THAT(out, StartsWith("\r"));
}

TEST_F(ProgressOutput, PlainLinesWithoutATerminal) {
  EXPECT_EQ(on_pipe([] { run_two_steps(false); }),
            "run a: step 0/10, 1 s so far\n"
            "run a: step 5/10, 0.5 steps/s, ETA 10 s\n"
            "run a: complete\n");
}

TEST_F(ProgressOutput, PlainLinesOnATerminalWithCiSet) {
  setenv("CI", "true", 1);
  EXPECT_EQ(on_terminal([] { run_two_steps(false); }), on_pipe([] { run_two_steps(false); }));
}

TEST_F(ProgressOutput, OneLineEveryFewSeconds) {
  const std::string out = on_pipe([] {
    Progress progress("run", 1000, false);
    for (int i = 0; i < 1000; ++i) progress.update(i, i * 0.01);
  });
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 2) << "at 0 s and at 5 s";
}

TEST_F(ProgressOutput, QuietWritesNothing) {
  EXPECT_EQ(on_pipe([] { run_two_steps(true); }), "");
  EXPECT_EQ(on_terminal([] { run_two_steps(true); }), "");
}

TEST_F(ProgressOutput, LongRunsShowHours) {
  const std::string out = on_pipe([] { Progress("run", 1001, false).update(1, 7.389); });
  EXPECT_THAT(out, HasSubstr("ETA 2:03:09"));
}

TEST_F(ProgressOutput, ColorNeedsATerminalAndNoNoColor) {
  bool color = false;
  on_terminal([&] { color = use_color(STDERR_FILENO); });
  EXPECT_TRUE(color);
  setenv("NO_COLOR", "1", 1);
  on_terminal([&] { color = use_color(STDERR_FILENO); });
  EXPECT_FALSE(color);
  setenv("NO_COLOR", "", 1);
  on_pipe([&] { color = use_color(STDERR_FILENO); });
  EXPECT_FALSE(color);
}

}  // namespace
}  // namespace twinrun::harness
