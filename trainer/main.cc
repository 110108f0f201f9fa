#include <malloc.h>

#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "trainer/bench/bench.h"
#include "trainer/infer/infer.h"
#include "trainer/train/doctor.h"
#include "trainer/train/run.h"
#include "twinrun_version.h"

namespace {

constexpr const char* kHelp =
    "twinrun-train: the LoRA trainer that twinrun starts\n"
    "\n"
    "  twinrun-train train CONFIG.json --run-dir DIR [--resume]\n"
    "                                                  one training run (docs/protocol.md); "
    "--resume\n"
    "                                                  continues one that was stopped\n"
    "  twinrun-train bench CONFIG.json --run-dir DIR   measures steps: reads `run N` and `quit`, "
    "answers a\n"
    "                                                  line of JSON each; CONFIG.json has "
    "launch.bench\n"
    "  twinrun-train infer CONFIG.json --run-dir DIR [--adapter ADAPTER|none] [--prompts FILE]\n"
    "      [--reference FILE]                          answers to prompts, to those of a "
    "reference,\n"
    "                                                  or both: DIR/inference.jsonl\n"
    "  twinrun-train doctor [CONFIG.json] --json       what the libraries report about this "
    "machine\n"
    "  twinrun-train --help | --version\n"
    "\n"
    "Exit codes: 0 complete, 2 the caller can fix it, 3 the run failed.\n"
    "Example: twinrun-train train out/a/config.json --run-dir out/a\n"
    "         twinrun-train infer out/a/config.json --run-dir out/a --prompts prompts.jsonl\n"
    "         printf 'run 20\\nquit\\n' | twinrun-train bench arm/config.json --run-dir arm\n";

int usage(const std::string& message) {
  std::cerr << "twinrun-train: " << message << "; see twinrun-train --help\n";
  return 2;
}

int train(const std::vector<std::string>& args) {
  const bool resume = args.size() == 5 && args[4] == "--resume";
  if ((args.size() != 4 && !resume) || args[2] != "--run-dir") {
    return usage("train takes CONFIG.json --run-dir DIR [--resume]");
  }
  const std::filesystem::path run_dir = args[3];
  if (!std::filesystem::is_directory(run_dir)) return usage(run_dir.string() + " is not a folder");
  if (!resume && std::filesystem::exists(run_dir / "manifest.json")) {
    return usage(run_dir.string() + " holds an earlier run; name another folder, or --resume it");
  }
  return twinrun::trainer::run_training(twinrun::protocol::read_run_config(args[1]), run_dir,
                                        resume);
}

int bench(const std::vector<std::string>& args) {
  if (args.size() != 4 || args[2] != "--run-dir") {
    return usage("bench takes CONFIG.json --run-dir DIR");
  }
  if (!std::filesystem::is_directory(args[3])) return usage(args[3] + " is not a folder");
  return twinrun::trainer::run_bench(twinrun::protocol::read_run_config(args[1]), std::cin,
                                     std::cout);
}

int infer(const std::vector<std::string>& args) {
  constexpr const char* kForm =
      "infer takes CONFIG.json --run-dir DIR [--adapter ADAPTER|none] [--prompts FILE] "
      "[--reference FILE], at least one of the last two";
  if (args.size() < 2 || args.size() % 2 != 0) return usage(kForm);
  std::map<std::string, std::string> flags;
  for (std::size_t i = 2; i < args.size(); i += 2) {
    const bool known = args[i] == "--run-dir" || args[i] == "--adapter" || args[i] == "--prompts" ||
                       args[i] == "--reference";
    if (!known) return usage("infer knows no '" + args[i] + "'; " + kForm);
    if (!flags.emplace(args[i], args[i + 1]).second) return usage(args[i] + " is there twice");
  }
  if (!flags.contains("--run-dir") ||
      (!flags.contains("--prompts") && !flags.contains("--reference"))) {
    return usage(kForm);
  }
  twinrun::trainer::InferOptions options;
  options.run_dir = flags.at("--run-dir");
  if (!std::filesystem::is_directory(options.run_dir)) {
    return usage(options.run_dir.string() + " is not a folder");
  }
  const auto path = [&](const char* flag) {
    const auto found = flags.find(flag);
    return found == flags.end() ? std::nullopt
                                : std::optional<std::filesystem::path>(found->second);
  };
  options.prompts = path("--prompts");
  options.reference = path("--reference");
  options.adapter = path("--adapter");
  options.base_model = options.adapter == "none";
  return twinrun::trainer::run_inference(twinrun::protocol::read_run_config(args[1]), options);
}

}  // namespace

int main(int argc, char** argv) {
  // A step frees and takes the same few megabytes thousands of times: keep them, since fresh pages
  // cost a fault and a clearing each.
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
  const std::vector<std::string> args(argv + 1, argv + argc);
  try {
    if (args.empty()) return usage("no command given");
    if (args[0] == "--help") return std::cout << kHelp, 0;
    if (args[0] == "--version") return std::cout << "twinrun-train " TWINRUN_VERSION "\n", 0;
    if (args[0] == "train") return train(args);
    if (args[0] == "bench") return bench(args);
    if (args[0] == "infer") return infer(args);
    if (args[0] == "doctor") {
      const bool has_config = args.size() > 1 && args[1] != "--json";
      const auto config = has_config ? std::optional<std::filesystem::path>(args[1]) : std::nullopt;
      return std::cout << twinrun::trainer::doctor(config).dump(2) << "\n", 0;
    }
    return usage("unknown command '" + args[0] + "'");
  } catch (const std::exception& error) {
    return usage(error.what());
  }
}
