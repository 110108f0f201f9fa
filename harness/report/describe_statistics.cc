// What a report says of runs that promise no bits: whether they lie where calibrated ones do, and
// whether they are equivalent.
#include <algorithm>
#include <cmath>

#include "harness/report/describe_parts.h"
#include "harness/report/json_fields.h"
#include "harness/report/statistics_figures.h"
#include "harness/report/statistics_svg.h"
#include "harness/report/statistics_words.h"
#include "harness/report/text.h"
#include "harness/stats/conformal.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

// Steps and scores of a drawing that its table repeats.
constexpr std::size_t kStepsMax = 60;
constexpr std::size_t kScoreRowsMax = 100;

std::string number_words(const json& value, const char* format = "%.4g") {
  return value.is_number() ? number_text(format, value.get<double>()) : "not finite";
}

/// Where a run lies farthest out; one that lies on the centre does so nowhere.
std::string place_words(const json& found) {
  const std::string channel = text_at(found, "/channel");
  if (channel.empty()) return "nowhere: on the centre in every step";
  // Of the control the verdict has neither window, which is the first one, nor part.
  const std::string window = text_at(found, "/window"), part = text_at(found, "/part");
  return channel_words(channel) + ", step " + grouped(integer_at(found, "/step").value_or(0)) +
         (window.empty() ? "" : ", " + window_words(window)) +
         (part.empty() ? "" : "; " + part_words(part));
}

std::string number_words(double value) {
  return std::isfinite(value) ? number_text("%.4g", value) : "not finite";
}

/// A row a window and value: what change of a run would have been seen.
void add_detection(ReportSection& section, const VerdictFile& verdict) {
  const json list = list_at(verdict.value, "/statistics/detection");
  if (list.empty()) return;
  const json alpha = at(verdict.value, "/statistics/settings/alpha");
  section.blocks.emplace_back(Paragraph{
      "What would have been seen: how far a run that lies on the centre everywhere else would have "
      "to be off, in the unit of the value (of the loss nats a token), to have p <= " +
      number_words(alpha, "%g") +
      ". Computed from the calibration alone. A run scatters besides, so that a smaller change may "
      "be found and one that is little larger missed. Which faults of training that finds was "
      "measured on small models: docs/error-rates.md."});
  Table table{{"value and window", "mean of the centre", "all steps by the same", "one step, least",
               "at step", "one step, median"},
              {}};
  for (const json& row : list) {
    const json mean = at(row, "/centre_mean");
    const auto change = [&](const char* pointer) {
      const json value = at(row, pointer);
      const bool has_share = value.is_number() && mean.is_number() && mean != 0;
      return number_words(value, "%.3g") +
             (has_share ? number_text(" (%.2g %%)",
                                      100 * value.get<double>() / std::abs(mean.get<double>()))
                        : "");
    };
    table.rows.push_back(
        {{channel_words(text_at(row, "/channel")) + ", " + window_words(text_at(row, "/window")),
          false},
         {number_words(mean), false},
         {change("/shift"), false},
         {change("/jump_least"), false},
         {grouped(integer_at(row, "/jump_at").value_or(0)), false},
         {change("/jump_median"), false}});
  }
  section.blocks.emplace_back(table);
}

void add_sentences(ReportSection& section, const VerdictFile& verdict) {
  section.blocks.emplace_back(Paragraph{envelope_sentence(verdict)});
  for (const std::string& sentence : equivalence_sentences(verdict)) {
    section.blocks.emplace_back(Paragraph{sentence});
  }
  const std::string commands = missing_commands(verdict);
  if (commands.empty()) return;
  const json settings = at(verdict.value, "/statistics/settings");
  const std::int64_t runs = integer_at(settings, "/envelope_runs").value_or(0) +
                            integer_at(settings, "/calibration_runs").value_or(0);
  section.blocks.emplace_back(
      Paragraph{"What is missing is " + count_of(runs, "short run") +
                ", made once for this machine and case; they may be spread over days (--runs N). "
                "The first command makes them, the second accepts what came of them, after "
                "somebody looked at it, the third judges:"});
  section.blocks.emplace_back(CodeBlock{commands});
}

void add_evidence(ReportSection& section, const Evidence& evidence) {
  const StatisticsEvidence& statistics = evidence.statistics;
  if (statistics.problem.empty()) return;
  section.blocks.emplace_back(
      Paragraph{"Calibration and short runs were not read again (" + statistics.problem +
                "); what follows is what verdict.json itself holds of them, and checked against "
                "nothing."});
}

Table steps_table(const EnvelopePanel& panel) {
  Table table{{"step", "centre", "width"}, {}, "In digits: " + panel.title};
  const std::size_t runs = std::min(panel.curves.size(), kPanelRunsMax);
  for (std::size_t i = 0; i < runs; ++i) {
    table.header.push_back("run " + panel.curves[i].name + ", widths away");
  }
  const std::size_t steps = std::min(panel.centre.size(), panel.width.size());
  for (std::size_t i = 0; i < std::min(steps, kStepsMax); ++i) {
    std::vector<Cell> row = {
        {std::to_string(panel.first_step + static_cast<std::int64_t>(i)), false},
        {number_text("%.9g", panel.centre[i]), true},
        {number_text("%.3g", panel.width[i]), true}};
    for (std::size_t j = 0; j < runs; ++j) {
      const std::vector<double>& values = panel.curves[j].distances;
      row.push_back({i < values.size() ? number_words(values[i]) : "", true});
    }
    table.rows.push_back(std::move(row));
  }
  if (steps > kStepsMax) table.fold += ", the first " + std::to_string(kStepsMax) + " steps";
  return table;
}

void add_envelope(ReportSection& section, const VerdictFile& verdict, const Evidence& evidence) {
  const EnvelopeChart chart = envelope_chart(verdict, evidence);
  if (chart.panels.empty()) return;
  section.blocks.emplace_back(
      Paragraph{"How to read the drawings: at each step 0 is the median of the runs that made the "
                "envelope, and 1 is their standard deviation, one width. Most of a run lies in the "
                "dark band. A single step beyond the light one is enough to lie outside at alpha; "
                "many small steps to one side, or too much spread, are found inside of it, too. "
                "A ring stands where the verdict found a run farthest out."});
  std::string caption = "Distance from the centre of the envelope, in widths";
  const std::vector<EnvelopePanel::Curve>& curves = chart.panels.front().curves;
  if (curves.size() > 1) {
    caption += ": run " + curves[0].name + " (broad line), run " + curves[1].name + " (thin line)" +
               (curves.size() > 2 ? ", other runs (broken lines)" : "");
  }
  if (curves.size() > kPanelRunsMax) {
    caption += "; the first " + std::to_string(kPanelRunsMax) + " of " +
               std::to_string(curves.size()) + " runs";
  }
  section.blocks.emplace_back(Figure{caption, chart});
  for (const EnvelopePanel& panel : chart.panels) section.blocks.emplace_back(steps_table(panel));
}

Table candidates_table(const VerdictFile& verdict, const ScoreChart& chart) {
  Table table{{"run", "score", "p", "farthest out", "found"}, {}};
  json places = list_at(verdict.value, "/statistics/candidates");
  for (const json& control : list_at(verdict.value, "/controls")) {
    if (text_at(control, "/name") == kEnvelopeSeesSeed) places.push_back(at(control, "/details"));
  }
  for (std::size_t i = 0; i < std::min(chart.rows.size(), places.size()); ++i) {
    const ScoreChart::Row& row = chart.rows[i];
    table.rows.push_back(
        {{row.name, false},
         {row.score ? number_text("%.4g", *row.score) : "not finite", true},
         {number_text("%.4g", row.p), true},
         {place_words(places.at(i)), false},
         {std::string(row.outside ? "outside" : "within") +
              (row.expected ? row.outside ? ", as it has to be" : ", which it must not be" : ""),
          false}});
  }
  return table;
}

/// The scores of the calibration, ten in a row.
Table scores_table(const ScoreChart& chart) {
  Table table{{"rank", "scores, ascending"}, {}, "In digits: scores of the calibrated runs"};
  constexpr std::size_t kEach = 10;
  for (std::size_t i = 0; i < chart.scores.size(); i += kEach) {
    if (table.rows.size() == kScoreRowsMax) {
      table.fold += ", the first " + std::to_string(i);
      break;
    }
    const std::size_t end = std::min(i + kEach, chart.scores.size());
    std::string text;
    for (std::size_t j = i; j < end; ++j) {
      text += (j == i ? "" : ", ") + number_text("%.4g", chart.scores[j]);
    }
    table.rows.push_back(
        {{std::to_string(i + 1) + " to " + std::to_string(end), false}, {text, true}});
  }
  return table;
}

void add_scores(ReportSection& section, const VerdictFile& verdict) {
  const ScoreChart chart = score_chart(verdict);
  if (chart.scores.empty() || chart.rows.empty()) return;
  std::string caption = "Each small dot is a calibrated run, each large one a run that was judged";
  if (chart.limit) {
    caption += "; a score above " + number_text("%.4g", *chart.limit) + " has p <= alpha";
  } else {
    caption += "; with so few calibrated runs no score has p <= alpha";
  }
  section.blocks.emplace_back(Figure{caption, chart});
  section.blocks.emplace_back(candidates_table(verdict, chart));
  section.blocks.emplace_back(scores_table(chart));
}

std::string accepted_words(const json& accepted) {
  const std::string who = text_at(accepted, "/who"), when = text_at(accepted, "/when");
  if (who.empty() && when.empty()) return {};
  return who + ", " + when + ": " + text_at(accepted, "/why");
}

/// `50 % and 90 % of the steps`.
std::string restored_words(const json& fractions) {
  std::vector<std::string> parts;
  for (const json& fraction : fractions) {
    if (fraction.is_number()) parts.push_back(number_text("%g %%", 100 * fraction.get<double>()));
  }
  return parts.empty() ? "no step" : list_words(parts) + " of the steps";
}

void add_settings(ReportSection& section, const VerdictFile& verdict, const Evidence& evidence) {
  const json statistics = at(verdict.value, "/statistics");
  const json settings = at(statistics, "/settings");
  if (!settings.is_object()) return;
  const auto number = [&](const char* pointer) { return words_of(at(settings, pointer)); };
  Facts facts;
  add_fact(facts, "alpha", number("/alpha"));
  add_fact(facts, "runs that made the envelope (K1)", number("/envelope_runs"));
  add_fact(facts, "runs that were scored by it (K2)", number("/calibration_runs"));
  add_fact(facts, "steps of a window", number("/window_steps"));
  add_fact(facts, "checkpoints restored at", restored_words(list_at(settings, "/restore_at")));
  add_margins(facts, verdict);
  const std::string digest = text_at(statistics, "/calibration_sha256");
  if (!digest.empty()) {
    add_fact(facts, "SHA-256 of the calibration's file", digest, true);
    add_fact(facts, "calibration made", evidence.statistics.ended);
    add_fact(facts, "accepted by", accepted_words(evidence.statistics.accepted));
  }
  section.blocks.emplace_back(facts);
}

/// What p-value and margin mean, and what they do not.
void add_limits(ReportSection& section, const VerdictFile& verdict) {
  const json settings = at(verdict.value, "/statistics/settings");
  const json alpha = at(settings, "/alpha");
  const auto runs = integer_at(settings, "/calibration_runs").value_or(0);
  if (!alpha.is_number() || !(alpha > 0 && alpha < 1) || runs < 1) return;
  const FalseAlarmRate rate =
      conformal_false_alarms(static_cast<std::size_t>(runs), alpha.get<double>());
  Bullets bullets;
  const auto add = [&](const std::string& text) { bullets.items.push_back({text, false}); };
  add("The p-value is the share of calibrated runs that lie at least as far out as the run, itself "
      "counted in. A run that was made as they were, with nothing wrong, has p <= alpha with "
      "probability alpha at most: " +
      number_text("%.2g", 100 * rate.mean) +
      " % on average over calibrations. One calibration in twenty has more than " +
      number_text("%.2g", 100 * rate.worst) + " %.");
  add("A large p-value is no proof that runs are equal: a change smaller than their scatter is not "
      "found. That they are equal enough, only the intervals say, of the metrics that have a "
      "margin.");
  add("A margin is the case's, declared before the runs: what is within counts as no difference.");
  add("The calibration is of one machine, library and case (fingerprint " +
      text_at(verdict.value, "/fingerprint") +
      "). Heat, load and a driver of the same version string are taken to change nothing.");
  add("Runs that were made again until one came out green show nothing of this. "
      "docs/statistics.md has the whole of it.");
  section.blocks.emplace_back(bullets);
}

}  // namespace

ReportSection statistics_section(const VerdictFile& verdict, const Evidence& evidence) {
  if (across_machines(verdict)) return across_section(verdict);
  ReportSection section{"statistics", "Without equal bits: scatter and equivalence", {}};
  if (!without_bits(verdict)) return section;
  section.blocks.emplace_back(
      Paragraph{"The trainer promises no equal bits, so two runs differ although nothing is wrong. "
                "What no rounding moves (batches, learning rates, random states) was compared "
                "exactly; losses and gradient norms are held against runs that were made before "
                "for this purpose, the calibration, and final results against each other."});
  add_sentences(section, verdict);
  add_evidence(section, evidence);
  add_envelope(section, verdict, evidence);
  add_scores(section, verdict);
  add_detection(section, verdict);
  add_equivalence(section, verdict);
  add_settings(section, verdict, evidence);
  add_limits(section, verdict);
  return section;
}

}  // namespace twinrun::harness
