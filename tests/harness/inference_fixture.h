#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "harness/protocol/inference.h"

namespace twinrun::test {

/// The distribution of a toy model over `kInferenceVocabulary` tokens behind a prefix: it hangs on
/// the last two tokens and, by `shift`, on the "adapter".
inline constexpr std::int64_t kInferenceVocabulary = 12;

inline std::vector<double> toy_logprobs(const std::vector<std::int64_t>& prefix, double shift) {
  const auto last = static_cast<double>(prefix.back());
  const double before = prefix.size() > 1 ? static_cast<double>(prefix[prefix.size() - 2]) : 0;
  std::vector<double> logits;
  double sum = 0;
  for (std::int64_t id = 0; id < kInferenceVocabulary; ++id) {
    const auto number = static_cast<double>(id);
    const double logit =
        2 * std::sin(1 + 1.7 * number + 0.9 * last + 0.4 * before) + shift * std::cos(3 * number);
    logits.push_back(logit);
    sum += std::exp(logit);
  }
  for (double& logit : logits) logit -= std::log(sum);
  return logits;
}

inline std::vector<protocol::TokenLogprob> toy_top(const std::vector<double>& logprobs, int count) {
  std::vector<protocol::TokenLogprob> top;
  for (std::size_t id = 0; id < logprobs.size(); ++id) {
    top.push_back({static_cast<std::int64_t>(id), static_cast<float>(logprobs[id])});
  }
  std::stable_sort(top.begin(), top.end(),
                   [](const auto& x, const auto& y) { return x.logprob > y.logprob; });
  top.resize(static_cast<std::size_t>(count));
  return top;
}

/// A file's content, not yet written.
struct ToyInference {
  protocol::InferenceHeader header;
  std::vector<protocol::PromptOutput> outputs;
  std::string text() const { return protocol::format_inference(header, outputs); }
};

/// Outputs of the toy model for three prompts, six tokens each; `noise` moves every
/// log-probability a little, differently at each token.
inline ToyInference toy_inference(double shift = 0.5, double noise = 0) {
  constexpr int kTop = 4;
  ToyInference toy;
  auto& header = toy.header;
  header.program = "twinrun-train";
  header.versions = {{"torch", "2.11.0"}};
  header.promise = protocol::Promise::kBitwise;
  header.numerics = "deterministic";
  header.arithmetic = "libtorch-float32/2";
  header.platform = {{"device.type", "cpu"}, {"cpu.threads", 2}};
  header.dtype = "float32";
  header.model = {{"files", {{"config.json", std::string(64, '1')}}}};
  header.tokenizer = {{"files", {{"tokenizer.json", std::string(64, '2')}}}};
  header.adapter = std::string(64, '3');
  header.prompts = 3;
  header.max_new_tokens = 6;
  header.batch_size = 8;
  header.top = kTop;
  for (std::int64_t prompt = 0; prompt < header.prompts; ++prompt) {
    protocol::PromptOutput output;
    output.prompt = prompt;
    output.id = "greeting/" + std::to_string(prompt);
    output.text = "say " + std::to_string(prompt);
    output.ids = {3, 7, 2 * prompt + 1};
    std::vector<std::int64_t> prefix = output.ids;
    std::string completion;
    for (std::int64_t position = 0; position < header.max_new_tokens; ++position) {
      std::vector<double> all = toy_logprobs(prefix, shift);
      for (std::size_t id = 0; id < all.size(); ++id) {
        all[id] += noise * std::sin(static_cast<double>(7 * position + 5 * prompt) +
                                    static_cast<double>(id));
      }
      const auto top = toy_top(all, kTop);
      output.tokens.push_back(top.front().id);
      output.logprobs.push_back(top.front().logprob);
      output.top.push_back(top);
      prefix.push_back(top.front().id);
      completion += static_cast<char>('a' + top.front().id);
    }
    output.completion = completion;
    output.finish = protocol::Finish::kLength;
    toy.outputs.push_back(output);
  }
  return toy;
}

/// `toy` with what the toy model of `shift` and `noise` gives the tokens of `reference`.
inline void force(ToyInference& toy, const ToyInference& reference, double shift,
                  double noise = 0) {
  toy.header.reference = protocol::to_hex(protocol::sha256(reference.text()));
  for (std::size_t p = 0; p < toy.outputs.size(); ++p) {
    const auto& wanted = reference.outputs[p];
    protocol::ForcedTokens forced;
    std::vector<std::int64_t> prefix = wanted.ids;
    for (std::size_t t = 0; t < wanted.tokens.size(); ++t) {
      std::vector<double> all = toy_logprobs(prefix, shift);
      for (std::size_t id = 0; id < all.size(); ++id) {
        all[id] += noise * std::sin(static_cast<double>(7 * t + 5 * p) + static_cast<double>(id));
      }
      const auto of = [&](std::int64_t id) {
        return static_cast<float>(all[static_cast<std::size_t>(id)]);
      };
      forced.logprobs.push_back(of(wanted.tokens[t]));
      forced.best.push_back(toy_top(all, 1).front());
      std::vector<float> values;
      for (const auto& entry : wanted.top[t]) values.push_back(of(entry.id));
      forced.top.push_back(values);
      prefix.push_back(wanted.tokens[t]);
    }
    toy.outputs[p].forced = forced;
  }
}

}  // namespace twinrun::test
