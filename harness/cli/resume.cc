#include "harness/cli/resume.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <vector>

#include "harness/compare/comparability.h"
#include "harness/exit_code.h"
#include "harness/protocol/strict_json.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

[[noreturn]] void refuse(const fs::path& run_dir, const std::string& why) {
  throw UsageError("--resume: '" + run_dir.string() + "' " + why);
}

protocol::RunConfig read_config(const fs::path& run_dir) {
  if (!fs::exists(run_dir / "config.json")) {
    refuse(run_dir, "holds no run: there is no config.json. Start one without --resume");
  }
  try {
    return protocol::read_run_config(run_dir / "config.json");
  } catch (const std::runtime_error& error) {
    throw UsageError(std::string("--resume: ") + error.what());
  }
}

/// A run that was killed at once has no manifest yet.
void require_unfinished(const fs::path& run_dir) {
  const fs::path path = run_dir / "manifest.json";
  if (!fs::exists(path)) return;
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  std::string problem = "not a JSON object";
  const auto manifest = protocol::parse_strict_json(text, problem);
  if (!manifest || !manifest->is_object()) throw UsageError(path.string() + ": " + problem);
  if (manifest->value("status", json()) != "complete") return;
  refuse(run_dir, "holds a run that is complete: there is nothing to resume");
}

/// "train.steps is 20, the run has 10", the first few.
std::string differences_text(const json& now, const json& run) {
  constexpr std::size_t kNamed = 4;
  const std::vector<Difference> all = json_differences(now, run);
  std::string text;
  for (std::size_t i = 0; i < std::min(all.size(), kNamed); ++i) {
    std::string key = all[i].field.substr(1);
    std::replace(key.begin(), key.end(), '/', '.');
    text +=
        (i > 0 ? "; " : "") + key + " is " + all[i].a.dump() + ", the run has " + all[i].b.dump();
  }
  if (all.size() > kNamed) text += "; and " + std::to_string(all.size() - kNamed) + " more";
  return one_line(text);
}

}  // namespace

protocol::RunConfig config_to_resume(const protocol::RunConfig& config, const fs::path& run_dir) {
  const protocol::RunConfig run = read_config(run_dir);
  require_unfinished(run_dir);
  if (run.identity_digest() != config.identity_digest()) {
    refuse(run_dir, "holds a run of another identity than the case: " +
                        differences_text(config.identity, run.identity));
  }
  const auto of = [](const json& launch, const char* key) { return launch.value(key, json()); };
  // What the run's files have in them, besides what follows from the identity.
  const auto contents = [&](const protocol::RunConfig& one) {
    return json{{"record", of(one.launch, "record")},
                {"evaluation", of(one.judgement, "evaluation")}};
  };
  const json now = contents(config), then = contents(run);
  if (now != then) {
    refuse(run_dir,
           "cannot go on with another record or evaluation: " + differences_text(now, then));
  }
  protocol::RunConfig resumed = config;
  for (const char* own : {"run", "stop_after"}) resumed.launch[own] = of(run.launch, own);
  return resumed;
}

}  // namespace twinrun::harness
