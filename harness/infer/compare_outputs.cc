#include "harness/infer/compare_outputs.h"

#include <algorithm>
#include <cmath>

#include "harness/protocol/line_text.h"

namespace twinrun::harness {
namespace {

using protocol::bits_text;
using protocol::ForcedTokens;
using protocol::InferenceFile;
using protocol::PromptOutput;
using protocol::same_bits;
using protocol::TokenLogprob;

bool same(const TokenLogprob& a, const TokenLogprob& b) {
  return a.id == b.id && same_bits(a.logprob, b.logprob);
}

bool same(const std::vector<TokenLogprob>& a, const std::vector<TokenLogprob>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const TokenLogprob& x, const TokenLogprob& y) { return same(x, y); });
}

bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same_bits);
}

bool same(const ForcedTokens& a, const ForcedTokens& b) {
  return same(a.logprobs, b.logprobs) && same(a.best, b.best) &&
         std::equal(a.top.begin(), a.top.end(), b.top.begin(), b.top.end(),
                    [](const auto& x, const auto& y) { return same(x, y); });
}

std::string entry_text(const std::vector<TokenLogprob>& top, std::size_t index) {
  if (index >= top.size()) return "none";
  return std::to_string(top[index].id) + ":" + bits_text(top[index].logprob);
}

// At one token: what was chosen, its log-probability, the others.
std::optional<OutputDifference> token_difference(const PromptOutput& a, const PromptOutput& b,
                                                 std::size_t t) {
  OutputDifference found{a.prompt, static_cast<std::int64_t>(t), "", "", ""};
  if (a.tokens[t] != b.tokens[t]) {
    found.field = "tokens";
    found.a = std::to_string(a.tokens[t]);
    found.b = std::to_string(b.tokens[t]);
    return found;
  }
  if (!same_bits(a.logprobs[t], b.logprobs[t])) {
    found.field = "logprobs";
    found.a = bits_text(a.logprobs[t]);
    found.b = bits_text(b.logprobs[t]);
    return found;
  }
  if (same(a.top[t], b.top[t])) return std::nullopt;
  std::size_t i = 0;
  while (i < std::min(a.top[t].size(), b.top[t].size()) && same(a.top[t][i], b.top[t][i])) ++i;
  found.field = "top";
  found.a = entry_text(a.top[t], i);
  found.b = entry_text(b.top[t], i);
  return found;
}

std::string ids_text(const std::vector<std::int64_t>& ids, std::size_t index) {
  return index < ids.size() ? std::to_string(ids[index]) : "none";
}

std::optional<OutputDifference> prompt_difference(const PromptOutput& a, const PromptOutput& b,
                                                  bool with_forced) {
  if (a.ids != b.ids) {
    const auto at = std::mismatch(a.ids.begin(), a.ids.end(), b.ids.begin(), b.ids.end());
    const auto index = static_cast<std::size_t>(at.first - a.ids.begin());
    return OutputDifference{a.prompt, static_cast<std::int64_t>(index), "ids",
                            ids_text(a.ids, index), ids_text(b.ids, index)};
  }
  const std::size_t tokens = std::min(a.tokens.size(), b.tokens.size());
  for (std::size_t t = 0; t < tokens; ++t) {
    if (auto found = token_difference(a, b, t)) return found;
  }
  if (a.tokens.size() != b.tokens.size()) {
    return OutputDifference{a.prompt, static_cast<std::int64_t>(tokens), "tokens",
                            ids_text(a.tokens, tokens), ids_text(b.tokens, tokens)};
  }
  if (a.finish != b.finish) {
    return OutputDifference{a.prompt, -1, "finish", to_string(a.finish), to_string(b.finish)};
  }
  if (a.completion != b.completion || a.text != b.text) {
    const bool rendered = a.text != b.text;
    return OutputDifference{a.prompt, -1, rendered ? "text" : "completion",
                            (rendered ? a.text : a.completion).value_or("none"),
                            (rendered ? b.text : b.completion).value_or("none")};
  }
  if (!with_forced) return std::nullopt;
  if (a.forced.has_value() != b.forced.has_value() || (a.forced && !same(*a.forced, *b.forced))) {
    return OutputDifference{a.prompt, -1, "forced", "", ""};
  }
  return std::nullopt;
}

/// By how much the first of `top` is preferred to `token`.
std::optional<double> gap_to(const std::vector<TokenLogprob>& top, std::int64_t token) {
  for (const TokenLogprob& entry : top) {
    if (entry.id == token) {
      return static_cast<double>(top.front().logprob) - static_cast<double>(entry.logprob);
    }
  }
  return std::nullopt;
}

bool near_tie(const ChoiceDifference& choice, double tie_gap) {
  return choice.reference_gap && choice.run_gap && *choice.reference_gap <= tie_gap &&
         *choice.run_gap <= tie_gap;
}

std::vector<double> logprobs_of(const std::vector<TokenLogprob>& top) {
  std::vector<double> values;
  for (const TokenLogprob& entry : top) values.push_back(static_cast<double>(entry.logprob));
  return values;
}

}  // namespace

BitwiseOutputs compare_bits(const InferenceFile& a, const InferenceFile& b, bool with_forced) {
  BitwiseOutputs result;
  for (std::size_t i = 0; i < a.outputs.size() && i < b.outputs.size(); ++i) {
    ++result.prompts;
    result.tokens += static_cast<std::int64_t>(a.outputs[i].tokens.size());
    auto found = prompt_difference(a.outputs[i], b.outputs[i], with_forced);
    if (!found) continue;
    ++result.prompts_differing;
    if (!result.first) result.first = std::move(found);
  }
  return result;
}

double kl_divergence(const std::vector<double>& p_logprobs, const std::vector<double>& q_logprobs) {
  constexpr double kRestLeast = 1e-6;
  double kl = 0, p_mass = 0, q_mass = 0;
  for (std::size_t i = 0; i < p_logprobs.size(); ++i) {
    const double p = std::exp(p_logprobs[i]);
    kl += p * (p_logprobs[i] - q_logprobs[i]);
    p_mass += p;
    q_mass += std::exp(q_logprobs[i]);
  }
  const double p_rest = std::max(1 - p_mass, kRestLeast), q_rest = std::max(1 - q_mass, kRestLeast);
  kl += p_rest * std::log(p_rest / q_rest);
  return std::max(kl, 0.0);  // rounding may leave it a little below
}

ForcedMeasure measure_forced(const InferenceFile& reference, const InferenceFile& outputs,
                             double tie_gap) {
  ForcedMeasure result;
  std::int64_t agreeing = 0;
  double diff_sum = 0, kl_sum = 0;
  for (std::size_t p = 0; p < reference.outputs.size(); ++p) {
    const PromptOutput& wanted = reference.outputs[p];
    const ForcedTokens& forced = outputs.outputs[p].forced.value();
    for (std::size_t t = 0; t < wanted.tokens.size(); ++t) {
      const TokenPlace at{wanted.prompt, static_cast<std::int64_t>(t)};
      const double diff = std::abs(static_cast<double>(forced.logprobs[t]) -
                                   static_cast<double>(wanted.logprobs[t]));
      std::vector<double> run_top;
      for (const float value : forced.top[t]) run_top.push_back(static_cast<double>(value));
      const double kl = kl_divergence(logprobs_of(wanted.top[t]), run_top);
      if (diff > result.max_logprob_diff) result.max_logprob_diff_at = at;
      if (kl > result.max_kl) result.max_kl_at = at;
      result.max_logprob_diff = std::max(result.max_logprob_diff, diff);
      result.max_kl = std::max(result.max_kl, kl);
      diff_sum += diff;
      kl_sum += kl;
      ++result.tokens;
      const TokenLogprob& best = forced.best[t];
      if (best.id == wanted.tokens[t]) {
        ++agreeing;
        continue;
      }
      ChoiceDifference choice{at, wanted.tokens[t], best.id, gap_to(wanted.top[t], best.id), {}};
      choice.run_gap = static_cast<double>(best.logprob) - static_cast<double>(forced.logprobs[t]);
      choice.near_tie = near_tie(choice, tie_gap);
      result.choices.push_back(choice);
    }
  }
  const auto tokens = static_cast<double>(result.tokens);
  result.mean_logprob_diff = diff_sum / tokens;
  result.mean_kl = kl_sum / tokens;
  result.top1_agreement = static_cast<double>(agreeing) / tokens;
  return result;
}

GreedyMeasure measure_greedy(const InferenceFile& reference, const InferenceFile& outputs,
                             double tie_gap) {
  GreedyMeasure result;
  for (std::size_t p = 0; p < reference.outputs.size(); ++p) {
    const PromptOutput& wanted = reference.outputs[p];
    const PromptOutput& found = outputs.outputs[p];
    ++result.prompts;
    const auto parted = std::mismatch(wanted.tokens.begin(), wanted.tokens.end(),
                                      found.tokens.begin(), found.tokens.end());
    const auto t = static_cast<std::size_t>(parted.first - wanted.tokens.begin());
    result.tokens += static_cast<std::int64_t>(t);
    // Where one ends and the other goes on there is nothing to weigh; an end token would differ.
    if (t == wanted.tokens.size() && t == found.tokens.size()) {
      ++result.identical;
      continue;
    }
    ChoiceDifference choice{{wanted.prompt, static_cast<std::int64_t>(t)}, -1, -1, {}, {}};
    if (t < wanted.tokens.size()) choice.reference_token = wanted.tokens[t];
    if (t < found.tokens.size()) choice.run_token = found.tokens[t];
    if (t < wanted.tokens.size() && t < found.tokens.size()) {
      choice.reference_gap = gap_to(wanted.top[t], choice.run_token);
      choice.run_gap = gap_to(found.top[t], choice.reference_token);
    }
    choice.near_tie = near_tie(choice, tie_gap);
    result.divergences.push_back(choice);
  }
  return result;
}

}  // namespace twinrun::harness
