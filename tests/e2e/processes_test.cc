// Signals, a judge that is killed, a full disk: no orphan, no garbage, no green.

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>

#include <cerrno>
#include <fstream>

#include "harness/protocol/record_reader.h"
#include "tests/e2e/toy_case.h"

namespace twinrun {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using protocol::RecordSummary;
using testing::HasSubstr;

class Processes : public ToyCase {
 protected:
  /// A verify whose trainer takes a second a step and has written step 1 of run a.
  std::unique_ptr<Process> slow_verify() {
    params("{step_seconds: 0.3, tell_pid: true}");
    auto process = std::make_unique<Process>(command({"verify", "case.yaml", "--out", "out"}));
    EXPECT_TRUE(eventually(30, [&] { return lines("out/a/steps.jsonl").size() >= 3; }));
    return process;
  }

  pid_t trainer_pid() const {
    const std::string text = read("out/a/stdout.log");
    return text.empty() ? 0 : static_cast<pid_t>(std::stol(text));
  }

  /// Gone, or dead and waiting to be reaped by whoever inherited it.
  static bool ended(pid_t pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    if (!std::getline(stat, text)) return true;
    const std::size_t state = text.rfind(')') + 2;
    return text[state] == 'Z' || text[state] == 'X';
  }

  void expect_readable_and_incomplete() const {
    const auto summary = protocol::summarize_record(path("out/a/steps.jsonl"));
    EXPECT_EQ(summary.state, RecordSummary::State::kIncomplete) << summary.problem;
    EXPECT_GE(summary.last_step, 1);
    EXPECT_FALSE(summary.chain_broken);
  }
};

TEST_F(Processes, AJudgeThatIsKilledLeavesNoTrainerAndAReadableRecord) {
  const auto process = slow_verify();
  const pid_t trainer = trainer_pid();
  ASSERT_GT(trainer, 0);
  ASSERT_FALSE(ended(trainer));
  process->send(SIGKILL);
  EXPECT_EQ(process->wait().signal, SIGKILL);
  EXPECT_TRUE(eventually(10, [&] { return ended(trainer); }));
  expect_readable_and_incomplete();
  EXPECT_FALSE(fs::exists(path("out/verdict.json")));
}

class Interrupted : public Processes, public testing::WithParamInterface<int> {};

TEST_P(Interrupted, EndsTheTrainerAndExitsWithTheSignal) {
  const auto process = slow_verify();
  const pid_t trainer = trainer_pid();
  process->send(GetParam());
  const ProcessResult result = process->wait();
  EXPECT_EQ(result.exit_code, 128 + GetParam()) << result.err;
  EXPECT_TRUE(ended(trainer));
  EXPECT_THAT(result.err, HasSubstr("interrupted, no verdict"));
  EXPECT_EQ(result.out, "");
  EXPECT_FALSE(fs::exists(path("out/b")));
  EXPECT_FALSE(fs::exists(path("out/verdict.json")));
  expect_readable_and_incomplete();
}

INSTANTIATE_TEST_SUITE_P(Signals, Interrupted, testing::Values(SIGINT, SIGTERM));

TEST_F(Processes, AFullDiskUnderTheTrainerIsInvalidAndReadable) {
  params("{pad_tensors: 40000}");
  ProcessOptions options = command({"verify", "case.yaml", "--out", "out"});
  options.before_exec = [] {
    // A file may not outgrow this; with SIGXFSZ ignored the write fails as on a full disk.
    const rlimit limit{300000, 300000};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
  };
  const ProcessResult result = run_process(options);
  EXPECT_EQ(result.exit_code, 3) << result.out << result.err;
  EXPECT_EQ(verdict().at("verdict"), "INVALID");
  EXPECT_THAT(verdict().at("runs").at(0).at("stderr_tail").get<std::string>(),
              HasSubstr("fake trainer: "));
  expect_readable_and_incomplete();
}

TEST_F(Processes, AVerdictThatCannotBeWrittenIsInternal) {
  ProcessOptions options = command({"verify", "case.yaml", "--out", "out"});
  options.command = {"/bin/sh", "-c",
                     TWINRUN_BIN_DIR "/twinrun verify case.yaml --out out >/dev/full"};
  EXPECT_EQ(run_process(options).exit_code, 4);
}

TEST_F(Processes, ATrainerThatCannotBeStartedIsAUsageError) {
  write("trainer", "#!/nonexistent/interpreter\n");
  fs::permissions(path("trainer"), fs::perms::owner_all);
  std::string text = read("case.yaml");
  const std::size_t begin = text.find("  command:");
  text.replace(begin, text.find('\n', begin) - begin, "  command: [./trainer]");
  write("case.yaml", text);
  const ProcessResult result = verify();
  EXPECT_EQ(result.exit_code, 2) << result.out << result.err;
  EXPECT_THAT(result.err, HasSubstr("could not be started"));
}

}  // namespace
}  // namespace twinrun
