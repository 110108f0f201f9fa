#include "harness/compare/comparability.h"
#include "harness/infer/infer_text.h"
#include "harness/infer/judge_inference.h"
#include "harness/protocol/line_text.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using protocol::InferenceFile;
using protocol::InferenceHeader;
using protocol::PromptOutput;

ReferenceComparison result(Verdict verdict, const std::string& reason, const std::string& message) {
  ReferenceComparison comparison;
  comparison.verdict = verdict;
  comparison.reason = reason;
  comparison.message = message;
  return comparison;
}

/// What two files have to have in common before a token is compared.
json comparable_part(const InferenceHeader& header, ReferenceKind kind) {
  json part = {{"dtype", header.dtype}, {"max_new_tokens", header.max_new_tokens}};
  if (kind == ReferenceKind::kOther) return part;
  part["promise"] = to_string(header.promise);
  part["numerics"] = header.numerics;
  part["arithmetic"] = header.arithmetic;
  part["batch_size"] = header.batch_size;
  part["top"] = header.top;
  part["platform"] = header.platform;
  return part;
}

/// Why the two are not outputs for the same prompts; nullopt if they are.
std::optional<ReferenceComparison> other_prompts(const InferenceFile& reference,
                                                 const InferenceFile& outputs) {
  const auto other = [](const std::string& what) {
    return result(Verdict::kInconclusive, "other_prompts",
                  "the reference is for other prompts: " + what);
  };
  if (reference.outputs.size() != outputs.outputs.size()) {
    return other("it has " + std::to_string(reference.outputs.size()) + ", the run " +
                 std::to_string(outputs.outputs.size()));
  }
  for (std::size_t i = 0; i < reference.outputs.size(); ++i) {
    const PromptOutput &wanted = reference.outputs[i], &found = outputs.outputs[i];
    const std::string prompt = prompt_text(reference, wanted.prompt);
    if (wanted.id != found.id)
      return other(prompt + " is " + sample_id_text(found.id) + " in the run");
    if (wanted.text != found.text || (!wanted.text && wanted.ids != found.ids)) {
      return other(prompt + " has another text in the run");
    }
    // The same text, so it is the tokenizer of one of the two that reads it otherwise.
    if (wanted.ids != found.ids) {
      return result(Verdict::kNotReproduced, "prompt_ids_differ",
                    prompt + " has the same text but other tokens than in the reference");
    }
  }
  return std::nullopt;
}

ReferenceComparison compare_frozen(const InferenceFile& reference, const InferenceFile& outputs) {
  const BitwiseOutputs bits = compare_bits(reference, outputs, false);
  ReferenceComparison comparison =
      bits.first ? result(Verdict::kNotReproduced, "outputs_differ",
                          difference_text(reference, *bits.first, "the reference"))
                 : result(Verdict::kReproduced, "bitwise",
                          "equal the reference in every token and bit of " +
                              std::to_string(bits.prompts) + " prompts");
  comparison.bitwise = bits;
  return comparison;
}

/// Whether all that is told of token `t` can come from one distribution: nothing is more probable
/// than the best, and a token that is named twice has the same bits. A measure of numbers that are
/// of nothing would say nothing.
bool of_one_row(const PromptOutput& wanted, const protocol::ForcedTokens& forced, std::size_t t) {
  const protocol::TokenLogprob& best = forced.best[t];
  const float token = forced.logprobs[t];
  bool one = token <= best.logprob &&
             (best.id != wanted.tokens[t] || protocol::same_bits(token, best.logprob));
  for (std::size_t i = 0; one && i < wanted.top[t].size(); ++i) {
    const std::int64_t id = wanted.top[t][i].id;
    const float value = forced.top[t][i];
    one = value <= best.logprob && (id != best.id || protocol::same_bits(value, best.logprob)) &&
          (id != wanted.tokens[t] || protocol::same_bits(value, token));
  }
  return one;
}

/// Why `outputs` cannot be of the tokens of `reference`; nullopt if they can.
std::optional<ReferenceComparison> forced_problem(const InferenceFile& reference,
                                                  const InferenceFile& outputs) {
  if (outputs.header.reference != protocol::to_hex(reference.sha256)) {
    return result(Verdict::kInvalid, "forced_on_another_reference",
                  outputs.header.reference
                      ? "the outputs were forced on the tokens of another file than this reference"
                      : "the outputs were made without the reference: no token of it was forced");
  }
  for (std::size_t p = 0; p < reference.outputs.size(); ++p) {
    const PromptOutput& wanted = reference.outputs[p];
    const auto& forced = outputs.outputs[p].forced;
    bool fits = forced && forced->logprobs.size() == wanted.tokens.size();
    for (std::size_t t = 0; fits && t < wanted.tokens.size(); ++t) {
      fits = forced->top[t].size() == wanted.top[t].size() && of_one_row(wanted, *forced, t);
    }
    if (fits) continue;
    return result(Verdict::kInvalid, "forced_malformed",
                  "prompt " + std::to_string(p) +
                      ": what was forced is not of the reference's tokens, or not of one "
                      "distribution at each of them");
  }
  return std::nullopt;
}

std::string choice_text(const InferenceFile& reference, const ChoiceDifference& choice,
                        double tie_gap) {
  const auto gap = [](const std::optional<double>& value) {
    return value ? measure_text(*value) : std::string("more than it keeps");
  };
  return place_text(reference, choice.at) + " is " + std::to_string(choice.run_token) + ", " +
         std::to_string(choice.reference_token) + " in the reference, and no near tie: gaps of " +
         gap(choice.run_gap) + " and " + gap(choice.reference_gap) + " nats, of which " +
         measure_text(tie_gap) + " are allowed";
}

std::string too_far(const std::string& what, double found, double bound) {
  return what + " is " + measure_text(found) + ", where " + measure_text(bound) + " is allowed";
}

/// The first bound that does not hold: reason and message; empty if all do. Written as claims, so
/// that a NaN fails.
std::pair<std::string, std::string> broken_bound(const InferenceFile& reference,
                                                 const ForcedMeasure& forced,
                                                 const GreedyMeasure& greedy,
                                                 const InferenceBounds& bounds) {
  if (!(forced.max_logprob_diff <= bounds.max_logprob_diff)) {
    return {"logprob_differs", too_far("the difference of the log-probability of " +
                                           place_text(reference, forced.max_logprob_diff_at),
                                       forced.max_logprob_diff, bounds.max_logprob_diff)};
  }
  if (!(forced.mean_logprob_diff <= bounds.mean_logprob_diff)) {
    return {"mean_logprob_differs", too_far("the mean difference of log-probabilities",
                                            forced.mean_logprob_diff, bounds.mean_logprob_diff)};
  }
  if (!(forced.max_kl <= bounds.kl)) {
    return {"kl_exceeded",
            too_far("the KL divergence at " + place_text(reference, forced.max_kl_at),
                    forced.max_kl, bounds.kl)};
  }
  if (!(forced.mean_kl <= bounds.mean_kl)) {
    return {"mean_kl_exceeded", too_far("the mean KL divergence", forced.mean_kl, bounds.mean_kl)};
  }
  if (!(forced.top1_agreement >= bounds.top1_agreement)) {
    return {"top1_disagrees", "the most probable token is the same at " +
                                  measure_text(forced.top1_agreement) +
                                  " of the positions, where " +
                                  measure_text(bounds.top1_agreement) + " is asked for"};
  }
  for (const auto* choices : {&greedy.divergences, &forced.choices}) {
    for (const ChoiceDifference& choice : *choices) {
      if (choice.near_tie) continue;
      return {"not_a_near_tie", choice_text(reference, choice, bounds.tie_gap)};
    }
  }
  return {};
}

ReferenceComparison compare_within_bounds(const InferenceFile& reference,
                                          const InferenceFile& outputs,
                                          const InferenceBounds& bounds) {
  if (const auto problem = forced_problem(reference, outputs)) return *problem;
  const ForcedMeasure forced = measure_forced(reference, outputs, bounds.tie_gap);
  const GreedyMeasure greedy = measure_greedy(reference, outputs, bounds.tie_gap);
  const auto [reason, message] = broken_bound(reference, forced, greedy, bounds);
  ReferenceComparison comparison =
      !reason.empty() ? result(Verdict::kNotReproduced, reason, message)
                      : result(Verdict::kReproduced, "within_bounds",
                               "are within the reference's bounds: at most " +
                                   measure_text(forced.max_logprob_diff) + " nats off, mean KL " +
                                   measure_text(forced.mean_kl));
  comparison.forced = forced;
  comparison.greedy = greedy;
  return comparison;
}

}  // namespace

ReferenceKind kind_of(const InferenceHeader& reference) {
  return reference.promise == protocol::Promise::kBitwise ? ReferenceKind::kFrozen
                                                          : ReferenceKind::kOther;
}

ReferenceComparison compare_with_reference(const InferenceFile& reference,
                                           const InferenceFile& outputs,
                                           const InferenceBounds& bounds) {
  const InferenceHeader &wanted = reference.header, &found = outputs.header;
  if (wanted.model != found.model) {
    return result(Verdict::kInconclusive, "other_model",
                  "the reference was made with another model: " +
                      first_field_text(found.model, wanted.model));
  }
  if (wanted.tokenizer != found.tokenizer) {
    return result(Verdict::kInconclusive, "other_tokenizer",
                  "the reference was made with another tokenizer: " +
                      first_field_text(found.tokenizer, wanted.tokenizer));
  }
  const ReferenceKind kind = kind_of(wanted);
  const auto differences =
      json_differences(comparable_part(wanted, kind), comparable_part(found, kind));
  if (!differences.empty()) {
    const Difference& first = differences.front();
    ReferenceComparison comparison =
        result(Verdict::kInconclusive, "not_comparable",
               "cannot be compared with the reference: " + first.field + " is " + first.b.dump() +
                   ", in the reference " + first.a.dump());
    comparison.key_differences = differences;
    return comparison;
  }
  if (auto problem = other_prompts(reference, outputs)) return *problem;
  return kind == ReferenceKind::kFrozen ? compare_frozen(reference, outputs)
                                        : compare_within_bounds(reference, outputs, bounds);
}

}  // namespace twinrun::harness
