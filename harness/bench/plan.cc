#include "harness/bench/plan.h"

#include <stdexcept>

#include "harness/protocol/sha256.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

using Kind = ComparisonSpec::Kind;

std::string file_word(const std::string& name) {
  std::string word;
  for (const char c : name) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    word += plain ? c : '-';
  }
  return word;
}

void add_switches(const BenchSettings& settings, std::vector<ComparisonSpec>& plan) {
  const std::string& base = settings.modes.front();
  const std::string full = "deterministic";
  for (const std::string& name : settings.switches) {
    plan.push_back({Kind::kSwitchOn,
                    base + " + " + name,
                    {.name = base, .numerics = base},
                    {"on-" + file_word(name), base, 0, {{name, true}}}});
  }
  for (const std::string& name : settings.switches) {
    plan.push_back({Kind::kSwitchOff,
                    full + " - " + name,
                    {.name = full, .numerics = full},
                    {"off-" + file_word(name), full, 0, {{name, false}}}});
  }
}

}  // namespace

nlohmann::json BenchSettings::to_json() const {
  return {{"schema", kBenchSchema},
          {"modes", modes},
          {"switches", switches},
          {"budget", budget},
          {"confidence", confidence},
          {"half_width", half_width},
          {"half_width_min", half_width_min},
          {"blocks_min", blocks_min},
          {"blocks_max", blocks_max},
          {"blocks_per_process", blocks_per_process},
          {"segments_per_reference", segments_per_reference},
          {"window_s", window_s},
          {"delay", delay},
          {"excluded_max", excluded_max},
          {"same_again_max", same_again_max}};
}

std::string to_string(Kind kind) {
  switch (kind) {
    case Kind::kCandidate:
      return "candidate";
    case Kind::kSameAgain:
      return "same-again";
    case Kind::kDelay:
      return "delay";
    case Kind::kSwitchOn:
      return "switch-on";
    case Kind::kSwitchOff:
      return "switch-off";
  }
  throw std::invalid_argument("no such kind of comparison");
}

std::vector<ComparisonSpec> plan_comparisons(const BenchSettings& settings) {
  const std::string& base = settings.modes.at(0);
  const ArmSpec reference{.name = base, .numerics = base};
  std::vector<ComparisonSpec> plan;
  for (std::size_t i = 1; i < settings.modes.size(); ++i) {
    const std::string& mode = settings.modes[i];
    plan.push_back(
        {Kind::kCandidate, mode + " / " + base, reference, {.name = mode, .numerics = mode}});
  }
  plan.push_back({Kind::kSameAgain,
                  base + " / " + base,
                  reference,
                  {.name = base + "-again", .numerics = base}});
  plan.push_back({Kind::kDelay,
                  base + " + " + number_text("%g %%", settings.delay * 100) + " delay",
                  reference,
                  {base + "-delayed", base, settings.delay, {}}});
  add_switches(settings, plan);
  return plan;
}

std::uint64_t turn(std::uint64_t seed, const std::string& name, std::int64_t round) {
  const protocol::Digest digest = protocol::sha256("twinrun-bench/1/" + std::to_string(seed) + "/" +
                                                   name + "/" + std::to_string(round));
  std::uint64_t first = 0;
  for (int i = 0; i < 8; ++i) first = first << 8 | digest[i];
  return first;
}

std::string block_order(std::uint64_t seed, const std::string& name, std::int64_t index) {
  return (turn(seed, name + "/block", index) & 1) == 0 ? "ABBA" : "BAAB";
}

}  // namespace twinrun::harness
