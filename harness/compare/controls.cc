#include <algorithm>
#include <bit>
#include <stdexcept>
#include <utility>

#include "harness/compare/comparability.h"
#include "harness/compare/same_bytes.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using protocol::StepRecord;

constexpr std::uint64_t kSeedLimit = std::uint64_t{1} << 53;

std::filesystem::path steps_file(const RunView& run) { return run.dir / "steps.jsonl"; }

// A byte at which a line begins, a little before that of `step`. Lines are much alike in length, so
// it is guessed and then halved; any line before the step will do.
std::uint64_t begin_before(const std::filesystem::path& file, std::int64_t step) {
  std::uint64_t low = 0, high = std::filesystem::file_size(file);
  constexpr std::uint64_t kNear = 1 << 16;
  while (high - low > kNear) {
    const std::uint64_t middle = line_begin(file, low + (high - low) / 2);
    if (middle <= low) break;
    protocol::LineReader reader(file, middle);
    const auto line = reader.next();
    const auto scan = line ? protocol::scan_step(*line) : std::nullopt;
    (scan && scan->step < step ? low : high) = middle;
  }
  return low;
}

struct Beginning {
  std::optional<protocol::StepZero> zero;
  std::vector<StepRecord> steps;
};

Beginning read_beginning(const RunView& run, std::int64_t last_step) {
  Beginning beginning;
  protocol::LineReader reader(steps_file(run));
  reader.next();  // the header
  while (static_cast<std::int64_t>(beginning.steps.size()) < last_step) {
    const auto line = reader.next();
    if (!line || reader.torn()) break;
    const auto zero = protocol::parse_step_zero(*line);
    if (!beginning.zero && std::holds_alternative<protocol::StepZero>(zero)) {
      beginning.zero = std::get<protocol::StepZero>(zero);
      continue;
    }
    const auto step = protocol::parse_step(*line);
    if (!std::holds_alternative<StepRecord>(step)) break;
    beginning.steps.push_back(std::get<StepRecord>(step));
  }
  return beginning;
}

bool add_one(json& seed) {
  if (!seed.is_number_integer()) return false;
  seed = (seed.get<std::uint64_t>() + 1) % kSeedLimit;
  return true;
}

// Empty if `control` has the identity of `run` but for every seed being one more.
std::string seeds_problem(const RunView& run, const RunView& control) {
  if (!run.config || !control.config) return "a configuration is missing";
  json wanted = run.config->identity;
  if (!wanted.contains("seed") || !wanted.contains("seeds") || !wanted["seeds"].is_object() ||
      !add_one(wanted["seed"])) {
    return "the run's identity has no seeds";
  }
  for (auto& item : wanted["seeds"].items()) {
    if (!add_one(item.value())) return "seed " + item.key() + " is no integer";
  }
  const auto differences = json_differences(wanted, control.config->identity);
  if (differences.empty()) return "";
  return "its identity differs from the run's in more than seeds + 1: " + differences[0].field;
}

/// What the seeds of a run have to show. A trainer that does not say is held to all of it.
struct SeedsOfRun {
  bool adapter_given = false;            ///< lora.init: the first adapter hangs on no seed
  bool drops = true;                     ///< dropout is not 0
  std::optional<std::uint64_t> samples;  ///< in the data
};

SeedsOfRun seeds_of(const RunView& run) {
  const json::json_pointer init("/lora/init"), dropout("/lora/dropout"), samples("/data/samples");
  const json& identity = run.config->identity;
  SeedsOfRun seeds;
  seeds.adapter_given = identity.contains(init);
  seeds.drops = !identity.contains(dropout) || identity[dropout] != 0;
  if (run.manifest.contains(samples) && run.manifest[samples].is_number_unsigned()) {
    seeds.samples = run.manifest[samples].get<std::uint64_t>();
  }
  return seeds;
}

/// Whether the samples of `steps` may well come in the same order under two seeds: one sample
/// always does, two do every other time. Among a million orders it is no longer chance.
bool may_repeat(const SeedsOfRun& seeds, const std::vector<StepRecord>& steps) {
  if (seeds.samples.value_or(0) == 0) return false;
  std::size_t taken = 0;
  for (const StepRecord& step : steps) taken += step.samples.size();
  constexpr std::uint64_t kOrdersMin = 1'000'000;
  std::uint64_t orders = 1;
  for (std::uint64_t left = *seeds.samples; taken > 0 && left > 1; --taken, --left) {
    if (left >= kOrdersMin) return false;
    orders *= left;
    if (orders >= kOrdersMin) return false;
  }
  return true;
}

/// Whether two steps took other data. The same in another order may leave every bit of the gradient
/// as it is, and two ids may stand for equal texts.
bool other_data(const StepRecord& a, const StepRecord& b) {
  auto ids_a = a.samples, ids_b = b.samples;
  std::ranges::sort(ids_a);
  std::ranges::sort(ids_b);
  return ids_a != ids_b && a.batch != b.batch;
}

/// The first step whose gradient is the same under both seeds but must not be.
std::optional<std::int64_t> same_gradient(const SeedsOfRun& seeds, const Beginning& a,
                                          const Beginning& b) {
  for (std::size_t i = 0; i < a.steps.size(); ++i) {
    const bool seeded = i == 0 && (!seeds.adapter_given || seeds.drops);
    const bool must_differ = seeded || other_data(a.steps[i], b.steps[i]);
    if (must_differ && a.steps[i].grad == b.steps[i].grad) return a.steps[i].step;
  }
  return std::nullopt;
}

bool same_loss(const StepRecord& a, const StepRecord& b) {
  return std::bit_cast<std::uint32_t>(a.loss) == std::bit_cast<std::uint32_t>(b.loss);
}

bool same_samples(const StepRecord& a, const StepRecord& b) { return a.samples == b.samples; }

/// Fills in `ran`, `passed`, `message` and `details` from steps that both have.
void judge_seeds(const SeedsOfRun& seeds, const Beginning& a, const Beginning& b,
                 ControlOutcome& outcome) {
  const bool adapter = a.zero->adapter != b.zero->adapter;
  const bool grad = a.steps[0].grad != b.steps[0].grad;
  const bool samples = !std::ranges::equal(a.steps, b.steps, same_samples);
  const bool loss = !std::ranges::equal(a.steps, b.steps, same_loss);
  outcome.details = {{"adapter_differs", adapter},
                     {"grad_differs", grad},
                     {"samples_differ", samples},
                     {"loss_differs", loss}};
  std::string changed;
  const std::pair<bool, const char*> parts[] = {
      {adapter, "initial adapter"}, {grad, "gradient"}, {samples, "samples"}, {loss, "loss"}};
  for (const auto& [differs, name] : parts) {
    if (differs) changed += (changed.empty() ? "" : ", ") + std::string(name);
  }
  const bool same_data = !samples && !loss;
  if (adapter == seeds.adapter_given) {
    outcome.message = adapter ? "other seeds gave another initial adapter, which lora.init gives"
                              : "other seeds gave the same initial adapter";
  } else if (const auto step = same_gradient(seeds, a, b)) {
    outcome.message = "other seeds gave the same gradient in step " + std::to_string(*step);
  } else if (same_data && !may_repeat(seeds, a.steps)) {
    outcome.message = "other seeds gave the same samples and the same losses";
  } else if (same_data && seeds.adapter_given && !seeds.drops) {
    outcome.ran = false;
    outcome.message = "it could show nothing: lora.init gives the adapter, dropout is 0, and " +
                      std::to_string(*seeds.samples) +
                      " samples may come in the same order under any seed";
  } else {
    outcome.passed = true;
    outcome.message = "other seeds changed: " + changed;
  }
}

ControlOutcome over_runs(const std::string& name, const std::vector<RunView>& runs,
                         const std::string& good, const std::string& bad,
                         std::optional<bool> (*holds)(const protocol::RecordSummary&)) {
  ControlOutcome outcome{name, !runs.empty(), !runs.empty(), good, json::object()};
  if (runs.empty()) outcome.message = "there is no run";
  for (const RunView& run : runs) {
    const std::optional<bool> held = holds(run.summary);
    outcome.details[run.dir.string()] = held ? json(*held) : json();
    if (!held) {
      outcome.ran = outcome.passed = false;
      outcome.message = run.dir.string() + ": the record does not go that far";
      return outcome;
    }
    if (!*held) {
      outcome.passed = false;
      outcome.message = run.dir.string() + ": " + bad;
    }
  }
  return outcome;
}

}  // namespace

ControlOutcome control_planted_ulp(const RunView& run, std::uint64_t seed) {
  ControlOutcome outcome{"planted-ulp", false, false, "", json::object()};
  if (run.summary.last_step < 1) {
    outcome.message = "the record holds no step to plant a change in";
    return outcome;
  }
  outcome.ran = true;
  const auto steps = static_cast<std::uint64_t>(run.summary.last_step);
  const PlantedUlp planted{
      static_cast<std::int64_t>(protocol::derive_seed("planted-ulp", seed) % steps) + 1};
  const auto file = steps_file(run);
  const bool promised =
      run.summary.header && run.summary.header->promise == protocol::Promise::kBitwise;
  const Plane plane = promised ? Plane::kEveryBit : Plane::kDiscrete;
  const LineComparison found =
      compare_lines(file, file, planted, begin_before(file, planted.step), plane);
  outcome.details = {{"seed", seed}, {"planted_step", planted.step}};
  const auto& first = found.first;
  if (!first) {
    outcome.message =
        "a change of 1 ULP planted in step " + std::to_string(planted.step) + " was not found";
    return outcome;
  }
  outcome.details["found"] = {{"step", first->step},
                              {"field", first->field},
                              {"bits_a", first->bits_a},
                              {"bits_b", first->bits_b},
                              {"ulps", first->ulps ? json(*first->ulps) : json()}};
  // A loss that is not finite has no distance; its bits have to do.
  const bool one_apart = first->ulps ? *first->ulps == 1 : !first->value_a;
  outcome.passed = first->step == planted.step && first->field == (promised ? "loss" : "lr") &&
                   one_apart && first->other_fields.empty();
  outcome.message = "a change of 1 ULP planted in step " + std::to_string(planted.step) +
                    (outcome.passed ? " was found" : " was found as something else");
  return outcome;
}

ControlOutcome control_seed_plus_one(const RunView& run, const RunView& control) {
  ControlOutcome outcome{"seed-plus-one", false, false, "", json::object()};
  if (control.verdict != Verdict::kReproduced) {
    outcome.ran = control.reason != "missing" && control.reason != "manifest_missing";
    outcome.message = "the control run is of no use (" + control.reason + "): " + control.problem;
    return outcome;
  }
  outcome.ran = true;
  outcome.message = seeds_problem(run, control);
  if (!outcome.message.empty()) return outcome;
  constexpr std::int64_t kStepsMax = 2;
  const auto a = read_beginning(run, std::min(kStepsMax, control.summary.last_step));
  const auto b = read_beginning(control, std::min(kStepsMax, control.summary.last_step));
  if (!a.zero || !b.zero || a.steps.empty() || a.steps.size() != b.steps.size()) {
    outcome.message = "run and control have no steps in common";
    return outcome;
  }
  judge_seeds(seeds_of(run), a, b, outcome);
  return outcome;
}

ControlOutcome control_adapter_moved(const std::vector<RunView>& runs) {
  return over_runs("adapter-moved", runs, "training changed the adapter",
                   "the adapter is the same after training as before",
                   [](const protocol::RecordSummary& summary) -> std::optional<bool> {
                     if (!summary.zero || !summary.last_adapter) return std::nullopt;
                     return summary.zero->adapter != *summary.last_adapter;
                   });
}

ControlOutcome control_base_unmoved(const std::vector<RunView>& runs) {
  return over_runs("base-unmoved", runs, "the frozen weights did not move",
                   "the frozen weights moved",
                   [](const protocol::RecordSummary& summary) -> std::optional<bool> {
                     if (!summary.zero || !summary.end) return std::nullopt;
                     return summary.zero->base == summary.end->base;
                   });
}

}  // namespace twinrun::harness
