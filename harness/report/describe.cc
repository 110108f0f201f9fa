#include "harness/report/describe.h"

#include <algorithm>

#include "harness/report/describe_parts.h"
#include "harness/report/json_fields.h"
#include "harness/report/statistics_words.h"
#include "harness/report/text.h"
#include "harness/report/words.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

// Rows of a list that a report shows; verdict.json has the rest.
constexpr std::size_t kRowsMax = 40;

std::string value_text(const json& first, const std::string& side) {
  const std::string bits = text_at(first, "/bits_" + side);
  const json value = at(first, "/value_" + side);
  if (!value.is_number()) return bits;
  char text[64];
  // Of a float32 nine digits tell neighbours apart, of a float64 seventeen.
  std::snprintf(text, sizeof text, bits.size() > 8 ? "%.17g" : "%.9g", value.get<double>());
  return bits + "  (" + text + ")";
}

std::vector<std::string> texts_of(const json& list) {
  std::vector<std::string> texts;
  for (const json& item : list) texts.push_back(words_of(item));
  return texts;
}

}  // namespace

json check_named(const VerdictFile& verdict, const std::string& name) {
  for (const json& check : list_at(verdict.value, "/checks")) {
    if (text_at(check, "/name") == name) return check;
  }
  return nullptr;
}

bool did_not_run(const json& check) {
  return check.is_null() || text_at(check, "/verdict") == to_string(Verdict::kNotRun);
}

std::string headline(const VerdictFile& verdict) {
  if (const std::string close = closeness_sentence(verdict); !close.empty()) return close;
  for (const json& check : list_at(verdict.value, "/checks")) {
    if (text_at(check, "/verdict") == to_string(verdict.verdict)) return text_at(check, "/message");
  }
  return "no check ran";
}

json deciding_pair(const VerdictFile& verdict) {
  const json pairs = list_at(verdict.value, "/comparisons");
  const auto worst = std::min_element(pairs.begin(), pairs.end(), [](const json& x, const json& y) {
    return verdict_from_string(text_at(x, "/verdict")) <
           verdict_from_string(text_at(y, "/verdict"));
  });
  return worst == pairs.end() ? json() : *worst;
}

std::string grouped(std::int64_t number) {
  std::string text = std::to_string(number);
  const std::ptrdiff_t begin = number < 0 ? 1 : 0;
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > begin; at -= 3) {
    text.insert(static_cast<std::size_t>(at), ",");
  }
  return text;
}

void add_fact(Facts& facts, const std::string& name, const std::string& text, bool code) {
  const bool known = !text.empty();
  facts.rows.push_back({name, {known ? text : "not recorded", code && known}});
}

void add_divergence(ReportSection& section, const json& first, const std::string& a,
                    const std::string& b) {
  Facts facts;
  const std::string field = text_at(first, "/field");
  add_fact(facts, "step", grouped(integer_at(first, "/step").value_or(0)));
  add_fact(facts, "what", field_words(field) + " (" + field + ")");
  add_fact(facts, "in " + a, value_text(first, "a"), true);
  add_fact(facts, "in " + b, value_text(first, "b"), true);
  if (const json ulps = at(first, "/ulps"); ulps.is_number()) {
    add_fact(facts, "distance", ulps.dump() + " units in the last place");
  }
  const std::vector<std::string> others = texts_of(list_at(first, "/other_fields"));
  if (!others.empty()) add_fact(facts, "in the same step also", list_words(others));
  const std::int64_t compared = integer_at(first, "/tensors_compared").value_or(0);
  const std::int64_t differing = integer_at(first, "/tensors_differing").value_or(0);
  if (compared > 0) {
    add_fact(facts, "tensors", grouped(differing) + " of " + grouped(compared) + " differ");
  }
  section.blocks.emplace_back(facts);
  const std::vector<std::string> tensors = texts_of(list_at(first, "/tensors"));
  if (tensors.empty()) return;
  Bullets bullets;
  for (std::size_t i = 0; i < std::min(kRowsMax, tensors.size()); ++i) {
    bullets.items.push_back({tensors[i], true});
  }
  const auto shown = static_cast<std::int64_t>(bullets.items.size());
  section.blocks.emplace_back(
      Paragraph{"The tensors that differ, in the order of computation" +
                std::string(shown < differing ? ", the first of them:" : ":")});
  section.blocks.emplace_back(bullets);
}

void add_differences(ReportSection& section, const json& list, const std::string& a,
                     const std::string& b) {
  Table table{{"field", a, b}, {}};
  for (const json& difference : list) {
    if (table.rows.size() == kRowsMax) break;
    table.rows.push_back({{text_at(difference, "/field"), true},
                          {words_of(at(difference, "/a")), true},
                          {words_of(at(difference, "/b")), true}});
  }
  if (table.rows.empty()) return;
  section.blocks.emplace_back(table);
  if (list.size() > kRowsMax) {
    section.blocks.emplace_back(
        Paragraph{"And " + std::to_string(list.size() - kRowsMax) + " more in verdict.json."});
  }
}

Document describe(const VerdictFile& verdict, const Evidence& evidence, const std::string& made) {
  Document document;
  document.title = text_at(verdict.value, "/case/name");
  if (document.title.empty()) document.title = "a case without name";
  document.verdict = verdict.verdict;
  document.sentence = headline(verdict);
  document.meaning = only_outputs(verdict)      ? meaning_of_outputs(verdict.verdict)
                     : across_machines(verdict) ? meaning_across(verdict.verdict)
                     : without_bits(verdict)    ? meaning_without_bits(verdict.verdict)
                                                : meaning_of(verdict.verdict);
  document.alarms = evidence.broken();
  for (ReportSection& section : std::vector<ReportSection>{
           compared_section(verdict, evidence), statistics_section(verdict, evidence),
           divergence_section(verdict), curves_section(verdict, evidence),
           baseline_section(verdict), evaluation_section(verdict), inference_section(verdict),
           cost_section(verdict, evidence), controls_section(verdict), runs_section(evidence),
           inputs_section(verdict, evidence), machine_section(evidence),
           differences_section(verdict), again_section(verdict), limits_section(verdict, evidence),
           vouching_section(verdict, made)}) {
    if (!section.blocks.empty()) document.sections.push_back(std::move(section));
  }
  return document;
}

}  // namespace twinrun::harness
