// What a report says of outputs of inference.
#include "harness/report/describe_parts.h"
#include "harness/report/json_fields.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

// Columns of a text that stands beside another one.
constexpr std::size_t kTextColumns = 120;

std::string how_words(const std::string& kind) {
  if (kind == "frozen") return "every token, and every bit of its log-probability: no tolerance";
  if (kind == "other") {
    return "tokens, log-probabilities and distributions within bounds: the reference is of another "
           "implementation, which promises no bits";
  }
  return "";
}

/// The first texts, and every one that parts, up to a limit of either.
void add_texts(ReportSection& section, const json& inference) {
  constexpr std::size_t kShown = 8, kShownParted = 40;
  const bool reference = at(inference, "/reference").is_object();
  Table table{{"prompt", reference ? "reference" : "first run", reference ? "run" : "second run",
               "parts at token"},
              {}};
  for (const json& pair : list_at(inference, "/texts")) {
    const auto parts_at = integer_at(pair, "/parts_at");
    if (table.rows.size() >= (parts_at ? kShownParted : kShown)) continue;
    const auto [left, right] = side_by_side(text_at(pair, "/reference"), text_at(pair, "/run"));
    table.rows.push_back({{text_at(pair, "/id"), false},
                          {left, false},
                          {right, false},
                          {parts_at ? std::to_string(*parts_at) : "nowhere", false}});
  }
  if (!table.rows.empty()) section.blocks.emplace_back(table);
}

}  // namespace

std::pair<std::string, std::string> side_by_side(const std::string& a, const std::string& b) {
  if (columns(a) <= kTextColumns && columns(b) <= kTextColumns) return {a, b};
  const std::size_t at = a == b ? 0 : parting(a, b);
  return {ellipsize(excerpt(a, at), kTextColumns), ellipsize(excerpt(b, at), kTextColumns)};
}

bool only_outputs(const VerdictFile& verdict) { return check_named(verdict, "twin").is_null(); }

Facts outputs_facts(const VerdictFile& verdict) {
  Facts facts;
  const json inference = at(verdict.value, "/inference");
  if (!inference.is_object()) {
    add_fact(facts, "compared", "nothing: no outputs were judged");
    return facts;
  }
  const std::int64_t prompts = integer_at(inference, "/prompts").value_or(0);
  add_fact(facts, "compared",
           "outputs for " + count_of(prompts, "prompt") +
               ", of the adapter of one run, with a reference");
  add_fact(facts, "reference", text_at(inference, "/reference/file"), true);
  add_fact(facts, "SHA-256 of the reference", text_at(inference, "/reference/sha256"), true);
  add_fact(facts, "made by", text_at(inference, "/reference/program"));
  add_fact(facts, "how", how_words(text_at(inference, "/reference/kind")));
  const json bounds = list_at(inference, "/bounds");
  for (const auto& item : bounds.items()) {
    add_fact(facts, "bound " + item.key(), words_of(item.value()));
  }
  return facts;
}

ReportSection inference_section(const VerdictFile& verdict) {
  ReportSection section{"inference", "Outputs of the adapter", {}};
  const json check = check_named(verdict, "inference");
  if (did_not_run(check)) return section;
  section.blocks.emplace_back(
      Paragraph{text_at(check, "/verdict") + ": " + text_at(check, "/message") + "."});
  add_texts(section, at(verdict.value, "/inference"));
  return section;
}

}  // namespace twinrun::harness
