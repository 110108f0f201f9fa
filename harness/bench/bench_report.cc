#include "harness/bench/bench_report.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "harness/protocol/canonical_json.h"
#include "harness/report/json_fields.h"
#include "harness/report/verdict_json.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

json to_json(const ArmSpec& arm) {
  return {{"name", arm.name},
          {"numerics", arm.numerics},
          {"delay", arm.delay},
          {"switches", arm.switches}};
}

json to_json(const ComparisonResult& result) {
  const Estimate& estimate = result.estimate;
  const bool measured = estimate.ratio.has_value();
  return {{"name", result.spec.name},
          {"kind", to_string(result.spec.kind)},
          {"arm", to_json(result.spec.arm)},
          {"reference", to_json(result.spec.reference)},
          {"state", result.state},
          {"reason", result.reason},
          {"message", result.message},
          {"ratio", or_null(estimate.ratio)},
          {"low", or_null(estimate.low)},
          {"high", or_null(estimate.high)},
          {"half_width", measured ? json(estimate.half_width) : json(nullptr)},
          {"smallest_effect", measured ? json(estimate.smallest_effect) : json(nullptr)},
          {"blocks", estimate.blocks},
          {"excluded", estimate.excluded}};
}

json to_json(const Check& check) {
  return {{"name", check.name},
          {"verdict", bench_verdict_name(check.verdict)},
          {"reason", check.reason},
          {"message", check.message}};
}

/// Smallest and largest of a quantity; null where no window knows it.
class Range {
 public:
  void add(std::optional<double> value) {
    if (!value) return;
    low_ = std::min(low_.value_or(*value), *value);
    high_ = std::max(high_.value_or(*value), *value);
  }
  json to_json() const { return low_ ? json{{"min", *low_}, {"max", *high_}} : json(nullptr); }

 private:
  std::optional<double> low_, high_;
};

json windows_of(const SessionState& state) {
  Range steps, sm_mhz, power_w, temperature_c, step_ms;
  std::map<std::string, int> throttle;
  std::int64_t count = 0;
  for (const ComparisonState& comparison : state.comparisons) {
    for (const Block& block : comparison.blocks) {
      for (const Window& window : block.windows) {
        ++count;
        steps.add(static_cast<double>(window.steps));
        step_ms.add(window.step_ns() * 1e-6);
        sm_mhz.add(window.sm_mhz);
        power_w.add(window.power_w);
        temperature_c.add(window.temperature_c);
        for (const std::string& reason : window.throttle) ++throttle[reason];
      }
    }
  }
  return {{"count", count},
          {"steps", steps.to_json()},
          {"step_ms", step_ms.to_json()},
          {"sm_mhz", sm_mhz.to_json()},
          {"power_w", power_w.to_json()},
          {"temperature_c", temperature_c.to_json()},
          {"throttle", throttle}};
}

}  // namespace

json to_json(const BenchReport& report) {
  const ProgramVersion program = program_version();
  json judgement = report.settings.to_json();
  judgement["digest"] = protocol::to_hex(protocol::canonical_digest(judgement));
  json checks = json::array(), comparisons = json::array();
  for (const Check& check : report.judged.checks) checks.push_back(to_json(check));
  for (const ComparisonResult& result : report.judged.results) {
    comparisons.push_back(to_json(result));
  }
  return {{"schema", kBenchSchema},
          {"verdict", bench_verdict_name(report.judged.verdict)},
          {"exit_code", static_cast<int>(exit_code(report.judged.verdict))},
          {"case", {{"name", report.case_name}, {"identity", report.identity}}},
          {"judgement", judgement},
          {"seed", report.state.seed},
          {"checks", checks},
          {"comparisons", comparisons},
          {"widened", report.judged.widened},
          {"device", report.state.device},
          {"processes", report.state.processes},
          {"windows", windows_of(report.state)},
          {"seconds", report.seconds},
          {"time_limit_s", report.time_limit_s},
          {"started", report.started},
          {"ended", report.ended},
          {"twinrun",
           {{"version", program.version},
            {"git_commit", program.git_commit},
            {"git_dirty", program.git_dirty}}}};
}

json github_benchmarks(const BenchReport& report) {
  json list = json::array();
  const auto& checks = report.judged.checks;
  const bool controls = !checks.empty() && checks.front().verdict == Verdict::kReproduced;
  if (!controls) return list;
  for (const ComparisonResult& result : report.judged.results) {
    using Kind = ComparisonSpec::Kind;
    const bool control = result.spec.kind == Kind::kSameAgain || result.spec.kind == Kind::kDelay;
    if (control || !result.estimate.ratio) continue;
    char range[32];
    std::snprintf(range, sizeof range, "± %.4f",
                  result.estimate.half_width * *result.estimate.ratio);
    list.push_back({{"name", report.case_name + ": " + result.spec.name},
                    {"unit", "ratio of step times"},
                    {"value", *result.estimate.ratio},
                    {"range", range}});
  }
  return list;
}

}  // namespace twinrun::harness
