// What a report says of held-out rows: whether runs made the same of them, and what their losses
// and answers come to.
#include <bit>
#include <charconv>
#include <cstdint>
#include <map>

#include "harness/report/describe_parts.h"
#include "harness/report/json_fields.h"
#include "harness/report/statistics_words.h"
#include "harness/report/text.h"
#include "harness/report/words.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

// Rows of the table of scores; verdict.json has the rest.
constexpr std::size_t kScoreRowsMax = 120;

/// What a reason of the check says; empty for one that is not known here.
std::string reason_words(const std::string& reason) {
  static const std::map<std::string, std::string> words = {
      {"bitwise",
       "Every row has the same number of tokens, loss, answer and end in every run and at every "
       "evaluation, bit for bit."},
      {"discrete_equal",
       "The runs were asked the same rows, with the same tokens and references. They promise no "
       "bits, so that their losses and answers may differ: how far, is tested as equivalence."},
      {"outputs_differ", "The runs did not make the same of the held-out rows."},
      {"discrete_differs",
       "The runs were asked other rows, or rows with other tokens or references."},
      {"evaluation_missing", "A run left no eval.jsonl."},
      {"evaluation_malformed", "The eval.jsonl of a run is cut, or written wrong."},
      {"non_finite", "A loss of held-out rows is not finite."},
      {"evaluation_not_as_configured",
       "An eval.jsonl is of another held-out file, other settings or another last step than its "
       "run was configured with."},
      {"evaluation_not_named",
       "The manifest of a run has no digest of its eval.jsonl, so that nothing shows which one it "
       "wrote."},
      {"evaluation_newer_schema", "An eval.jsonl was written by a newer program."},
      {"evaluation_damaged",
       "An eval.jsonl does not have its own digest: it was changed after it had been written."},
      {"run_failed", "Nothing was compared, since a run is not intact."}};
  const auto found = words.find(reason);
  return found == words.end() ? std::string() : found->second;
}

std::string row_field_words(const std::string& field) {
  static const std::map<std::string, std::string> words = {{"id", "the row's name"},
                                                           {"category", "its category"},
                                                           {"cluster", "its cluster"},
                                                           {"tokens", "its number of tokens"},
                                                           {"reference", "its reference answer"},
                                                           {"nll", "its loss, summed over tokens"},
                                                           {"answer", "the answer"},
                                                           {"finish", "how the answer ended"}};
  const auto found = words.find(field);
  return found == words.end() ? field : found->second;
}

/// `3ff8000000000000  (1.5)` of the bits of a float64, else the text itself.
std::string with_value(const std::string& bits) {
  std::uint64_t number = 0;
  const char* end = bits.data() + bits.size();
  const auto [stop, error] = std::from_chars(bits.data(), end, number, 16);
  if (bits.size() != 16 || stop != end || error != std::errc()) return bits;
  return bits + "  (" + number_text("%.17g", std::bit_cast<double>(number)) + ")";
}

/// Both values of the first row that differs, as they can stand side by side.
std::pair<std::string, std::string> values_of(const json& first) {
  const std::string a = text_at(first, "/value_a"), b = text_at(first, "/value_b");
  if (text_at(first, "/field") == "nll") return {with_value(a), with_value(b)};
  return side_by_side(a, b);
}

void add_first(ReportSection& section, const json& first) {
  if (!first.is_object()) return;
  const std::string field = text_at(first, "/field"), id = text_at(first, "/id");
  const bool code = field == "nll";
  const auto [left, right] = values_of(first);
  const std::string where = "step " + grouped(integer_at(first, "/step").value_or(0)) + ", row " +
                            grouped(integer_at(first, "/item").value_or(0)) + " (" + id +
                            "): " + row_field_words(field);
  section.blocks.emplace_back(Table{
      {"first row that differs", "run " + text_at(first, "/a"), "run " + text_at(first, "/b")},
      {{{where, false}, {left, code}, {right, code}}}});
}

Facts compared_facts(const VerdictFile& verdict) {
  const json evaluation = at(verdict.value, "/evaluation");
  const std::int64_t runs = static_cast<std::int64_t>(list_at(evaluation, "/runs").size());
  Facts facts;
  add_fact(facts, "rows", grouped(integer_at(evaluation, "/rows").value_or(0)));
  add_fact(facts, "evaluated",
           count_of(integer_at(evaluation, "/evaluations").value_or(0), "time") + " in each of " +
               count_of(runs, "run"));
  add_fact(facts, "values compared",
           grouped(integer_at(evaluation, "/comparisons").value_or(0)) +
               (at(evaluation, "/first").is_object() ? ", up to the first that differs" : ""));
  add_fact(facts, "how",
           without_bits(verdict)
               ? "ids, categories, numbers of tokens and references exactly; losses and answers by "
                 "tests of equivalence"
               : "every loss and every answer bit for bit: no tolerance, no rounding");
  return facts;
}

std::string score_words(const json& value, const char* format) {
  return value.is_number() ? number_text(format, value.get<double>()) : "";
}

std::vector<Cell> scores_row(const std::string& run, const json& scores) {
  const std::string slice = text_at(scores, "/slice");
  return {{slice.empty() ? "all rows" : slice, false},
          {run, false},
          {grouped(integer_at(scores, "/rows").value_or(0)), false},
          {score_words(at(scores, "/loss"), "%.6g"), false},
          {score_words(at(scores, "/perplexity"), "%.6g"), false},
          {score_words(at(scores, "/exact_match"), "%.2f"), false},
          {score_words(at(scores, "/token_f1"), "%.2f"), false},
          {score_words(at(scores, "/accuracy"), "%.2f"), false},
          {score_words(at(scores, "/macro_f1"), "%.2f"), false}};
}

/// Category by category, so that what two runs come to stands beside each other.
void add_scores(ReportSection& section, const json& evaluation) {
  std::vector<std::string> slices;
  std::map<std::string, std::vector<std::vector<Cell>>> rows;
  for (const json& run : list_at(evaluation, "/runs")) {
    for (const json& scores : list_at(run, "/scores")) {
      const std::string slice = text_at(scores, "/slice");
      if (rows.count(slice) == 0) slices.push_back(slice);
      rows[slice].push_back(scores_row(text_at(run, "/name"), scores));
    }
  }
  if (slices.empty()) return;
  Table table{{"rows of", "run", "rows", "loss", "perplexity", "exact match", "token F1",
               "accuracy", "macro F1"},
              {}};
  std::size_t all = 0;
  for (const std::string& slice : slices) {
    for (auto& row : rows[slice]) {
      if (++all <= kScoreRowsMax) table.rows.push_back(std::move(row));
    }
  }
  section.blocks.emplace_back(Paragraph{
      "What the last evaluation of each run comes to, of all rows and by category. Loss in nats a "
      "token, perplexity its exponential; the rest in points from 0 to 100, by the rules of SQuAD "
      "1.1. Accuracy and macro F1 are there where references are labels, no score of answers where "
      "none were asked for."});
  section.blocks.emplace_back(table);
  if (all > kScoreRowsMax) {
    section.blocks.emplace_back(Paragraph{"And " +
                                          grouped(static_cast<std::int64_t>(all - kScoreRowsMax)) +
                                          " more in verdict.json."});
  }
}

/// The digests, and the commands that come to them and to the comparison.
void add_check_again(ReportSection& section, const VerdictFile& verdict) {
  Facts facts;
  std::string files;
  for (const json& run : list_at(verdict.value, "/evaluation/runs")) {
    const std::string name = text_at(run, "/name"), digest = text_at(run, "/sha256");
    add_fact(facts, "SHA-256 of eval.jsonl, run " + name, digest, true);
    for (const json& stated : list_at(verdict.value, "/runs")) {
      if (digest.empty() || text_at(stated, "/name") != name) continue;
      files += " " + shell_quote(one_line(text_at(stated, "/dir") + "/eval.jsonl"));
    }
  }
  if (facts.rows.empty()) return;
  section.blocks.emplace_back(facts);
  if (files.empty()) return;
  section.blocks.emplace_back(Paragraph{
      "To check this again, in the folder of verdict.json: the first command has to give these "
      "digests, the second reads every row and compares them anew."});
  section.blocks.emplace_back(
      CodeBlock{"sha256sum" + files + "\n" + compare_command_line(verdict)});
}

}  // namespace

ReportSection evaluation_section(const VerdictFile& verdict) {
  ReportSection section{"heldout", "Held-out rows", {}};
  const json evaluation = at(verdict.value, "/evaluation");
  if (!evaluation.is_object()) return section;
  const json check = check_named(verdict, "evaluation");
  const std::string words = reason_words(text_at(check, "/reason"));
  const std::string message = text_at(check, "/message");
  if (!words.empty()) section.blocks.emplace_back(Paragraph{words});
  if (!message.empty()) {
    section.blocks.emplace_back(Paragraph{text_at(check, "/verdict") + ": " + message + "."});
  }
  if (list_at(evaluation, "/runs").empty()) return section;
  section.blocks.emplace_back(compared_facts(verdict));
  add_first(section, at(evaluation, "/first"));
  add_scores(section, evaluation);
  add_check_again(section, verdict);
  return section;
}

std::string with_row_values(const VerdictFile& verdict, const std::string& message) {
  const json first = at(verdict.value, "/evaluation/first");
  if (!first.is_object() || message != text_at(check_named(verdict, "evaluation"), "/message")) {
    return message;
  }
  const auto [a, b] = values_of(first);
  return message + ": " + a + " in run " + text_at(first, "/a") + ", " + b + " in run " +
         text_at(first, "/b");
}

}  // namespace twinrun::harness
