#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "harness/bench/estimate.h"
#include "harness/bench/plan.h"
#include "harness/bench/window.h"

namespace twinrun::harness {

/// A warmed process that is timed on request and waits asleep between requests.
class Arm {
 public:
  virtual ~Arm() = default;
  virtual const ArmReady& ready() const = 0;
  /// Times `steps` steps. Throws ArmError.
  virtual Window run(std::int64_t steps) = 0;
};

/// Where arms come from; the seam at which tests and the simulation take the place of a trainer.
class ArmSource {
 public:
  virtual ~ArmSource() = default;
  /// Starts a fresh process and waits until it is warm. Throws ArmError.
  virtual std::unique_ptr<Arm> start(const ArmSpec& spec, std::int64_t process) = 0;
  /// Seconds since this source was made.
  virtual double now_s() = 0;
};

/// All that is known of one comparison.
struct ComparisonState {
  ComparisonSpec spec;
  std::vector<Block> blocks;
  std::string failed_reason, failed_message;  ///< its arm could not run

  bool failed() const { return !failed_reason.empty(); }
  int segments(const BenchSettings& settings) const;
  /// Failed, precise, or tried often enough: nothing more is measured for it.
  bool done(const BenchSettings& settings) const;
};

struct SessionState {
  std::uint64_t seed = 0;
  std::vector<ComparisonState> comparisons;
  std::int64_t processes = 0;  ///< started so far
  nlohmann::json device;       ///< of the first arm; null before it
};

/// Called with each fact as it arises; written down before anything is made of it.
using FactSink = std::function<void(const nlohmann::json& fact)>;

/// Measures until every comparison is done or `time_limit_s` is spent (a block that has begun is
/// ended; what would not fit is not begun). Stops on precision, never on what the ratio is.
///
/// A segment is a fresh process of the arm beside the reference's, which lives for several
/// segments; its blocks alternate between the two, so that one at a time works. An arm that fails
/// fails its comparison; where it belongs to no attribution, or is the reference of others, the
/// session ends, since there will be no verdict. `between` is called after each segment.
///
/// Throws UsageError if an arm runs on another device than those before it, and what `source`
/// throws besides ArmError.
void measure(SessionState& state, const BenchSettings& settings, ArmSource& source,
             double time_limit_s, const FactSink& sink,
             const std::function<void(const ComparisonState&)>& between = {});

}  // namespace twinrun::harness
