#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/harness/launch/launch_fixture.h"

namespace twinrun::harness {
namespace {

using Outcome = LaunchResult::Outcome;

class LaunchEnd : public LaunchFixture {
 protected:
  /// Ignores TERM, and so does its child; both write down who they are.
  static std::string stubborn() {
    return "trap '' TERM; (trap '' TERM; sh -c 'echo $PPID' > $RUN/child.pid; "
           "while :; do sleep 0.05; done) & echo $$ > $RUN/trainer.pid; "
           "while :; do sleep 0.05; done";
  }

  /// Forks a judge that launches `options`; exits 0 if it comes back as interrupted by `signal`.
  static pid_t fork_judge(const LaunchOptions& options, int signal) {
    const pid_t judge = fork();
    if (judge != 0) return judge;
    install_interrupt_handlers();
    const LaunchResult result = launch_trainer(options);
    _exit(result.outcome == Outcome::kInterrupted && result.signal == signal ? 0 : 1);
  }
};

TEST_F(LaunchEnd, HangIsEndedAfterTheStepTimeout) {
  LaunchOptions options = script("echo about to hang >&2; sleep 60");
  options.step_timeout_s = 0.3;
  const LaunchResult result = launch_trainer(options);
  EXPECT_EQ(result.outcome, Outcome::kTimedOut);
  EXPECT_GE(result.seconds, 0.3);
  EXPECT_LT(result.seconds, 5);
  EXPECT_EQ(result.stderr_tail, "| about to hang\n");
}

TEST_F(LaunchEnd, WhatIgnoresTermIsKilledWithItsChildren) {
  LaunchOptions options = script(stubborn());
  options.step_timeout_s = 0.5;
  const LaunchResult result = launch_trainer(options);
  EXPECT_EQ(result.outcome, Outcome::kTimedOut);
  EXPECT_GE(result.seconds, 0.8) << "the grace was not given";
  EXPECT_FALSE(runs(wait_for_pid("trainer.pid")));
  EXPECT_FALSE(runs(wait_for_pid("child.pid")));
}

TEST_F(LaunchEnd, TermGivesTheTrainerTimeToWriteDownHowItEnded) {
  LaunchOptions options =
      script("trap 'echo ended > $RUN/note; exit 7' TERM; while :; do sleep 0.02; done");
  options.step_timeout_s = 0.3;
  options.kill_grace_s = 10;
  const LaunchResult result = launch_trainer(options);
  EXPECT_EQ(result.outcome, Outcome::kTimedOut);
  EXPECT_EQ(read("note"), "ended\n");
  EXPECT_LT(result.seconds, 5) << "waited on although the trainer had ended";
}

TEST_F(LaunchEnd, StoppedTrainerSeesTheTermToo) {
  LaunchOptions options = script("trap 'echo ended > $RUN/note; exit 0' TERM; kill -STOP $$; :");
  options.step_timeout_s = 0.3;
  options.kill_grace_s = 10;
  const LaunchResult result = launch_trainer(options);
  EXPECT_EQ(result.outcome, Outcome::kTimedOut);
  EXPECT_EQ(read("note"), "ended\n");
  EXPECT_LT(result.seconds, 5);
}

TEST_F(LaunchEnd, EveryCompleteLineRestartsTheClock) {
  LaunchOptions options = script(
      "for i in 0 1 2 3 4 5; do echo '{\"step\":'$i'}' >> $RUN/steps.jsonl; sleep 0.3; done");
  options.step_timeout_s = 1.2;
  const LaunchResult result = launch_trainer(options);
  EXPECT_EQ(result.outcome, Outcome::kExited);
  EXPECT_GT(result.seconds, options.step_timeout_s);
}

TEST_F(LaunchEnd, LinesOfAnEvaluationRestartTheClockToo) {
  LaunchOptions options =
      script("for i in 0 1 2 3 4 5; do echo '{\"step\":1}' >> $RUN/eval.jsonl; sleep 0.3; done");
  options.step_timeout_s = 1.2;
  EXPECT_EQ(launch_trainer(options).outcome, Outcome::kExited);
}

TEST_F(LaunchEnd, LinesOfTheAlsoWatchedFileRestartTheClockToo) {
  LaunchOptions options = script(
      "for i in 0 1 2 3 4 5; do echo '{\"step\":'$i'}' >> $RUN/timings.jsonl; sleep 0.3; done");
  options.step_timeout_s = 1.2;
  EXPECT_EQ(launch_trainer(options).outcome, Outcome::kTimedOut);
  std::filesystem::remove(run_dir_ / "timings.jsonl");
  options.also_watched = run_dir_ / "timings.jsonl";
  EXPECT_EQ(launch_trainer(options).outcome, Outcome::kExited);
}

TEST_F(LaunchEnd, BytesWithoutALineFeedAreNoStep) {
  LaunchOptions options = script("while :; do printf x >> $RUN/steps.jsonl; sleep 0.02; done");
  options.step_timeout_s = 0.4;
  EXPECT_EQ(launch_trainer(options).outcome, Outcome::kTimedOut);
}

TEST_F(LaunchEnd, OrphansOfATrainerThatExitedAreKilled) {
  const LaunchResult result = launch_trainer(script(
      "(trap '' TERM HUP; while :; do sleep 0.05; done) & echo $! > $RUN/child.pid; exit 0"));
  EXPECT_EQ(result.outcome, Outcome::kExited);
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_FALSE(runs(wait_for_pid("child.pid")));
}

TEST_F(LaunchEnd, ThrowingProgressLeavesNoTrainerBehind) {
  LaunchOptions options =
      script("echo $$ > $RUN/trainer.pid; echo line > $RUN/steps.jsonl; sleep 60");
  options.on_progress = [](std::int64_t, double) { throw std::logic_error("from progress"); };
  EXPECT_THROW(launch_trainer(options), std::logic_error);
  EXPECT_FALSE(runs(wait_for_pid("trainer.pid")));
}

TEST_F(LaunchEnd, InterruptEndsTheGroup) {
  for (const int signal : {SIGINT, SIGTERM}) {
    std::filesystem::remove(run_dir_ / "trainer.pid");
    std::filesystem::remove(run_dir_ / "child.pid");
    const pid_t judge = fork_judge(script(stubborn()), signal);
    const pid_t trainer = wait_for_pid("trainer.pid"), child = wait_for_pid("child.pid");
    const auto start = std::chrono::steady_clock::now();
    kill(judge, signal);
    kill(judge, signal);  // a second one must not shorten or break anything
    int status = -1;
    ASSERT_EQ(waitpid(judge, &status, 0), judge);
    EXPECT_EQ(status, 0) << "signal " << signal;
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(6));
    EXPECT_FALSE(runs(trainer));
    EXPECT_FALSE(runs(child));
  }
}

TEST_F(LaunchEnd, NothingIsStartedOnceInterrupted) {
  const pid_t judge = fork();
  if (judge == 0) {
    install_interrupt_handlers();
    raise(SIGTERM);
    const LaunchResult result = launch_trainer(script("touch $RUN/started"));
    _exit(result.outcome == Outcome::kInterrupted && result.signal == SIGTERM ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(judge, &status, 0), judge);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(std::filesystem::exists(run_dir_ / "started"));
}

TEST_F(LaunchEnd, TrainerDiesWithAJudgeThatIsKilled) {
  const pid_t judge =
      fork_judge(script("echo $$ > $RUN/trainer.pid; while :; do sleep 0.05; done"), 0);
  const pid_t trainer = wait_for_pid("trainer.pid");
  EXPECT_TRUE(runs(trainer));
  kill(judge, SIGKILL);
  ASSERT_EQ(waitpid(judge, nullptr, 0), judge);
  EXPECT_TRUE(ends_soon(trainer));
}

}  // namespace
}  // namespace twinrun::harness
