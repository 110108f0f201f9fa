#include "harness/bench/session.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "harness/exit_code.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

/// With attribution candidates and controls have this share of the time before its first turn, or
/// more, until they have the blocks without which there is no verdict.
constexpr double kMainShare = 0.5;

bool main_over(const SessionState& state, const BenchSettings& settings, double share_spent) {
  if (settings.switches.empty() || !(share_spent > kMainShare)) return false;
  return std::all_of(state.comparisons.begin(), state.comparisons.end(),
                     [&](const ComparisonState& comparison) {
                       return comparison.spec.attribution() || comparison.failed() ||
                              static_cast<int>(comparison.blocks.size()) >= settings.blocks_min;
                     });
}

/// The processes of a session: the reference, which several segments share, and one arm beside it.
class Bench {
 public:
  Bench(SessionState& state, const BenchSettings& settings, ArmSource& source, const FactSink& sink)
      : state_(state), settings_(settings), source_(source), sink_(sink) {}

  /// One segment of at most `time_left_s`. False if not even a block fits any more.
  bool segment(ComparisonState& comparison, double time_left_s);
  /// Whether the last failure was that of a reference.
  bool reference_failed() const { return reference_failed_; }

 private:
  struct Process {
    ArmSpec spec;
    std::int64_t number = 0;
    std::unique_ptr<Arm> arm;
    int segments = 0;
  };

  Process start(const ArmSpec& spec);
  bool reference_usable(const ComparisonSpec& spec) const;
  void require_reference(const ComparisonSpec& spec);
  void block(ComparisonState& comparison, Process& arm, std::int64_t steps);
  int blocks_wanted(const ComparisonState& comparison) const;

  SessionState& state_;
  const BenchSettings& settings_;
  ArmSource& source_;
  const FactSink& sink_;
  std::optional<Process> reference_;
  double longest_start_s_ = 0, longest_block_s_ = 0;  // of this call, to plan with
  bool reference_failed_ = false;
};

Bench::Process Bench::start(const ArmSpec& spec) {
  const double begin_s = source_.now_s();
  Process process{.spec = spec, .number = ++state_.processes, .arm = {}};
  process.arm = source_.start(spec, process.number);
  const ArmReady& ready = process.arm->ready();
  if (state_.device.is_null()) state_.device = ready.device;
  if (ready.device != state_.device) {
    throw UsageError(
        "arm " + spec.name + " runs on " + ready.device.dump() + ", the windows before it on " +
        state_.device.dump() +
        "; measure into a folder that is new, or name one device (--set device=cuda:N)");
  }
  const double seconds = source_.now_s() - begin_s;
  longest_start_s_ = std::max(longest_start_s_, seconds);
  sink_({{"kind", "process"},
         {"process", process.number},
         {"arm", spec.name},
         {"start_s", seconds},
         {"ready", ready.line}});
  return process;
}

bool Bench::reference_usable(const ComparisonSpec& spec) const {
  if (!reference_ || !(reference_->spec == spec.reference)) return false;
  const int longer = spec.attribution() ? 2 : 1;  // its arms are many, a start may take long
  return reference_->segments < longer * settings_.segments_per_reference;
}

void Bench::require_reference(const ComparisonSpec& spec) {
  if (reference_usable(spec)) return;
  reference_.reset();
  reference_failed_ = true;
  reference_ = start(spec.reference);
  reference_failed_ = false;
}

int Bench::blocks_wanted(const ComparisonState& comparison) const {
  const int tried = static_cast<int>(comparison.blocks.size());
  // Of an attribution one process gives as many as an interval takes: all get one before any gets
  // more.
  const bool first = comparison.spec.attribution() && tried == 0;
  const int wanted =
      first ? blocks_for_interval(settings_.confidence) : settings_.blocks_per_process;
  return std::min(wanted, settings_.blocks_max - tried);
}

void Bench::block(ComparisonState& comparison, Process& arm, std::int64_t steps) {
  const double begin_s = source_.now_s();
  const auto index = static_cast<std::int64_t>(comparison.blocks.size());
  Block block;
  block.order = block_order(state_.seed, comparison.spec.name, index);
  for (std::size_t i = 0; i < block.windows.size(); ++i) {
    Process& process = block.order[i] == 'A' ? *reference_ : arm;
    reference_failed_ = &process == &*reference_;
    const Window window = process.arm->run(steps);
    reference_failed_ = false;
    block.windows[i] = window;
    json fact = to_json(window);
    fact.update({{"kind", "window"},
                 {"comparison", comparison.spec.name},
                 {"block", index},
                 {"order", block.order},
                 {"position", i},
                 {"process", process.number}});
    sink_(fact);
  }
  comparison.blocks.push_back(block);
  longest_block_s_ = std::max(longest_block_s_, source_.now_s() - begin_s);
}

bool Bench::segment(ComparisonState& comparison, double time_left_s) {
  const double begin_s = source_.now_s();
  const auto left_s = [&] { return time_left_s - (source_.now_s() - begin_s); };
  const int blocks = blocks_wanted(comparison);
  // Part of an attribution has no interval, part of the others is gone on with.
  const int blocks_needed = comparison.spec.attribution() ? blocks : 1;
  const double starts_s = (reference_usable(comparison.spec) ? 1 : 2) * longest_start_s_;
  if (left_s() < starts_s + blocks_needed * longest_block_s_) return false;
  require_reference(comparison.spec);
  Process arm = start(comparison.spec.arm);
  const double fastest_ns = std::min(arm.arm->ready().step_ns, reference_->arm->ready().step_ns);
  const double wanted = std::ceil(settings_.window_s * 1e9 / fastest_ns);
  constexpr double kStepsMax = 1e6;
  const auto steps = static_cast<std::int64_t>(std::clamp(wanted, 1.0, kStepsMax));
  for (int i = 0; i < blocks; ++i) {
    if (i > 0 && left_s() < longest_block_s_) break;
    block(comparison, arm, steps);
  }
  ++reference_->segments;
  return true;
}

}  // namespace

int ComparisonState::segments(const BenchSettings& settings) const {
  const int each = settings.blocks_per_process;
  return (static_cast<int>(blocks.size()) + each - 1) / each;
}

bool ComparisonState::done(const BenchSettings& settings) const {
  if (failed() || static_cast<int>(blocks.size()) >= settings.blocks_max) return true;
  const int least =
      spec.attribution() ? blocks_for_interval(settings.confidence) : settings.blocks_min;
  const Estimate found = estimate(blocks, settings.confidence);
  // Of a verdict more blocks may have been left out than it stands: later ones bring the share
  // down.
  const bool usable = spec.attribution() || enough_count(found, settings);
  return usable && found.precise(least, settings.half_width);
}

namespace {

/// The comparison whose turn it is, by index; nullopt if all are done. Rounds over the candidates
/// and controls in random order until they are done, then over the attribution; or, with
/// `attribution_first`, the other way round.
std::optional<std::size_t> next_comparison(const SessionState& state, const BenchSettings& settings,
                                           bool attribution_first) {
  // Smallest first: whose part it is, how much it has had, arms of one reference together, chance.
  using Key = std::tuple<int, int, int, std::uint64_t>;
  std::optional<std::size_t> next;
  Key smallest;
  for (std::size_t i = 0; i < state.comparisons.size(); ++i) {
    const ComparisonState& comparison = state.comparisons[i];
    if (comparison.done(settings)) continue;
    const bool attribution = comparison.spec.attribution();
    const int segments = comparison.segments(settings);
    const bool off = comparison.spec.kind == ComparisonSpec::Kind::kSwitchOff;
    const Key key{attribution == attribution_first ? 0 : 1, segments, off ? 1 : 0,
                  turn(state.seed, comparison.spec.name, segments)};
    if (next && !(key < smallest)) continue;
    next = i;
    smallest = key;
  }
  return next;
}

/// Whether an arm failed without which there is no verdict.
bool hopeless(const SessionState& state) {
  return std::any_of(state.comparisons.begin(), state.comparisons.end(),
                     [](const ComparisonState& comparison) {
                       return comparison.failed() && !comparison.spec.attribution();
                     });
}

}  // namespace

void measure(SessionState& state, const BenchSettings& settings, ArmSource& source,
             double time_limit_s, const FactSink& sink,
             const std::function<void(const ComparisonState&)>& between) {
  const double begin_s = source.now_s();
  Bench bench(state, settings, source, sink);
  while (!hopeless(state)) {
    const double spent_s = source.now_s() - begin_s;
    const std::optional<std::size_t> next =
        next_comparison(state, settings, main_over(state, settings, spent_s / time_limit_s));
    if (!next) return;
    ComparisonState& comparison = state.comparisons[*next];
    try {
      if (!bench.segment(comparison, time_limit_s - spent_s)) return;
    } catch (const ArmError& error) {
      comparison.failed_reason = error.reason;
      comparison.failed_message = error.what();
      sink({{"kind", "failed"},
            {"comparison", comparison.spec.name},
            {"reason", error.reason},
            {"message", error.what()}});
      if (bench.reference_failed()) return;
    }
    if (between) between(comparison);
  }
}

}  // namespace twinrun::harness
