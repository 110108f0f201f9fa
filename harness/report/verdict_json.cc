#include "harness/report/verdict_json.h"

#include "harness/protocol/canonical_json.h"
#include "harness/report/evaluation_report.h"
#include "harness/report/inference_report.h"
#include "harness/report/json_fields.h"
#include "harness/report/statistics_report.h"
#include "twinrun_version.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

json to_json(const Divergence& first) {
  return {{"step", first.step},
          {"field", first.field},
          {"bits_a", first.bits_a},
          {"bits_b", first.bits_b},
          {"value_a", or_null(first.value_a)},
          {"value_b", or_null(first.value_b)},
          {"ulps", or_null(first.ulps)},
          {"other_fields", first.other_fields},
          {"tensors", first.tensors},
          {"tensors_differing", first.tensors_differing},
          {"tensors_compared", first.tensors_compared}};
}

json to_json(const ComparisonReport& report) {
  const Comparison& comparison = report.comparison;
  return {{"a", report.a},
          {"b", report.b},
          {"verdict", to_string(comparison.verdict)},
          {"reason", comparison.reason},
          {"message", comparison.message},
          {"steps_compared", comparison.steps_compared},
          {"comparisons", comparison.comparisons},
          {"first", comparison.first ? to_json(*comparison.first) : json(nullptr)},
          {"key_differences", differences_json(comparison.key_differences)},
          {"suspects", differences_json(comparison.suspects)}};
}

json to_json(const ControlOutcome& control) {
  return {{"name", control.name},
          {"ran", control.ran},
          {"passed", control.passed},
          {"message", control.message},
          {"details", control.details}};
}

json to_json(const Check& check) {
  return {{"name", check.name},
          {"verdict", to_string(check.verdict)},
          {"reason", check.reason},
          {"message", check.message}};
}

json to_json(const NearCurve& near) {
  return {{"fingerprint", near.fingerprint}, {"differences", differences_json(near.differences)}};
}

template <typename T>
json list_of(const std::vector<T>& items) {
  json list = json::array();
  for (const T& item : items) list.push_back(to_json(item));
  return list;
}

json text_or_null(const std::string& text) { return text.empty() ? json(nullptr) : json(text); }

// Null where no curve was looked for.
json to_json(const BaselineReport& report) {
  if (report.file.empty()) return nullptr;
  return {{"curve", report.curve.generic_string()},
          {"fingerprint", report.fingerprint},
          {"sha256", text_or_null(report.sha256)},
          {"head", text_or_null(report.head)},
          {"curve_steps", report.curve_steps},
          {"steps_compared", report.steps_compared},
          {"comparisons", report.comparisons},
          {"first", report.first ? to_json(*report.first) : json(nullptr)},
          {"suspects", differences_json(report.suspects)},
          {"nearest", list_of(report.nearest)}};
}

json judgement_with_digest(const json& judgement) {
  if (!judgement.is_object()) return nullptr;
  json result = judgement;
  result["digest"] = protocol::to_hex(protocol::canonical_digest(judgement));
  return result;
}

}  // namespace

json differences_json(const std::vector<Difference>& differences) {
  json list = json::array();
  for (const Difference& difference : differences) {
    list.push_back({{"field", difference.field}, {"a", difference.a}, {"b", difference.b}});
  }
  return list;
}

ProgramVersion program_version() {
  return {TWINRUN_VERSION, TWINRUN_GIT_COMMIT, TWINRUN_GIT_DIRTY};
}

std::int64_t comparisons_made(const VerdictReport& report) {
  std::int64_t sum = 0;
  for (const ComparisonReport& pair : report.comparisons) sum += pair.comparison.comparisons;
  return sum;
}

json to_json(const RunReport& run) {
  return {{"name", run.name},
          {"dir", run.dir.generic_string()},
          {"run_id", run.run_id},
          {"status", run.status},
          {"head", run.head},
          {"steps", run.steps},
          {"verdict", to_string(run.verdict)},
          {"reason", run.reason},
          {"problem", run.problem},
          {"seconds", run.seconds},
          {"max_rss_bytes", run.max_rss_bytes},
          {"outcome", run.outcome},
          {"stderr_tail", run.stderr_tail},
          {"injected", run.injected}};
}

json to_json(const VerdictReport& report) {
  const ProgramVersion program = program_version();
  return {{"schema", kVerdictSchema},
          {"verdict", to_string(report.verdict)},
          {"exit_code", static_cast<int>(exit_code(report.verdict))},
          {"case", {{"name", report.case_name}, {"identity", report.identity}}},
          {"checks", list_of(report.checks)},
          {"runs", list_of(report.runs)},
          {"control_runs", list_of(report.control_runs)},
          {"comparisons", list_of(report.comparisons)},
          {"comparisons_made", comparisons_made(report)},
          {"tensors_covered", report.tensors_covered},
          {"controls", list_of(report.controls)},
          {"controls_seed", report.controls_seed},
          {"baseline", to_json(report.baseline)},
          {"inference", inference_json(report.inference)},
          {"evaluation", evaluation_json(report.evaluation)},
          {"statistics", statistics_json(report.statistics)},
          {"judgement", judgement_with_digest(report.judgement)},
          {"key", report.key},
          {"fingerprint", report.fingerprint},
          {"without_controls", report.without_controls},
          {"started", report.started},
          {"ended", report.ended},
          {"twinrun",
           {{"version", program.version},
            {"git_commit", program.git_commit},
            {"git_dirty", program.git_dirty}}}};
}

std::string json_text(const json& value) {
  return value.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace twinrun::harness
