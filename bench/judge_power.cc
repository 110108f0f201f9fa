// judge_power bitwise|statistical OUT [--clean N] [--each N] [--seed N] [--table]: the judge's own
// error rates, by trials: clean pairs of runs, and pairs of which one has a fault of the catalogue
// (docs/faults.md), each with a case, seed and step drawn anew, trained by the twinrun-train beside
// this program and judged as `twinrun verify` does. OUT/trials.jsonl gets a line a trial; called
// again it goes on. --table prints what the lines so far come to, as docs/error-rates.md has it.

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

namespace {

namespace fs = std::filesystem;
using namespace twinrun;
using nlohmann::json;

constexpr int kWorkers = 2;

struct Options {
  bool noisy = false, table = false;
  fs::path out;
  std::int64_t clean = 299, each = 59;
  std::uint64_t seed = 1;
};

Options read_options(int argc, char** argv) {
  Options options;
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--table") {
      options.table = true;
    } else if (word.starts_with("--") && i + 1 < argc) {
      const std::int64_t value = std::stoll(argv[++i]);
      if (word == "--clean")
        options.clean = value;
      else if (word == "--each")
        options.each = value;
      else if (word == "--seed")
        options.seed = static_cast<std::uint64_t>(value);
      else
        throw std::invalid_argument(word);
    } else {
      words.push_back(word);
    }
  }
  if (words.size() != 2 || (words[0] != "bitwise" && words[0] != "statistical")) {
    throw std::invalid_argument("bitwise or statistical, then a folder");
  }
  options.noisy = words[0] == "statistical";
  options.out = words[1];
  return options;
}

json study_of(const Options& options) {
  return {{"study", options.noisy ? "statistical" : "bitwise"},
          {"clean", options.clean},
          {"each", options.each},
          {"seed", options.seed}};
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
  const json common = {{"architectures", {"LlamaForCausalLM"}},
                       {"model_type", "llama"},
                       {"hidden_act", "silu"},
                       {"vocab_size", 97},
                       {"hidden_size", 32},
                       {"intermediate_size", 48},
                       {"num_hidden_layers", 2},
                       {"num_attention_heads", 4},
                       {"rms_norm_eps", 1e-5},
                       {"rope_theta", 10000.0}};
  for (const bench::PowerCase& power_case : bench::power_cases(options.noisy)) {
    json model = common;
    model["num_key_value_heads"] = power_case.name == "grouped" ? 2 : 4;
    model["tie_word_embeddings"] = power_case.name == "accumulating";
    std::ofstream(options.out / "cases" / (power_case.name + ".json")) << model.dump();
    std::ofstream(options.out / "cases" / (power_case.name + ".yaml")) << power_case.yaml;
  }
}

fs::path calibrations_of(const Options& options, const std::string& power_case) {
  return options.out / "calibration" / power_case;
}

/// The calibration of every case, made where it is missing.
bool calibrate_cases(const Options& options) {
  for (const bench::PowerCase& power_case : bench::power_cases(true)) {
    const fs::path folder = calibrations_of(options, power_case.name);
    if (fs::exists(folder / "done")) continue;
    const int code = harness::calibrate_command(
        {(options.out / "cases" / (power_case.name + ".yaml")).string(), "--calibration",
         folder.string(), "--work", (options.out / "work" / power_case.name).string()});
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
        trials_(bench::plan_trials(options.clean, options.each, options.noisy, options.seed)),
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

  void work(int worker) {
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
  const Options options = read_options(argc, argv);
  if (options.table) {
    std::cout << bench::power_table(read_lines(options.out / "trials.jsonl"));
    return 0;
  }
  harness::install_interrupt_handlers();
  write_cases(options);
  if (options.noisy && !calibrate_cases(options)) return 3;
  Study study(options);
  // The kernel ends a trainer with the thread that started it, so these live until all is done.
  std::vector<std::jthread> workers;
  for (int worker = 0; worker < kWorkers; ++worker) {
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
  std::cerr << "judge_power: " << error.what()
            << "\nusage: judge_power bitwise|statistical OUT [--clean N] [--each N] [--seed N] "
               "[--table]\n";
  return 2;
}
