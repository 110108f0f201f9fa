// What may happen to a gate: kills, writes that fail, a full disk, a cancelled job. Whatever does,
// no verdict is green that should not be, every record on the disk can be read, and of a baseline
// the old one stands or a whole new one.
//
// TWINRUN_FAULTS sets how many kills and failed writes are tried (`all`: each write there is);
// without it a few, so that the test is quick. TWINRUN_TEST_SEED repeats a run.

#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "harness/protocol/record_reader.h"
#include "tests/e2e/toy_case.h"

namespace twinrun {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using protocol::RecordSummary;
using testing::AnyOf;
using testing::HasSubstr;

class GateFaults : public ToyCase {
 protected:
  GateFaults() {
    const char* seed = std::getenv("TWINRUN_TEST_SEED");
    seed_ = seed == nullptr ? std::random_device{}() : std::strtoull(seed, nullptr, 10);
    random_.seed(seed_);
    std::cout << "TWINRUN_TEST_SEED=" << seed_ << std::endl;
  }

  /// How many of `all` there are to be tried.
  static long tries(long few, long all) {
    const char* set = std::getenv("TWINRUN_FAULTS");
    if (set == nullptr) return few;
    return std::string(set) == "all" ? all : std::min(all, std::atol(set));
  }
  long below(long limit) { return std::uniform_int_distribution<long>(0, limit - 1)(random_); }

  ProcessOptions held(const std::vector<std::string>& more = {}) const {
    fs::remove_all(path("out"));
    std::vector<std::string> args = {"verify", "case.yaml", "--out",
                                     "out",    "--quiet",   "--baseline"};
    args.insert(args.end(), more.begin(), more.end());
    return command(args);
  }

  /// Every steps.jsonl on the disk: as far as it goes, it holds.
  void expect_readable() const {
    if (!fs::exists(path("out"))) return;
    for (const auto& entry : fs::recursive_directory_iterator(path("out"))) {
      if (entry.path().filename() != "steps.jsonl") continue;
      const auto summary = protocol::summarize_record(entry.path());
      EXPECT_THAT(summary.state,
                  AnyOf(RecordSummary::State::kComplete, RecordSummary::State::kIncomplete))
          << entry.path() << ": " << summary.problem;
      EXPECT_FALSE(summary.chain_broken) << entry.path();
      ++records_;
    }
  }

  /// verdict.json is whole or absent; returns its verdict, or "".
  std::string verdict_there() const {
    if (!fs::exists(path("out/verdict.json"))) return "";
    const json parsed = json::parse(read("out/verdict.json"), nullptr, false);
    EXPECT_FALSE(parsed.is_discarded()) << read("out/verdict.json");
    return parsed.is_discarded() ? "?" : parsed.at("verdict").get<std::string>();
  }

  /// A green exit has its evidence on the disk, and the evidence says the same when judged again.
  void expect_no_false_green(const ProcessResult& result) {
    if (result.exit_code != 0) return;
    ++green_;
    EXPECT_EQ(verdict_there(), "REPRODUCED") << result.err;
    EXPECT_EQ(twinrun({"compare", "out/a", "out/b"}).exit_code, 0);
  }

  /// The curves, pending ones too, are whole; what `show` calls obsolete is half of a pending one.
  void expect_whole_curves() const {
    if (!fs::exists(path("curves"))) return;
    const ProcessResult shown = twinrun({"baseline", "show", "curves", "--json"});
    EXPECT_EQ(shown.exit_code, 0) << shown.out;
    for (const json& curve : json::parse(shown.out).at("curves")) {
      EXPECT_NE(curve.at("state"), "broken") << curve;
      EXPECT_NE(curve.at("state"), "obsolete") << curve;
    }
  }

  void expect_all(const ProcessResult& result) {
    expect_readable();
    expect_no_false_green(result);
    expect_whole_curves();
  }

  std::uint64_t seed_ = 0;
  std::mt19937_64 random_;
  mutable long records_ = 0;
  long green_ = 0;
};

double seconds_of(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Kills process `child` if it still runs and `judge` is its parent: its number may be another's.
bool kill_child(const Process& judge, pid_t child) {
  std::ostringstream text;
  text << std::ifstream("/proc/" + std::to_string(child) + "/stat").rdbuf();
  const std::string line = text.str();  // NUMBER (NAME) STATE PARENT ...
  const std::string state = line.substr(std::min(line.size(), line.rfind(')') + 2));
  const bool lives = state.find(" " + std::to_string(judge.pid()) + " ") == 1 && state[0] != 'Z';
  return lives && kill(child, SIGKILL) == 0;
}

TEST_F(GateFaults, AJudgeThatIsKilledAtAnyMoment) {
  const double whole_s = seconds_of([&] { EXPECT_EQ(run_process(held()).exit_code, 0); });
  const long kills = tries(8, 200);
  long tried = 0, hits = 0;
  for (; hits < kills && tried < 3 * kills; ++tried) {
    fs::remove_all(path("curves"));
    Process judge(held());
    std::this_thread::sleep_for(
        std::chrono::duration<double>(whole_s * static_cast<double>(below(1000)) / 1000));
    judge.send(SIGKILL);
    const ProcessResult result = judge.wait();
    hits += result.signal == SIGKILL ? 1 : 0;
    expect_all(result);
  }
  EXPECT_EQ(hits, kills) << "of " << tried << " the others came too late";
  EXPECT_LE(green_, tried - hits);
  EXPECT_GT(records_, 0);
  std::cout << tried << " tries, " << hits << " kills of a judge at work, " << records_
            << " records read" << std::endl;
}

TEST_F(GateFaults, ATrainerThatIsKilledAtAnyMoment) {
  params("{tell_pid: true, step_seconds: 0.1}");
  const std::vector<std::pair<std::string, long>> runs = {
      {"out/a", 6}, {"out/b", 6}, {"out/controls/seed-plus-one", 2}};
  const long kills = tries(8, 200);
  long tried = 0, hits = 0;
  for (; hits < kills && tried < 3 * kills; ++tried) {
    const auto& [run, steps] = runs[static_cast<std::size_t>(below(3))];
    const long written = below(steps), more_ms = below(90);
    SCOPED_TRACE(run + " behind step " + std::to_string(written));
    fs::remove_all(path("curves"));
    Process judge(held());
    // A record begins with its header and the state before training.
    const auto reached = [&] {
      return lines(run + "/steps.jsonl").size() >= 2 + static_cast<std::size_t>(written);
    };
    ASSERT_TRUE(eventually(60, reached));
    std::this_thread::sleep_for(std::chrono::milliseconds(more_ms));
    const bool hit = kill_child(judge, static_cast<pid_t>(std::stol(read(run + "/stdout.log"))));
    const ProcessResult result = judge.wait();
    expect_all(result);
    EXPECT_EQ(result.exit_code, hit ? 3 : 0) << result.err;
    hits += hit ? 1 : 0;
  }
  EXPECT_EQ(hits, kills) << "of " << tried << " the others came too late";
  EXPECT_GT(records_, 0);
  std::cout << tried << " tries, " << hits << " kills of a trainer at work, " << records_
            << " records read" << std::endl;
}

/// A sweep over the calls by which the judge changes something on the disk.
class FailedWrites : public GateFaults {
 protected:
  ProcessResult fail_at(long call, const std::string& how, bool sticky,
                        const std::vector<std::string>& more) const {
    ProcessOptions options = held(more);
    options.environment = {{"LD_PRELOAD", FAIL_AT_CALL},       {"FAIL_FOLDER", path("").string()},
                           {"FAIL_AT", std::to_string(call)},  {"FAIL_HOW", how},
                           {"FAIL_STICKY", sticky ? "1" : ""}, {"FAIL_COUNT", count_file()}};
    return run_process(options);
  }
  std::string count_file() const { return path("").parent_path().string() + ".count"; }
  long calls() const {
    std::ifstream file(count_file());
    long count = 0;
    file >> count;
    return count;
  }
  /// `chosen` of the calls 1 to `all`, evenly apart, from one drawn anew.
  std::vector<long> places(long all, long chosen) {
    const long first = below(all / chosen);
    std::vector<long> calls;
    for (long i = 0; i < chosen; ++i) calls.push_back(1 + first + i * all / chosen);
    return calls;
  }
  void TearDown() override { fs::remove(count_file()); }
};

TEST_F(FailedWrites, EveryOneInTurn) {
  ASSERT_EQ(fail_at(0, "ENOSPC", false, {}).exit_code, 0);
  const long all = calls();
  ASSERT_GT(all, 25);
  struct Way {
    const char* how;
    bool sticky;
  };
  const std::vector<Way> ways = {
      {"ENOSPC", false}, {"ENOSPC", true}, {"EIO", false}, {"short", false}};
  const long chosen = tries(6, all);
  long failed = 0;
  for (const Way& way : ways) {
    for (const long call : places(all, chosen)) {
      fs::remove_all(path("curves"));
      const ProcessResult result = fail_at(call, way.how, way.sticky, {});
      SCOPED_TRACE(std::string(way.how) + (way.sticky ? " from" : " at") + " call " +
                   std::to_string(call) + ": " + std::to_string(result.exit_code) + " " +
                   result.err);
      EXPECT_THAT(result.exit_code, AnyOf(0, 2, 3, 4));
      if (std::string(way.how) == "short") {
        EXPECT_EQ(result.exit_code, 0);
      }
      if (result.exit_code != 0) ++failed;
      expect_all(result);
    }
  }
  EXPECT_GT(failed, 0);
  std::cout << all << " calls, " << 4 * chosen << " tried, " << failed
            << " without a green verdict, " << records_ << " records read" << std::endl;
}

TEST_F(FailedWrites, NoneTurnsADifferenceGreen) {
  const std::vector<std::string> differs = {"--inject", "b:loss-ulp@3"};
  ASSERT_EQ(fail_at(0, "ENOSPC", false, differs).exit_code, 1);
  const long all = calls();
  for (const long call : places(all, tries(6, all))) {
    const ProcessResult result = fail_at(call, "ENOSPC", call % 2 == 1, differs);
    EXPECT_THAT(result.exit_code, AnyOf(1, 2, 3, 4)) << result.err;
    EXPECT_NE(verdict_there(), "REPRODUCED");
    expect_readable();
  }
}

TEST_F(FailedWrites, AcceptLeavesTheOldBaselineOrTheNewOne) {
  const ProcessOptions accept =
      command({"baseline", "accept", path("curves").string(), "--why", "x", "--who", "Ann"});
  // A baseline, and another curve of the same key that waits for its place.
  own_trainer();
  ASSERT_EQ(run_process(held()).exit_code, 0);
  ASSERT_EQ(run_process(accept).exit_code, 0);
  change_trainer("lr = 0.01 *", "lr = 0.02 *");
  ASSERT_EQ(run_process(held()).exit_code, 1);
  const auto with = [&](long call, const char* preload, const std::string& how) {
    ProcessOptions options = accept;
    options.environment = {{"LD_PRELOAD", preload},
                           {"FAIL_FOLDER", path("").string()},
                           {"FAIL_AT", std::to_string(call)},
                           {"FAIL_HOW", how},
                           {"FAIL_STICKY", ""},
                           {"FAIL_COUNT", count_file()},
                           {"KILL_FOLDER", path("curves").string()},
                           {"KILL_AT", std::to_string(call)},
                           {"KILL_COUNT", "/dev/null"}};
    return run_process(options);
  };
  fs::copy(path("curves"), path("saved"));
  ASSERT_EQ(with(0, FAIL_AT_CALL, "ENOSPC").exit_code, 0);
  const long all = calls();
  ASSERT_GT(all, 8);
  long killed = 0, refused = 0;
  for (const char* how : {"ENOSPC", "EIO", "short", "kill"}) {
    for (const long call : places(all, tries(3, all))) {
      fs::remove_all(path("curves"));
      fs::copy(path("saved"), path("curves"));
      const bool killing = std::string(how) == "kill";
      const ProcessResult result = with(call, killing ? KILL_AT_CALL : FAIL_AT_CALL, how);
      SCOPED_TRACE(std::string(how) + " at call " + std::to_string(call) + ": " + result.err);
      killed += result.signal == SIGKILL ? 1 : 0;
      refused += result.exit_code == 4 ? 1 : 0;
      const ProcessResult shown = twinrun({"baseline", "show", "curves", "--json"});
      EXPECT_EQ(shown.exit_code, 0) << shown.out;
      // Called again, it goes through, unless it had: then nothing is pending, or half of it.
      EXPECT_THAT(run_process(accept).exit_code, AnyOf(0, 2, 5));
      EXPECT_THAT(run_process(held()).out, HasSubstr("run a equals the baseline's 6 steps"));
    }
  }
  EXPECT_GT(killed, 1);
  EXPECT_GT(refused, 1);
  std::cout << all << " calls of accept: " << killed << " kills, " << refused << " failed writes"
            << std::endl;
}

TEST_F(GateFaults, AFullDiskUnderAllOfIt) {
  params("{pad_tensors: 2000}");
  const std::vector<long> sizes_kb = {4, 16, 24, 32, 48, 64, 96, 128, 192, 1024};
  std::set<int> codes;
  for (const long size_kb : sizes_kb) {
    fs::create_directories(path("disk"));
    ProcessOptions options = command({"verify", "../case.yaml", "--out", "out", "--quiet"});
    const std::string disk = path("disk").string();
    const std::string size = "size=" + std::to_string(size_kb) + "k";
    // The disk is gone with the process, so what is on it is judged and copied by a shell within.
    options.command = {"/bin/sh", "-c",
                       TWINRUN_BIN_DIR
                       "/twinrun verify ../case.yaml --out out --quiet; code=$?; "
                       "cp -r out ../out; exit $code"};
    options.cwd = path("");
    options.before_exec = [&] {
      const int spaces = geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER;
      if (unshare(spaces) != 0) _exit(99);
      mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
      if (mount("none", disk.c_str(), "tmpfs", 0, size.c_str()) != 0) _exit(98);
      if (chdir(disk.c_str()) != 0) _exit(97);
    };
    fs::remove_all(path("out"));
    const ProcessResult result = run_process(options);
    SCOPED_TRACE(size + ": " + result.err);
    ASSERT_LT(result.exit_code, 90) << "no disk could be mounted here";
    codes.insert(result.exit_code);
    expect_readable();
    expect_no_false_green(result);
  }
  EXPECT_TRUE(codes.count(0)) << "the largest is large enough";
  EXPECT_GT(codes.size(), 1u) << "the smallest is too small";
}

/// What a hosted runner does to a job that is cancelled: SIGINT, 7.5 s, SIGTERM, 2.5 s, SIGKILL.
class Cancelled : public GateFaults, public testing::WithParamInterface<const char*> {};

TEST_P(Cancelled, LeavesReadableRecordsBeforeItIsKilled) {
  params(GetParam());
  Process judge(held());
  ASSERT_TRUE(eventually(30, [&] { return lines("out/a/steps.jsonl").size() >= 3; }));
  ProcessResult result;
  const double seconds = seconds_of([&] {
    judge.send(SIGINT);
    result = judge.wait();
  });
  EXPECT_LT(seconds, 7.5);
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_THAT(result.err, HasSubstr("interrupted, no verdict"));
  expect_readable();
  EXPECT_EQ(records_, 1);
  EXPECT_EQ(verdict_there(), "");
  EXPECT_FALSE(fs::exists(path("curves")));
  const json manifest = read_json("out/a/manifest.json");
  EXPECT_EQ(manifest.at("status"), "running");
  const json judged = json::parse(twinrun({"compare", "out/a", "out/a", "--json"}).out);
  EXPECT_EQ(judged.at("runs").at(0).at("reason"), "incomplete") << judged;
}

INSTANTIATE_TEST_SUITE_P(Trainers, Cancelled,
                         testing::Values("{step_seconds: 0.3}",
                                         "{step_seconds: 2, ignore_signals: true}"));

TEST_F(GateFaults, ASecondSignalChangesNothing) {
  params("{step_seconds: 0.3, ignore_signals: true}");
  Process judge(held());
  ASSERT_TRUE(eventually(30, [&] { return lines("out/a/steps.jsonl").size() >= 3; }));
  judge.send(SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  judge.send(SIGTERM);
  EXPECT_THAT(judge.wait().exit_code, AnyOf(130, 143));
  expect_readable();
  EXPECT_EQ(verdict_there(), "");
}

}  // namespace
}  // namespace twinrun
