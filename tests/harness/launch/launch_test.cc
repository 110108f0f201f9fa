#include "harness/launch/launch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/harness/launch/launch_fixture.h"

namespace twinrun::harness {
namespace {

using ::testing::HasSubstr;
using Outcome = LaunchResult::Outcome;

class Launch : public LaunchFixture {};

TEST_F(Launch, ReportsTheExitCode) {
  for (const int code : {0, 2, 3, 255}) {
    const LaunchResult result = launch_trainer(script("exit " + std::to_string(code)));
    EXPECT_EQ(result.outcome, Outcome::kExited);
    EXPECT_EQ(result.exit_code, code);
    EXPECT_EQ(result.signal, 0);
  }
}

TEST_F(Launch, ReportsASignalThatWasNotOurs) {
  const LaunchResult result = launch_trainer(script("kill -SEGV $$"));
  EXPECT_EQ(result.outcome, Outcome::kSignaled);
  EXPECT_EQ(result.signal, SIGSEGV);
}

TEST_F(Launch, ReportsAProgramThatCannotStart) {
  LaunchOptions options = script("");
  options.command = {(run_dir_ / "nosuch").string()};
  LaunchResult result = launch_trainer(options);
  EXPECT_EQ(result.outcome, Outcome::kNotStarted);
  EXPECT_THAT(result.stderr_tail, HasSubstr("nosuch: cannot be started: No such file"));
  std::ofstream(run_dir_ / "plain") << "text";
  options.command = {(run_dir_ / "plain").string()};
  result = launch_trainer(options);
  EXPECT_EQ(result.outcome, Outcome::kNotStarted);
  EXPECT_THAT(result.stderr_tail, HasSubstr("Permission denied"));
  options.command = {};
  EXPECT_EQ(launch_trainer(options).outcome, Outcome::kNotStarted);
}

TEST_F(Launch, ThrowsIfTheLogsCannotBeMade) {
  LaunchOptions options = script("exit 0");
  options.run_dir = run_dir_ / "nosuch";
  EXPECT_THROW(launch_trainer(options), std::runtime_error);
}

TEST_F(Launch, OutputGoesToFilesOnly) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  const LaunchResult result =
      launch_trainer(script("echo out; echo err >&2; readlink /proc/self/fd/0; exit 0"));
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(read("stdout.log"), "out\n/dev/null\n");
  EXPECT_EQ(read("stderr.log"), "err\n");
  EXPECT_EQ(result.stderr_tail, "| err\n");
}

TEST_F(Launch, MuchOutputIsNoProblem) {
  const LaunchResult result = launch_trainer(
      script("head -c 20000000 /dev/zero | tr '\\0' 'x' >&2; echo >&2; echo last >&2"));
  EXPECT_EQ(result.outcome, Outcome::kExited);
  EXPECT_EQ(std::filesystem::file_size(run_dir_ / "stderr.log"), 20000006u);
  EXPECT_EQ(result.stderr_tail, "| last\n");
}

TEST_F(Launch, EnvironmentIsSetAndUnset) {
  setenv("TWINRUN_TEST_GONE", "old", 1);
  setenv("TWINRUN_TEST_CHANGED", "old", 1);
  setenv("TWINRUN_TEST_KEPT", "kept", 1);
  LaunchOptions options = script(
      "echo \"$TWINRUN_TEST_CHANGED ${TWINRUN_TEST_GONE-unset} $TWINRUN_TEST_KEPT\"; env | sort | "
      "uniq -d");
  options.environment = {{"TWINRUN_TEST_CHANGED", "new"}, {"TWINRUN_TEST_GONE", ""}};
  launch_trainer(options);
  EXPECT_EQ(read("stdout.log"), "new unset kept\n");
}

TEST_F(Launch, UmaskAppliesToTheTrainerOnly) {
  const mode_t ours = umask(022);
  umask(ours);
  LaunchOptions options = script("umask");
  options.umask = 0127;
  launch_trainer(options);
  EXPECT_EQ(read("stdout.log"), "0127\n");
  EXPECT_EQ(umask(ours), ours);
}

TEST_F(Launch, TrainerLeadsAGroupOfItsOwnWithDefaultSignals) {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGUSR1, SIG_IGN);
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  launch_trainer(
      script("grep -E '^Sig(Blk|Ign)' /proc/self/status; cut -d' ' -f1,5 /proc/$$/stat"));
  sigprocmask(SIG_SETMASK, &before, nullptr);
  signal(SIGPIPE, SIG_DFL);
  signal(SIGUSR1, SIG_DFL);
  std::istringstream lines(read("stdout.log"));
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "SigBlk:\t0000000000000000");
  std::getline(lines, line);
  EXPECT_EQ(line, "SigIgn:\t0000000000000000");
  long pid = 0, group = 1;
  lines >> pid >> group;
  EXPECT_EQ(pid, group);
}

TEST_F(Launch, OtherDescriptorsStayWithTheJudge) {
  const int inherited = open("/dev/null", O_RDONLY);  // without O_CLOEXEC
  launch_trainer(script("ls /proc/$$/fd; :"));
  close(inherited);
  EXPECT_EQ(read("stdout.log"), "0\n1\n2\n");
}

TEST_F(Launch, WorksWithTheStandardDescriptorsClosed) {
  const pid_t judge = fork();
  if (judge == 0) {
    for (int fd = 0; fd < 3; ++fd) close(fd);
    const LaunchResult result = launch_trainer(script("echo out; echo err >&2"));
    _exit(result.outcome == Outcome::kExited && result.exit_code == 0 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(judge, &status, 0), judge);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read("stdout.log"), "out\n");
  EXPECT_EQ(read("stderr.log"), "err\n");
}

TEST_F(Launch, ReportsMemoryAndTime) {
  const LaunchResult result = launch_trainer(
      script("python3 -c 'import time; x = bytearray(200_000_000); time.sleep(0.2)'; exit 0"));
  EXPECT_GT(result.max_rss_bytes, 200'000'000);
  EXPECT_LT(result.max_rss_bytes, 400'000'000);
  EXPECT_GE(result.seconds, 0.2);
}

TEST_F(Launch, ProgressFollowsTheStepsFile) {
  LaunchOptions options = script(
      "printf '%s\\n' '{\"header\":1}' '{\"step\":0}' > $RUN/steps.jsonl; sleep 0.3;"
      "printf '%s\\n' '{\"step\":1}' '{\"step\":2}' >> $RUN/steps.jsonl; sleep 0.3;"
      "printf '%s\\n' '{\"step\":3}' '{\"end\":true,\"steps\":3}' >> $RUN/steps.jsonl");
  std::vector<std::int64_t> seen;
  double last_s = 0;
  options.on_progress = [&](std::int64_t step, double seconds) {
    EXPECT_GE(seconds, last_s);
    last_s = seconds;
    seen.push_back(step);
  };
  launch_trainer(options);
  EXPECT_THAT(seen, ::testing::IsSupersetOf({0, 2, 3}));
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(seen.back(), 3);
}

TEST_F(Launch, EndIsNoticedAtOnce) {
  const LaunchResult result = launch_trainer(script("exit 0"));
  EXPECT_LT(result.seconds, 0.5);
}

}  // namespace
}  // namespace twinrun::harness
