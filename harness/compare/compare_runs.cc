#include <algorithm>

#include "harness/compare/comparability.h"
#include "harness/compare/same_bytes.h"
#include "harness/compare/tensor_names.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

std::filesystem::path steps_file(const RunView& run) { return run.dir / "steps.jsonl"; }

Comparison& decide(Comparison& comparison, Verdict verdict, const std::string& reason,
                   const std::string& message) {
  comparison.verdict = verdict;
  comparison.reason = reason;
  comparison.message = message;
  return comparison;
}

bool same_run_id(const RunView& a, const RunView& b) {
  const auto id = [](const RunView& run) {
    return run.manifest.is_object() ? run.manifest.value("run_id", json()) : json();
  };
  return id(a).is_string() && id(a) == id(b);
}

const RunView* invalid_one(const RunView& a, const RunView& b) {
  if (a.verdict != Verdict::kReproduced) return &a;
  return b.verdict != Verdict::kReproduced ? &b : nullptr;
}

// What is known of a beginning that both have byte for byte, from the summary of a, which has read
// it.
LineComparison account_of_shared(const RunView& a, std::int64_t last_shared_step, Plane plane) {
  LineComparison account;
  account.steps_compared = last_shared_step;
  account.comparisons = 5 + 4 + (plane == Plane::kEveryBit ? 11 : 6) * last_shared_step;
  if (a.summary.non_finite_step && *a.summary.non_finite_step <= last_shared_step) {
    account.non_finite_step = a.summary.non_finite_step;
  }
  return account;
}

// The step of the line that begins at `begin`, or -1 if it is no step line.
std::int64_t step_at(const std::filesystem::path& file, std::uint64_t begin) {
  protocol::LineReader reader(file, begin);
  const auto line = reader.next();
  if (!line || reader.torn()) return -1;
  const auto parsed = protocol::parse_step(*line);
  const auto* step = std::get_if<protocol::StepRecord>(&parsed);
  return step == nullptr ? -1 : step->step;
}

// compare_lines over both files, but for a beginning that is known to be equal: that needs no
// second reading if a's record was found good that far.
LineComparison compare_records(const RunView& a, const RunView& b, Plane plane) {
  const auto file_a = steps_file(a), file_b = steps_file(b);
  const bool known = b.shared && b.shared->dir == a.dir;
  const std::uint64_t shared = known ? b.shared->bytes : common_prefix(file_a, file_b);
  // One whole line back, since its step number tells how many lines are left out.
  const std::uint64_t good = std::min(shared, a.summary.bytes);
  const std::uint64_t end = line_begin(file_a, good);
  const std::uint64_t begin = end == 0 ? 0 : line_begin(file_a, end - 1);
  const std::int64_t step = begin == 0 ? -1 : step_at(file_a, begin);
  const bool at_end_line = a.summary.state == protocol::RecordSummary::State::kComplete &&
                           good == a.summary.bytes && a.summary.last_step >= 1;
  if (step < 1 && !at_end_line) return compare_lines(file_a, file_b, std::nullopt, 0, plane);
  LineComparison result = compare_lines(file_a, file_b, std::nullopt, begin, plane);
  const LineComparison before =
      account_of_shared(a, step >= 1 ? step - 1 : a.summary.last_step, plane);
  result.steps_compared += before.steps_compared;
  result.comparisons += before.comparisons;
  if (before.non_finite_step) result.non_finite_step = before.non_finite_step;
  return result;
}

std::string describe(const Divergence& first) {
  std::string text = "step " + std::to_string(first.step) + ": " + first.field + " differs";
  if (first.ulps) {
    text += " by " + std::to_string(*first.ulps) + (*first.ulps == 1 ? " ULP" : " ULPs");
  }
  if (!first.tensors.empty()) text += ", first in tensor " + first.tensors.front();
  return text;
}

void name_tensors(const RunView& a, const RunView& b, Divergence& first) {
  const auto found = differing_tensors(a.dir, b.dir, first.step, first.field);
  first.tensors = found.first;
  first.tensors_differing = found.differing;
  first.tensors_compared = found.compared;
}

// The switches as both read them back, as a divergence of the state before training.
std::optional<Divergence> switches_differ(const RunView& a, const RunView& b) {
  const auto switches = [](const RunView& run) { return run.manifest.value("switches", json()); };
  const auto differences = json_differences(switches(a), switches(b));
  if (differences.empty()) return std::nullopt;
  Divergence first;
  first.field = "switches" + differences[0].field;
  first.bits_a = differences[0].a.dump();
  first.bits_b = differences[0].b.dump();
  return first;
}

/// Where they may not differ, and do.
std::vector<Difference> key_differences(const RunView& a, const RunView& b, bool across) {
  std::vector<Difference> found = json_differences(comparability_key(a), comparability_key(b));
  if (across) {
    std::erase_if(found, [](const Difference& difference) {
      return difference.field != "/identity" && difference.field != "/numerics";
    });
  }
  return found;
}

std::string shown(const std::vector<Difference>& differences) {
  std::string text;
  for (const Difference& difference : differences) {
    text += (text.empty() ? "" : ", ") + difference.field + " (" + difference.a.dump() + " and " +
            difference.b.dump() + ")";
  }
  return text;
}

}  // namespace

Comparison compare_runs(const RunView& a, const RunView& b, Machines machines) {
  Comparison result;
  for (const RunView* run : {&a, &b}) {
    if (run->verdict == Verdict::kEvidenceInvalid) {
      return decide(result, run->verdict, run->reason, run->dir.string() + ": " + run->problem);
    }
  }
  if (same_run_id(a, b)) {
    return decide(result, Verdict::kInvalid, "same_run",
                  "both folders hold one run: their run ids are the same");
  }
  for (const RunView* run : {&a, &b}) {
    if (run->reason == "binary_changed") {
      return decide(result, run->verdict, run->reason, run->dir.string() + ": " + run->problem);
    }
  }
  const RunView* invalid = invalid_one(a, b);
  const auto give_up = [&](Verdict verdict, const char* reason, const std::string& message) {
    if (invalid == nullptr) return decide(result, verdict, reason, message);
    return decide(result, invalid->verdict, invalid->reason,
                  invalid->dir.string() + ": " + invalid->problem);
  };
  if (!a.summary.header || !b.summary.header) {
    return give_up(Verdict::kInvalid, "malformed", "a record has no header");
  }
  const bool across = machines == Machines::kAcross;
  result.key_differences = key_differences(a, b, across);
  if (!result.key_differences.empty()) {
    return give_up(Verdict::kInconclusive, "not_comparable",
                   "the runs cannot be compared, they differ in " + shown(result.key_differences));
  }
  const bool promised = !across && a.summary.header->promise == protocol::Promise::kBitwise &&
                        b.summary.header->promise == protocol::Promise::kBitwise;
  const LineComparison lines = compare_records(a, b,
                                               promised ? Plane::kEveryBit
                                               : across ? Plane::kDiscreteAcross
                                                        : Plane::kDiscrete);
  result.steps_compared = lines.steps_compared;
  result.comparisons = lines.comparisons;
  result.first = lines.first;
  if (!promised && !across && !result.first) result.first = switches_differ(a, b);
  if (result.first) {
    // Without a promise every tensor differs, and none tells where it began.
    if (promised) name_tensors(a, b, *result.first);
    result.suspects = suspects(a, b);
    return decide(result, Verdict::kNotReproduced, promised ? "bits_differ" : "discrete_differs",
                  describe(*result.first));
  }
  if (invalid != nullptr) return give_up(Verdict::kInvalid, "", "");
  if (!lines.structure_problem.empty()) {
    return decide(result, Verdict::kInvalid, "different_length", lines.structure_problem);
  }
  if (lines.steps_compared == 0) {
    return decide(result, Verdict::kInconclusive, "no_steps", "the records hold no step");
  }
  if (lines.non_finite_step) {
    return decide(result, Verdict::kInvalid, "non_finite",
                  "step " + std::to_string(*lines.non_finite_step) +
                      ": the same non-finite loss, gradient norm or learning rate in both");
  }
  if (!promised) {
    return decide(result, Verdict::kReproduced, "discrete_equal",
                  std::string("batches") +
                      (across ? " and learning rates of "
                              : ", learning rates, random states and switches of ") +
                      std::to_string(lines.steps_compared) + " steps are the same");
  }
  return decide(result, Verdict::kReproduced, "bitwise",
                "every bit of " + std::to_string(lines.steps_compared) + " steps is the same");
}

}  // namespace twinrun::harness
