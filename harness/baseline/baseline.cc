#include "harness/baseline/baseline.h"

#include <algorithm>
#include <tuple>

#include "harness/baseline/curve.h"
#include "harness/compare/comparability.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kNearestMax = 3;
constexpr const char* kIdentity = "/identity";

void decide(BaselineReport& report, Verdict verdict, const std::string& reason,
            const std::string& message) {
  report.check = {"baseline", verdict, reason, message};
}

bool other_experiment(const NearCurve& near) {
  return std::any_of(near.differences.begin(), near.differences.end(),
                     [](const Difference& difference) { return difference.field == kIdentity; });
}

// Those of the same experiment first, then by the number of fields that differ.
std::vector<NearCurve> nearest_curves(const fs::path& folder, const json& key) {
  std::vector<NearCurve> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".json" || is_pending(entry.path())) continue;
    const auto other = described_key(entry.path());
    if (other) found.push_back({entry.path().stem().string(), json_differences(key, *other)});
  }
  std::sort(found.begin(), found.end(), [](const NearCurve& x, const NearCurve& y) {
    return std::make_tuple(other_experiment(x), x.differences.size(), x.fingerprint) <
           std::make_tuple(other_experiment(y), y.differences.size(), y.fingerprint);
  });
  found.resize(std::min(found.size(), kNearestMax));
  return found;
}

std::string missing_message(const std::vector<NearCurve>& nearest) {
  const std::string start = "no baseline for this machine: ";
  if (nearest.empty()) return start + "there is no curve at all";
  const NearCurve& first = nearest.front();
  if (other_experiment(first)) return start + "there are curves of other experiments only";
  std::string fields;
  for (const Difference& difference : first.differences) {
    fields += (fields.empty() ? "" : ", ") + difference.field + " (" + difference.a.dump() +
              " here, " + difference.b.dump() + " there)";
  }
  return start + "the nearest curve, " + first.fingerprint + ", differs in " + fields;
}

std::string difference_message(const Divergence& first) {
  std::string text = "run a and the baseline first differ at step " + std::to_string(first.step) +
                     ", in " + first.field;
  if (first.ulps) {
    text += " by " + std::to_string(*first.ulps) + (*first.ulps == 1 ? " ULP" : " ULPs");
  }
  return text;
}

// The lines of both, and for a run that stops early its last one too: it stands beside a step of
// the curve, but the frozen weights have to be those at the curve's end all the same.
LineComparison compare_with(const RunView& run, const Curve& curve, bool stops_early) {
  LineComparison lines = compare_lines(run.dir / "steps.jsonl", curve.record);
  const std::int64_t last = run.summary.end->steps;
  if (lines.first || !stops_early || lines.steps_compared != last) return lines;
  lines.structure_problem.clear();
  const auto& base = run.summary.end->base;
  const auto& base_of_curve = curve.summary.end->base;
  if (base == base_of_curve) return lines;
  lines.first.emplace();
  lines.first->step = last;
  lines.first->field = "base";
  lines.first->bits_a = protocol::to_hex(base);
  lines.first->bits_b = protocol::to_hex(base_of_curve);
  return lines;
}

void judge_lines(const RunView& run, const Curve& curve, BaselineReport& report) {
  const bool stops_early = run.summary.end->steps < curve.summary.end->steps;
  const LineComparison lines = compare_with(run, curve, stops_early);
  report.steps_compared = lines.steps_compared;
  report.comparisons = lines.comparisons;
  if (lines.first) {
    report.first = lines.first;
    json then = curve.description.at("made_by");
    for (const char* field : {"date", "verdict_sha256"}) then.erase(field);
    report.suspects = json_differences(made_by(run), then);
    return decide(report, Verdict::kNotReproduced, "baseline_differs",
                  difference_message(*lines.first));
  }
  if (!lines.structure_problem.empty()) {
    return decide(report, Verdict::kInvalid, "different_length", lines.structure_problem);
  }
  if (lines.steps_compared == 0) {
    return decide(report, Verdict::kInconclusive, "no_steps", "the records hold no step");
  }
  if (lines.non_finite_step) {
    return decide(report, Verdict::kInvalid, "non_finite",
                  "step " + std::to_string(*lines.non_finite_step) +
                      ": the same non-finite loss, gradient norm or learning rate in run a and "
                      "in the baseline");
  }
  const std::string steps = std::to_string(lines.steps_compared);
  if (stops_early) {
    return decide(report, Verdict::kReproduced, "bitwise_prefix",
                  "run a equals the first " + steps + " of the baseline's " +
                      std::to_string(report.curve_steps) + " steps in every bit");
  }
  decide(report, Verdict::kReproduced, "bitwise",
         "run a equals the baseline's " + steps + (steps == "1" ? " step" : " steps") +
             " in every bit");
}

}  // namespace

BaselineReport check_baseline(const RunView& run, const BaselineRequest& request) {
  BaselineReport report;
  if (run.verdict != Verdict::kReproduced) {
    decide(report, Verdict::kNotRun, "run_failed", "run a is not intact");
    return report;
  }
  const json key = comparability_key(run);
  report.fingerprint = fingerprint(key);
  report.file = request.folder / (report.fingerprint + ".jsonl");
  if (run.summary.header->promise != protocol::Promise::kBitwise) {
    decide(report, Verdict::kInconclusive, "no_promise",
           "the trainer does not promise equal bits in this numerics mode");
    return report;
  }
  if (!curve_exists(report.file)) {
    report.nearest = nearest_curves(request.folder, key);
    decide(report, request.missing_fails ? Verdict::kInconclusive : Verdict::kNotRun, "no_baseline",
           missing_message(report.nearest));
    return report;
  }
  const Curve curve = read_curve(report.file);
  report.sha256 = curve.sha256;
  if (curve.summary.head) report.head = protocol::to_hex(*curve.summary.head);
  if (curve.summary.end) report.curve_steps = curve.summary.end->steps;
  const std::string name = "the baseline " + report.file.filename().string() + ": ";
  if (!curve.intact()) {
    decide(report, Verdict::kEvidenceInvalid, curve.reason, name + curve.problem);
    return report;
  }
  const bool same_header =
      format_header(*run.summary.header) == format_header(*curve.summary.header);
  if (curve.description.at("key") != key || !same_header) {
    decide(report, Verdict::kEvidenceInvalid, "curve_key_mismatch",
           name + "it is of another key or header than run a");
    return report;
  }
  judge_lines(run, curve, report);
  return report;
}

}  // namespace twinrun::harness
