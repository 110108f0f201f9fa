// What a report says of results that are held against each other within margins: of runs that
// promise no bits, and of runs of different kinds of machine.
#include <algorithm>

#include "harness/report/describe_parts.h"
#include "harness/report/json_fields.h"
#include "harness/report/statistics_figures.h"
#include "harness/report/statistics_words.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

// Rows of the table, and kinds of difference between machines; verdict.json has the rest.
constexpr std::size_t kRowsMax = 200;
constexpr std::size_t kMachinePairsMax = 5;

std::string number_words(const json& value, const char* format = "%.4g") {
  return value.is_number() ? number_text(format, value.get<double>()) : "not finite";
}

std::string optional_words(const json& value, const char* format) {
  return value.is_number() ? number_text(format, value.get<double>()) : "";
}

/// How far runs with other seeds are apart in the metric of `found`; empty if that is not known.
std::string spread_words(const VerdictFile& verdict, const json& found) {
  for (const json& spread : list_at(verdict.value, "/statistics/spread")) {
    if (at(spread, "/metric") != at(found, "/metric") || is_slice(found)) continue;
    return number_words(at(spread, "/deviation")) + " (" +
           count_of(integer_at(spread, "/runs").value_or(0), "run") + ")";
  }
  return {};
}

std::string values_words(const json& found) {
  const std::string values = grouped(integer_at(found, "/n").value_or(0));
  const auto clusters = integer_at(found, "/clusters");
  return clusters ? values + " in " + count_of(*clusters, "cluster") : values;
}

std::vector<Cell> equivalence_row(const VerdictFile& verdict, const json& found, bool with_spread) {
  const bool interval = at(found, "/low").is_number() && at(found, "/high").is_number();
  const bool slice = is_slice(found);
  // What would decide it is of no use for what decides nothing.
  const std::string note = slice && interval ? "" : text_at(found, "/note");
  const std::string p = optional_words(at(found, "/p"), "%.2g");
  const std::string adjusted = optional_words(at(found, "/p_holm"), "%.2g");
  std::vector<Cell> row = {
      {slice ? text_at(found, "/slice") : equivalence_name(found), false, slice},
      {interval ? number_words(at(found, "/estimate")) : "", true},
      {interval ? number_words(at(found, "/low")) + " to " + number_words(at(found, "/high")) : "",
       true},
      {number_words(at(found, "/margin"), "%g"), true},
      {values_words(found), false},
      {p.empty() ? "" : p + (adjusted.empty() ? "" : "; " + adjusted), true},
      {outcome_words(text_at(found, "/outcome")) + (slice ? " (does not decide)" : "") +
           (note.empty() ? "" : ": " + note),
       false}};
  if (with_spread) row.insert(row.begin() + 2, Cell{spread_words(verdict, found), true});
  return row;
}

void add_table(ReportSection& section, const VerdictFile& verdict) {
  const json list = list_at(verdict.value, "/statistics/equivalences");
  const bool with_spread = !list_at(verdict.value, "/statistics/spread").empty();
  Table table{
      {"metric and runs", "difference", "interval", "margin", "values", "p; adjusted", "found"},
      {}};
  if (with_spread) table.header.insert(table.header.begin() + 2, "between seeds");
  for (const json& found : list) {
    if (table.rows.size() == kRowsMax) break;
    table.rows.push_back(equivalence_row(verdict, found, with_spread));
  }
  section.blocks.emplace_back(table);
  if (list.size() > kRowsMax) {
    section.blocks.emplace_back(
        Paragraph{"And " + grouped(static_cast<std::int64_t>(list.size() - kRowsMax)) +
                  " more in verdict.json."});
  }
  std::string words =
      "p is of the claim that there is no difference, and decides nothing; behind it the same "
      "adjusted for how many are tested (Holm), of whole metrics and of their parts apart. A row "
      "that is set in is of one category of the held-out rows: it says where a difference lies.";
  if (with_spread) {
    words +=
        " Between seeds: the standard deviation of runs with other seeds on one kind of machine, "
        "by which a difference can be measured.";
  }
  section.blocks.emplace_back(Paragraph{words});
}

/// Where the comparability keys of runs of different kinds of machine differ.
void add_machines(ReportSection& section, const VerdictFile& verdict) {
  std::vector<json> shown;
  for (const json& pair : list_at(verdict.value, "/statistics/across/pairs")) {
    const json differences = list_at(pair, "/differences");
    if (std::find(shown.begin(), shown.end(), differences) != shown.end()) continue;
    if (shown.size() == kMachinePairsMax) {
      section.blocks.emplace_back(
          Paragraph{"Other pairs differ otherwise; verdict.json has them."});
      return;
    }
    shown.push_back(differences);
    const std::string a = "run " + text_at(pair, "/a"), b = "run " + text_at(pair, "/b");
    section.blocks.emplace_back(
        Paragraph{"What the machines of " + a + " and " + b + " differ in:"});
    add_differences(section, differences, a, b);
  }
}

void add_across_limits(ReportSection& section) {
  Bullets bullets;
  const auto add = [&](const std::string& text) { bullets.items.push_back({text, false}); };
  add("Steps are not held against each other: two kinds of machine round differently from the "
      "first step on, and nothing says how far that may grow.");
  add("A margin is the case's, declared before the runs: what is within counts as no difference.");
  add("Equivalent is said of these runs. Another seed may lie on the other side of a margin.");
  add("Runs that were made again until one came out green show nothing of this. "
      "docs/statistics.md has the whole of it.");
  section.blocks.emplace_back(bullets);
}

}  // namespace

void add_margins(Facts& facts, const VerdictFile& verdict) {
  const json statistics = at(verdict.value, "/statistics");
  const json settings = at(statistics, "/settings/equivalence");
  add_fact(facts, "equivalence: alpha of each one-sided test", words_of(at(settings, "/alpha")));
  add_fact(facts, "equivalence: last steps that count",
           words_of(at(settings, "/final_window_steps")));
  const json margins = list_at(settings, "/margins");
  for (const auto& item : margins.items()) {
    const std::string unit = metric_unit(item.key());
    add_fact(facts, "margin of " + metric_words(item.key()),
             number_words(item.value(), "%g") + (unit.empty() ? "" : " " + unit));
  }
  add_fact(facts, "SHA-256 of these settings", text_at(statistics, "/digest"), true);
}

void add_equivalence(ReportSection& section, const VerdictFile& verdict) {
  const json list = list_at(verdict.value, "/statistics/equivalences");
  if (list.empty()) return;
  const IntervalChart chart = interval_chart(verdict), slices = slice_chart(verdict);
  const auto whole =
      std::count_if(list.begin(), list.end(), [](const json& found) { return !is_slice(found); });
  const json alpha = at(verdict.value, "/statistics/settings/equivalence/alpha");
  const json share = alpha.is_number() ? json(100 * (1 - 2 * alpha.get<double>())) : json();
  std::string caption =
      "Intervals of " + number_words(share, "%g") +
      " % for the difference of two runs, each scaled by its margin: equivalent where the whole "
      "interval lies between -1 and 1";
  if (static_cast<std::size_t>(whole) > chart.rows.size()) {
    caption += "; the first " + std::to_string(chart.rows.size()) + " of " + std::to_string(whole);
  }
  if (!chart.rows.empty()) section.blocks.emplace_back(Figure{caption, chart});
  if (!slices.rows.empty()) {
    section.blocks.emplace_back(
        Figure{"The same of each category of the held-out rows; they decide nothing", slices});
  }
  add_table(section, verdict);
}

ReportSection across_section(const VerdictFile& verdict) {
  ReportSection section{
      "statistics", "On " + kinds_words(verdict) + ": are the results equivalent?", {}};
  section.blocks.emplace_back(
      Paragraph{"The same training ran on " + kinds_words(verdict) +
                ", which give no equal bits. What no machine moves (batches, learning rates) was "
                "compared exactly; final results are held against each other within margins that "
                "were declared before."});
  section.blocks.emplace_back(Paragraph{envelope_sentence(verdict)});
  for (const std::string& sentence : equivalence_sentences(verdict)) {
    section.blocks.emplace_back(Paragraph{sentence});
  }
  add_machines(section, verdict);
  add_equivalence(section, verdict);
  if (at(verdict.value, "/statistics/settings").is_object()) {
    Facts facts;
    add_margins(facts, verdict);
    section.blocks.emplace_back(facts);
  }
  add_across_limits(section);
  return section;
}

}  // namespace twinrun::harness
