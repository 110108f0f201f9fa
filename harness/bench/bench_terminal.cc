#include <algorithm>

#include "harness/bench/bench_report.h"
#include "harness/report/terminal.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

constexpr std::size_t kNameColumns = 42;

std::string padded(const std::string& text, std::size_t width) {
  return text + std::string(width - std::min(width, columns(text)), ' ');
}

std::string right(const std::string& text, std::size_t width) {
  return std::string(width - std::min(width, columns(text)), ' ') + text;
}

std::string row(const std::string& name, const std::string& rest) {
  return "  " + padded(ellipsize(one_line(name), kNameColumns), kNameColumns) + " " + rest + "\n";
}

std::string label_of(const ComparisonResult& result) {
  const bool again = result.spec.kind == ComparisonSpec::Kind::kSameAgain;
  return again ? result.spec.name + " (A/A)" : result.spec.name;
}

/// Why there is no ratio.
std::string unmeasured(const Estimate& estimate) {
  if (estimate.blocks_tried() == 0) return "not measured: no time was left";
  return estimate.blocks == 0 ? "not measured: no block counts" : "not measured: too few blocks";
}

std::string row_of(const ComparisonResult& result) {
  const Estimate& estimate = result.estimate;
  if (result.state == "could not run") {
    return row(label_of(result), "could not run (" + one_line(result.reason) + ")");
  }
  const std::string blocks = right(std::to_string(estimate.blocks), 7) +
                             right(std::to_string(estimate.blocks_excluded()), 6);
  if (!estimate.ratio) {
    return row(label_of(result), padded(unmeasured(estimate), 32) + blocks);
  }
  const std::string interval =
      number_text("%.4f", *estimate.low) + " to " + number_text("%.4f", *estimate.high);
  return row(label_of(result), number_text("%.4f", *estimate.ratio) + "  " + padded(interval, 16) +
                                   right(number_text("%.2f", 100 * estimate.half_width), 6) + "  " +
                                   blocks);
}

std::string paragraph(const std::string& label, const std::string& text) {
  constexpr std::size_t kLabelColumns = 13;
  std::string out;
  for (const std::string& line : wrap(one_line(text), kTerminalColumns - kLabelColumns - 2)) {
    out += "  " + padded(out.empty() ? label : "", kLabelColumns) + line + "\n";
  }
  return out;
}

std::string headline(const BenchVerdict& judged) {
  for (const Check& check : judged.checks) {
    if (check.verdict == judged.verdict && check.name == "slowdown") return check.message;
  }
  for (const Check& check : judged.checks) {
    if (check.verdict == judged.verdict) return check.message;
  }
  return "nothing was measured";
}

std::string resolution(const BenchReport& report) {
  std::string text;
  for (const ComparisonResult& result : report.judged.results) {
    if (result.spec.kind != ComparisonSpec::Kind::kCandidate || !result.estimate.ratio) continue;
    text += (text.empty() ? "" : "; ") + result.spec.name + ": a change of " +
            number_text("%.2f %%", 100 * result.estimate.smallest_effect) +
            " would have been seen with probability 0.8";
  }
  if (report.judged.widened > 0) {
    text += (text.empty() ? "" : "; ") + std::string("intervals are wider by ") +
            number_text("%.2f %%", 100 * report.judged.widened) + ", the distance of A/A from 1";
  }
  return text;
}

}  // namespace

std::string bench_text(const BenchReport& report, const std::filesystem::path& folder, bool color) {
  const BenchVerdict& judged = report.judged;
  std::string text = colored(judged.verdict, bench_verdict_name(judged.verdict), color) + "  " +
                     one_line(report.case_name) + "\n";
  text += paragraph("", headline(judged));
  const Check& control = judged.checks.front();
  if (control.message != headline(judged)) text += paragraph("controls", control.message);
  text += "\n" + row("time of a step, arm / reference",
                     "ratio   " + number_text("%g", 100 * report.settings.confidence) +
                         " % interval     +- %     blocks  left out");
  for (const ComparisonResult& result : judged.results) text += row_of(result);
  text += "\n";
  for (const ComparisonResult& result : judged.results) {
    const bool said = !result.spec.attribution();  // by the verdict
    if (result.state == "could not run" && !said) text += paragraph("not run", result.message);
  }
  text += paragraph("resolution", resolution(report));
  const nlohmann::json& device = report.state.device;
  if (device.is_object() && device.contains("name") && device.at("name").is_string()) {
    text += paragraph("device", device.at("name").get<std::string>());
  }
  text += paragraph("cost", number_text("%.0f s", report.seconds) + ", " +
                                std::to_string(report.state.processes) + " process" +
                                (report.state.processes == 1 ? "" : "es") + "; seed " +
                                std::to_string(report.state.seed));
  text += "  " + padded("evidence", 13) + (folder / "bench.json").string() + "\n";
  return text;
}

}  // namespace twinrun::harness
