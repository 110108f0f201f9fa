#include <algorithm>
#include <bit>
#include <cmath>
#include <stdexcept>

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
  bool samples = false, loss = false;
  for (std::size_t i = 0; i < a.steps.size(); ++i) {
    samples = samples || a.steps[i].samples != b.steps[i].samples;
    loss = loss || std::bit_cast<std::uint32_t>(a.steps[i].loss) !=
                       std::bit_cast<std::uint32_t>(b.steps[i].loss);
  }
  const bool adapter = a.zero->adapter != b.zero->adapter;
  const bool grad = a.steps[0].grad != b.steps[0].grad;
  outcome.details = {{"adapter_differs", adapter},
                     {"grad_differs", grad},
                     {"samples_differ", samples},
                     {"loss_differs", loss}};
  // Given as files, it hangs on no seed.
  const bool given = run.config->identity.value("lora", json::object()).contains("init");
  outcome.passed = adapter != given && grad && (samples || loss);
  outcome.message = outcome.passed ? (given ? "other seeds gave another gradient and loss"
                                            : "other seeds gave another adapter, gradient and loss")
                    : adapter == given
                        ? (given ? "other seeds gave another initial adapter, which lora.init gives"
                                 : "other seeds gave the same initial adapter")
                    : !grad ? "other seeds gave the same gradient in step 1"
                            : "other seeds gave the same samples and the same losses";
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
