#include "harness/report/inference_report.h"

#include <algorithm>

#include "harness/report/json_fields.h"
#include "harness/report/text.h"
#include "harness/report/verdict_json.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

json to_json(const std::optional<BitwiseOutputs>& bits) {
  if (!bits) return nullptr;
  json object = {{"prompts", bits->prompts},
                 {"tokens", bits->tokens},
                 {"prompts_differing", bits->prompts_differing},
                 {"first", nullptr}};
  if (const auto& first = bits->first) {
    object["first"] = {{"prompt", first->prompt},
                       {"position", first->position < 0 ? json() : json(first->position)},
                       {"field", first->field},
                       {"a", first->a},
                       {"b", first->b}};
  }
  return object;
}

json to_json(const TokenPlace& at) { return {{"prompt", at.prompt}, {"position", at.position}}; }

json to_json(const std::vector<ChoiceDifference>& choices) {
  constexpr std::size_t kListed = 20;
  json list = json::array();
  for (std::size_t i = 0; i < std::min(choices.size(), kListed); ++i) {
    const ChoiceDifference& choice = choices[i];
    list.push_back({{"prompt", choice.at.prompt},
                    {"position", choice.at.position},
                    {"reference_token", choice.reference_token},
                    {"run_token", choice.run_token},
                    {"reference_gap", or_null(choice.reference_gap)},
                    {"run_gap", or_null(choice.run_gap)},
                    {"near_tie", choice.near_tie}});
  }
  return list;
}

json to_json(const std::optional<ForcedMeasure>& forced) {
  if (!forced) return nullptr;
  return {{"tokens", forced->tokens},
          {"max_logprob_diff", forced->max_logprob_diff},
          {"max_logprob_diff_at", to_json(forced->max_logprob_diff_at)},
          {"mean_logprob_diff", forced->mean_logprob_diff},
          {"max_kl", forced->max_kl},
          {"max_kl_at", to_json(forced->max_kl_at)},
          {"mean_kl", forced->mean_kl},
          {"top1_agreement", forced->top1_agreement},
          {"choices_differing", forced->choices.size()},
          {"choices", to_json(forced->choices)}};
}

json to_json(const std::optional<GreedyMeasure>& greedy) {
  if (!greedy) return nullptr;
  return {{"prompts", greedy->prompts},
          {"identical", greedy->identical},
          {"tokens", greedy->tokens},
          {"divergences", to_json(greedy->divergences)}};
}

json to_json(const JudgedOutputs& run) {
  const ReferenceComparison& found = run.comparison;
  return {{"name", run.name},
          {"file", run.file.generic_string()},
          {"sha256", run.sha256.empty() ? json() : json(run.sha256)},
          {"verdict", to_string(found.verdict)},
          {"reason", found.reason},
          {"message", found.message},
          {"key_differences", differences_json(found.key_differences)},
          {"bitwise", to_json(found.bitwise)},
          {"forced", to_json(found.forced)},
          {"greedy", to_json(found.greedy)}};
}

json to_json(const TwinOutputs& twins) {
  return {{"a", twins.a},
          {"b", twins.b},
          {"verdict", to_string(twins.verdict)},
          {"reason", twins.reason},
          {"message", twins.message},
          {"key_differences", differences_json(twins.key_differences)},
          {"bitwise", to_json(twins.bitwise)}};
}

json to_json(const TextPair& pair) {
  return {{"prompt", pair.prompt},
          {"id", pair.id},
          {"reference", pair.reference},
          {"run", pair.run},
          {"parts_at", or_null(pair.parts_at)}};
}

template <typename T>
json list_of(const std::vector<T>& items) {
  json list = json::array();
  for (const T& item : items) list.push_back(to_json(item));
  return list;
}

/// `text` from a little before byte `at`, with a mark there.
std::string marked(std::string text, std::size_t at) { return excerpt(text.insert(at, ">>"), at); }

}  // namespace

json inference_json(const InferenceReport& report) {
  if (!report.judged) return nullptr;
  json reference;
  if (!report.reference.empty()) {
    reference = {
        {"file", report.reference.generic_string()},
        {"sha256", report.reference_sha256.empty() ? json() : json(report.reference_sha256)},
        {"program", report.reference_program},
        {"kind", report.kind}};
  }
  return {{"prompts", report.prompts},
          {"reference", reference},
          {"bounds", report.bounds ? to_json(*report.bounds) : json()},
          {"runs", list_of(report.runs)},
          {"twins", list_of(report.twins)},
          {"texts", list_of(report.texts)}};
}

std::vector<TerminalLine> parting_texts(const InferenceReport& report) {
  for (const TextPair& pair : report.texts) {
    if (!pair.parts_at) continue;
    const std::size_t at = parting(pair.reference, pair.run);
    const bool reference = !report.reference.empty();
    const std::string name = report.runs.empty() ? "run" : "run " + report.runs.front().name;
    return {{"texts", "prompt " + std::to_string(pair.prompt) + " (" + pair.id +
                          ") parts at token " + std::to_string(*pair.parts_at)},
            {reference ? "reference" : ellipsize(name, 9), marked(pair.reference, at)},
            {reference || report.runs.size() < 2 ? ellipsize(name, 9)
                                                 : ellipsize("run " + report.runs[1].name, 9),
             marked(pair.run, at)}};
  }
  return {};
}

}  // namespace twinrun::harness
