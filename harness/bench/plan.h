#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace twinrun::harness {

/// Version of bench.json and windows.jsonl.
inline constexpr int kBenchSchema = 1;

/// What is fixed before the first window is timed. docs/bench.md says why each value is what it is.
struct BenchSettings {
  std::vector<std::string> modes = {"fast", "deterministic"};  ///< the first is the reference
  std::vector<std::string> switches;  ///< to attribute to; empty: not asked for
  double budget = 1.05;               ///< largest allowed ratio of step times
  double confidence = 0.95;
  double half_width = 0.01;  ///< of a ratio, as a fraction of it: measuring stops there
  /// What is claimed at best: blocks of a few processes do not tell how much processes differ.
  double half_width_min = 0.005;
  int blocks_min = 8, blocks_max = 60;
  int blocks_per_process = 4;  ///< then the arm starts afresh
  int segments_per_reference =
      3;  ///< so many arms meet the same reference process; twice as many of an attribution
  double window_s = 0.5;          ///< shortest window; a longer step is a window by itself
  double delay = 0.03;            ///< injected into the arm that has to be seen
  double excluded_max = 0.1;      ///< share of blocks
  double same_again_max = 0.005;  ///< by how much the interval of A/A may miss 1

  /// As it stands in bench.json; with its digest a session is told from another.
  nlohmann::json to_json() const;
};

/// One warmed process to be timed.
struct ArmSpec {
  std::string name;  ///< `fast`, `fast-again`, ...: launch.run, and part of a folder's name
  std::string numerics;
  double delay = 0;                           ///< fraction of a step that is waited inside each
  std::map<std::string, bool> switches = {};  ///< forced on or off

  bool operator==(const ArmSpec&) const = default;
};

/// An arm against its reference: a ratio is time of `arm` over time of `reference`.
struct ComparisonSpec {
  enum class Kind {
    kCandidate,  ///< a mode over the reference mode: held against the budget
    kSameAgain,  ///< a second process of the reference (A/A): has to give 1
    kDelay,      ///< the reference with a known delay: has to be seen
    kSwitchOn,   ///< the reference with one switch of `deterministic` on
    kSwitchOff,  ///< `deterministic` with one switch off
  };
  Kind kind = Kind::kCandidate;
  std::string name;  ///< `deterministic / fast`
  ArmSpec reference, arm;

  /// Attribution explains a verdict, it does not make one: without it a report is whole.
  bool attribution() const { return kind == Kind::kSwitchOn || kind == Kind::kSwitchOff; }
};

/// candidate, same-again, delay, switch-on, switch-off
std::string to_string(ComparisonSpec::Kind kind);

/// Candidates, then the two controls, then, of `switches`, each alone on and each alone off.
/// REQUIRES: two modes or more; `deterministic` among them where there are switches.
std::vector<ComparisonSpec> plan_comparisons(const BenchSettings& settings);

/// Order of the windows of a block: ABBA or BAAB (A the reference), as the seed says for block
/// `index` of comparison `name`.
std::string block_order(std::uint64_t seed, const std::string& name, std::int64_t index);

/// Whose turn it is where several have had as many: a number that only seed, name and round decide.
std::uint64_t turn(std::uint64_t seed, const std::string& name, std::int64_t round);

}  // namespace twinrun::harness
