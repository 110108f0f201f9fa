#include "harness/report/statistics_figures.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "harness/report/json_fields.h"
#include "harness/report/statistics_words.h"
#include "harness/stats/conformal.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double number_or_nan(const json& value) { return value.is_number() ? value.get<double>() : kNan; }

std::optional<double> finite(const json& value) {
  const double number = number_or_nan(value);
  return std::isfinite(number) ? std::optional<double>(number) : std::nullopt;
}

std::vector<double> numbers(const json& list) {
  std::vector<double> values;
  for (const json& value : list) values.push_back(number_or_nan(value));
  return values;
}

std::vector<double> calibration_scores(const VerdictFile& verdict) {
  std::vector<double> scores;
  for (const json& score : list_at(verdict.value, "/statistics/scores")) {
    if (const auto value = finite(score)) scores.push_back(*value);
  }
  return scores;
}

double alpha_of(const VerdictFile& verdict) {
  return number_or_nan(at(verdict.value, "/statistics/settings/alpha"));
}

std::optional<double> limit_of(const VerdictFile& verdict) {
  const std::vector<double> scores = calibration_scores(verdict);
  const double alpha = alpha_of(verdict);
  // Written so that an alpha that is no number gives no limit.
  if (scores.empty() || !(alpha > 0 && alpha < 1)) return std::nullopt;
  return conformal_limit(scores, alpha);
}

/// In widths; what cannot be told is no number.
std::vector<double> distances(const std::vector<double>& values, const EnvelopePanel& panel) {
  std::vector<double> list;
  const std::size_t steps = std::min({values.size(), panel.centre.size(), panel.width.size()});
  for (std::size_t i = 0; i < steps; ++i) {
    const double distance = (values[i] - panel.centre[i]) / panel.width[i];
    list.push_back(std::isfinite(distance) ? distance : kNan);
  }
  return list;
}

EnvelopePanel panel_of(const VerdictFile& verdict, const std::string& window,
                       const std::string& channel, std::int64_t first, const ChannelEnvelope& at) {
  EnvelopePanel panel;
  panel.window = window;
  panel.channel = channel;
  panel.first_step = first;
  panel.centre = at.centre;
  panel.width = at.width;
  panel.title = channel_words(channel) + ", " + window_words(window) + ", steps " +
                std::to_string(first) + " to " +
                std::to_string(first + static_cast<std::int64_t>(at.centre.size()) - 1);
  if (const auto limit = limit_of(verdict)) panel.limit = *limit * kPeakWidths;
  return panel;
}

/// Marks where the verdict says that a run lies farthest out; those outside come first.
void add_marks(const VerdictFile& verdict, EnvelopePanel& panel) {
  const double alpha = alpha_of(verdict);
  for (const json& candidate : list_at(verdict.value, "/statistics/candidates")) {
    if (text_at(candidate, "/window") != panel.window) continue;
    if (text_at(candidate, "/channel") != panel.channel) continue;
    for (std::size_t i = 0; i < panel.curves.size(); ++i) {
      if (panel.curves[i].name != text_at(candidate, "/name")) continue;
      const bool within = number_or_nan(at(candidate, "/p")) > alpha;
      panel.marks.push_back({i, integer_at(candidate, "/step").value_or(0), !within});
    }
  }
  std::stable_sort(panel.marks.begin(), panel.marks.end(),
                   [](const auto& x, const auto& y) { return x.outside && !y.outside; });
}

EnvelopeChart chart_of_records(const VerdictFile& verdict, const Evidence& evidence) {
  const StatisticsReport& report = *evidence.statistics.judged;
  std::vector<std::string> names;
  for (const RunEvidence& run : evidence.runs) {
    if (!run.control) names.push_back(run.name);
  }
  EnvelopeChart chart;
  for (std::size_t i = 0; i < report.windows.size(); ++i) {
    const CalibratedWindow& calibrated = report.windows[i];
    for (const char* channel : {"loss", "grad_norm"}) {
      const bool loss = std::string(channel) == "loss";
      EnvelopePanel panel =
          panel_of(verdict, calibrated.window.name, channel, calibrated.window.first,
                   loss ? calibrated.loss : calibrated.grad_norm);
      // There are fewer curves than runs where one of them ended the judgement.
      for (std::size_t j = 0; j < std::min(report.curves.size(), names.size()); ++j) {
        const WindowCurves& curves = report.curves[j][i];
        const std::vector<float>& values = loss ? curves.loss : curves.grad_norm;
        panel.curves.push_back({names[j], distances({values.begin(), values.end()}, panel)});
      }
      add_marks(verdict, panel);
      chart.panels.push_back(std::move(panel));
    }
  }
  return chart;
}

EnvelopeChart chart_of_verdict(const VerdictFile& verdict) {
  EnvelopeChart chart;
  for (const json& window : list_at(verdict.value, "/statistics/windows")) {
    const ChannelEnvelope envelope{numbers(list_at(window, "/centre")),
                                   numbers(list_at(window, "/width"))};
    EnvelopePanel panel = panel_of(verdict, text_at(window, "/name"), "loss",
                                   integer_at(window, "/first_step").value_or(1), envelope);
    const json candidates = list_at(window, "/candidates");
    for (const auto& item : candidates.items()) {
      panel.curves.push_back({item.key(), distances(numbers(item.value()), panel)});
    }
    add_marks(verdict, panel);
    chart.panels.push_back(std::move(panel));
  }
  return chart;
}

/// `value` in margins, as far as it is a number.
std::optional<double> in_margins(const json& value, double margin) {
  const double share = number_or_nan(value) / margin;
  return std::isfinite(share) ? std::optional<double>(share) : std::nullopt;
}

IntervalChart::Row interval_row(const json& found) {
  const double margin = number_or_nan(at(found, "/margin"));
  return {equivalence_name(found), text_at(found, "/outcome"),
          in_margins(at(found, "/estimate"), margin), in_margins(at(found, "/low"), margin),
          in_margins(at(found, "/high"), margin)};
}

}  // namespace

EnvelopeChart envelope_chart(const VerdictFile& verdict, const Evidence& evidence) {
  EnvelopeChart chart =
      evidence.statistics.judged ? chart_of_records(verdict, evidence) : chart_of_verdict(verdict);
  std::erase_if(chart.panels, [](const EnvelopePanel& panel) { return panel.curves.empty(); });
  return chart;
}

ScoreChart score_chart(const VerdictFile& verdict) {
  ScoreChart chart;
  chart.scores = calibration_scores(verdict);
  chart.limit = limit_of(verdict);
  chart.alpha = alpha_of(verdict);
  const auto add = [&](const std::string& name, const json& found, bool control) {
    const double p = number_or_nan(at(found, "/p"));
    const bool outside = !(p > chart.alpha);
    chart.rows.push_back(
        {name, finite(at(found, "/score")), std::isfinite(p) ? p : 0, outside, control});
  };
  for (const json& candidate : list_at(verdict.value, "/statistics/candidates")) {
    add("run " + text_at(candidate, "/name"), candidate, false);
  }
  for (const json& control : list_at(verdict.value, "/controls")) {
    if (text_at(control, "/name") != kEnvelopeSeesSeed || at(control, "/ran") != true) continue;
    add("other seed", at(control, "/details"), true);
  }
  return chart;
}

IntervalChart interval_chart(const VerdictFile& verdict) {
  IntervalChart chart;
  for (const json& found : list_at(verdict.value, "/statistics/equivalences")) {
    if (chart.rows.size() == kIntervalsMax) break;
    if (!is_slice(found)) chart.rows.push_back(interval_row(found));
  }
  return chart;
}

IntervalChart slice_chart(const VerdictFile& verdict) {
  IntervalChart chart;
  for (const json& found : list_at(verdict.value, "/statistics/equivalences")) {
    if (!is_slice(found)) continue;
    if (chart.rows.size() == kSlicesMax) return {};
    chart.rows.push_back(interval_row(found));
  }
  return chart;
}

}  // namespace twinrun::harness
