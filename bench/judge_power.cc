// judge_power bitwise|statistical|gpu OUT [--clean N] [--each N] [--only FAULT] [--seed N]
// [--workers N]: the judge's own error rates, by trials: clean pairs of runs, and pairs of which
// one has a fault of the catalogue (docs/faults.md), each with a case, seed and step drawn anew,
// trained by the twinrun-train beside this program and judged as `twinrun verify` does.
// OUT/trials.jsonl gets a line a trial; called again it goes on.
//
// judge_power table FILE...: what all trials of files of one kind of study come to, as
// docs/error-rates.md has it.

#include <atomic>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include "bench/power_table.h"
#include "bench/power_trials.h"
#include "harness/calibrate/calibration_file.h"
#include "harness/cli/commands.h"
#include "harness/cli/resolve.h"
#include "harness/cli/window_runs.h"
#include "harness/launch/launch.h"
#include "harness/protocol/append_file.h"
#include "harness/report/verdict_json.h"

namespace {

namespace fs = std::filesystem;
using namespace twinrun;
using nlohmann::json;

constexpr const char* kUsage =
    "\nusage: judge_power bitwise|statistical|gpu OUT [--clean N] [--each N] [--only FAULT] "
    "[--seed N] [--workers N]\n       judge_power table FILE...\n";

const std::map<std::string, bench::Study> kStudies = {{"bitwise", bench::Study::kBitwise},
                                                      {"statistical", bench::Study::kStatistical},
                                                      {"gpu", bench::Study::kGpu}};

struct Options {
  std::string name, only;
  bench::Study study = bench::Study::kBitwise;
  fs::path out;
  std::int64_t clean = 299, each = 59, seed = 1, workers = 2;

  bool calibrated() const { return study != bench::Study::kBitwise; }
};

Options read_options(const std::vector<std::string>& words) {
  Options options;
  const std::map<std::string, std::int64_t*> numbers = {{"--clean", &options.clean},
                                                        {"--each", &options.each},
                                                        {"--seed", &options.seed},
                                                        {"--workers", &options.workers}};
  if (words.size() < 2) throw std::invalid_argument("a study, then a folder");
  options.name = words[0];
  options.study = kStudies.at(words[0]);
  options.out = words[1];
  for (std::size_t i = 2; i < words.size(); i += 2) {
    if (words[i] == "--only") {
      options.only = words.at(i + 1);
    } else {
      *numbers.at(words[i]) = std::stoll(words.at(i + 1));
    }
  }
  return options;
}

json study_of(const Options& options) {
  const harness::ProgramVersion program = harness::program_version();
  return {{"study", options.name},         {"clean", options.clean},
          {"each", options.each},          {"only", options.only},
          {"seed", options.seed},          {"git_commit", program.git_commit},
          {"git_dirty", program.git_dirty}};
}

std::vector<json> read_lines(const fs::path& file) {
  std::vector<json> lines;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    json object = json::parse(line, nullptr, false);
    if (!object.is_discarded()) lines.push_back(std::move(object));
  }
  return lines;
}

void write_cases(const Options& options) {
  fs::create_directories(options.out / "cases");
  for (const bench::PowerCase& power_case : bench::power_cases(options.study)) {
    std::ofstream(options.out / "cases" / (power_case.name + ".json")) << power_case.model.dump();
    std::ofstream(options.out / "cases" / (power_case.name + ".yaml")) << power_case.yaml;
  }
}

fs::path calibrations_of(const Options& options, const std::string& power_case) {
  return options.out / "calibration" / power_case;
}

/// The calibration of every case, made where it is missing.
bool calibrate_cases(const Options& options) {
  for (const bench::PowerCase& power_case : bench::power_cases(options.study)) {
    const fs::path folder = calibrations_of(options, power_case.name);
    if (fs::exists(folder / "done")) continue;
    const int code = harness::calibrate_command(
        {(options.out / "cases" / (power_case.name + ".yaml")).string(), "--calibration",
         folder.string(), "--work", (options.out / "work" / power_case.name).string(), "--jobs",
         std::to_string(options.workers)});
    if (code != 0) return false;
    for (const auto& entry : fs::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      const std::size_t at = name.find(".pending.json");
      if (at != std::string::npos)
        fs::rename(entry.path(), folder / (name.substr(0, at) + ".json"));
    }
    std::ofstream(folder / "done") << "\n";
  }
  return true;
}

class Study {
 public:
  explicit Study(const Options& options)
      : options_(options),
        trials_(bench::plan_trials(options.clean, options.each, options.study,
                                   static_cast<std::uint64_t>(options.seed), options.only)),
        file_(options.out / "trials.jsonl", protocol::AppendFile::Open::kContinue) {
    if (!file_.append(study_of(options).dump() + "\n")) {
      throw std::runtime_error(file_.path().string() + ": is of another study");
    }
    for (const json& line : read_lines(file_.path())) {
      if (!line.contains("trial")) continue;
      done_.insert(line.at("trial").get<std::int64_t>());
      if (!file_.append(line.dump() + "\n")) throw std::runtime_error("trials.jsonl was edited");
    }
  }

  void work(std::int64_t worker) {
    for (std::size_t i = next_++; i < trials_.size(); i = next_++) {
      const bench::Trial& trial = trials_[i];
      if (done_.count(trial.number) > 0) continue;
      const harness::ResolvedCase resolved =
          harness::resolve_for_run(options_.out / "cases" / (trial.power_case + ".yaml"),
                                   {"seed=" + std::to_string(trial.seed)}, "");
      const json line = bench::run_trial(
          trial, resolved, fs::absolute(options_.out) / ("trial-" + std::to_string(worker)),
          calibrations_of(options_, trial.power_case));
      if (harness::interrupt_signal() != 0) return;
      const std::lock_guard lock(mutex_);
      if (!file_.append(line.dump() + "\n")) throw std::runtime_error("trials.jsonl has changed");
      std::cerr << trial.number + 1 << " of " << trials_.size() << ": " << line.dump() << "\n";
    }
  }

 private:
  const Options& options_;
  std::vector<bench::Trial> trials_;
  protocol::AppendFile file_;
  std::set<std::int64_t> done_;
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;
};

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() > 1 && words[0] == "table") {
    std::vector<json> lines;
    for (std::size_t i = 1; i < words.size(); ++i) {
      const std::vector<json> some = read_lines(words[i]);
      lines.insert(lines.end(), some.begin(), some.end());
    }
    std::cout << bench::power_table(lines);
    return 0;
  }
  const Options options = read_options(words);
  harness::install_interrupt_handlers();
  write_cases(options);
  if (options.calibrated() && !calibrate_cases(options)) return 3;
  Study study(options);
  // The kernel ends a trainer with the thread that started it, so these live until all is done.
  std::vector<std::jthread> workers;
  for (std::int64_t worker = 0; worker < options.workers; ++worker) {
    workers.emplace_back([&study, worker] {
      try {
        study.work(worker);
      } catch (const std::exception& error) {
        std::cerr << "judge_power: " << error.what() << "\n";
        std::_Exit(3);
      }
    });
  }
  workers.clear();
  return harness::interrupt_signal() == 0 ? 0 : 3;
} catch (const std::exception& error) {
  std::cerr << "judge_power: " << error.what() << kUsage;
  return 2;
}
