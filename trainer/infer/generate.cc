#include "trainer/infer/generate.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <stdexcept>
#include <string>

#include "trainer/infer/padded_batch.h"
#include "trainer/infer/top_tokens.h"
#include "trainer/tokenizer/utf8.h"

namespace twinrun::trainer {
namespace {

/// Row `row` of float32 log-probabilities on the host. Throws where one is not finite.
std::span<const float> finite_row(const at::Tensor& logprobs, std::int64_t row, std::size_t prompt,
                                  std::size_t token) {
  const auto vocab = logprobs.size(1);
  const std::span<const float> values(logprobs.const_data_ptr<float>() + row * vocab,
                                      static_cast<std::size_t>(vocab));
  if (!all_finite(values)) {
    throw std::runtime_error("prompt " + std::to_string(prompt) + ", token " +
                             std::to_string(token) +
                             ": the model's log-probabilities are not finite");
  }
  return values;
}

/// One batch on its way.
class Generation {
 public:
  /// Its first `count` rows are prompts `begin` and on, the others copies.
  Generation(Llama& model, const GenerateOptions& options, std::size_t begin, std::size_t count)
      : model_(model), options_(options), begin_(begin), answers_(count), ended_(count, false) {}

  std::vector<Generated> run(const PaddedBatch& batch, at::Device device) {
    const auto rows = static_cast<std::int64_t>(batch.lengths.size());
    // The last new token is not asked what follows it.
    auto cache = model_.make_cache(batch.lengths, batch.longest + options_.max_new_tokens - 1);
    const auto hidden = model_.hidden(batch.ids_BT, &cache);
    auto last = at::empty({rows}, at::kLong);
    for (std::int64_t row = 0; row < rows; ++row) {
      last.mutable_data_ptr<std::int64_t>()[row] =
          row * batch.longest + batch.lengths[static_cast<std::size_t>(row)] - 1;
    }
    auto x_BD = hidden.index_select(0, last.to(device));
    for (std::int64_t step = 1;; ++step) {
      const auto next = take_tokens(model_.log_probs(x_BD).cpu());
      if (step == options_.max_new_tokens || std::ranges::all_of(ended_, std::identity())) break;
      x_BD = model_.decode(next.to(device), cache);
    }
    return std::move(answers_);
  }

 private:
  /// Appends each row's next token to its answer; returns what each row goes on with.
  at::Tensor take_tokens(const at::Tensor& logprobs_BV) {
    auto next = at::empty({logprobs_BV.size(0)}, at::kLong);
    auto* ids = next.mutable_data_ptr<std::int64_t>();
    for (std::size_t row = 0; row < answers_.size(); ++row) {
      if (ended_[row]) {
        ids[row] = options_.pad_token;
        continue;
      }
      auto& answer = answers_[row];
      const auto values = finite_row(logprobs_BV, static_cast<std::int64_t>(row), begin_ + row,
                                     answer.tokens.size());
      answer.top.push_back(top_tokens(values, options_.top));
      const auto best = answer.top.back().front();
      answer.tokens.push_back(best.id);
      answer.logprobs.push_back(best.logprob);
      if (best.id == options_.stop_token) {
        answer.finish = protocol::Finish::kStop;
        ended_[row] = true;
      }
      ids[row] = best.id;
    }
    // A copy of the last prompt says what that one says.
    std::fill(ids + answers_.size(), ids + next.size(0), ids[answers_.size() - 1]);
    return next;
  }

  Llama& model_;
  const GenerateOptions& options_;
  std::size_t begin_;
  std::vector<Generated> answers_;
  std::vector<bool> ended_;
};

/// A forced token: the prompt's index among all, not its row of the batch, and which of its tokens.
struct ForcedPlace {
  std::size_t prompt = 0, token = 0;
};

protocol::TokenLogprob best_of(std::span<const float> values) {
  const auto best = std::ranges::max_element(values);
  return {best - values.begin(), *best};
}

}  // namespace

std::vector<Generated> generate(Llama& model, std::span<const TokenIds> prompts,
                                const GenerateOptions& options, at::Device device) {
  std::vector<Generated> answers;
  for (std::size_t begin = 0; begin < prompts.size();) {
    const auto rows = rows_of_batch(begin, prompts.size(), options.batch_size,
                                    [&](std::size_t prompt) { return prompts[prompt]; });
    const auto count = std::min(rows.size(), prompts.size() - begin);
    auto part =
        Generation(model, options, begin, count).run(pad(rows, options.pad_token, device), device);
    std::ranges::move(part, std::back_inserter(answers));
    begin += count;
  }
  return answers;
}

std::vector<protocol::ForcedTokens> force(Llama& model, std::span<const TokenIds> prompts,
                                          std::span<const ForcedInput> inputs,
                                          const GenerateOptions& options, at::Device device) {
  std::vector<protocol::ForcedTokens> forced(prompts.size());
  for (std::size_t begin = 0; begin < prompts.size();) {
    const auto rows =
        rows_of_batch(begin, prompts.size(), options.batch_size, [&](std::size_t prompt) {
          auto row = prompts[prompt];
          // What follows the last token is not asked.
          row.insert(row.end(), inputs[prompt].tokens.begin(), inputs[prompt].tokens.end() - 1);
          return row;
        });
    const auto count = std::min(rows.size(), prompts.size() - begin);
    const auto batch = pad(rows, options.pad_token, device);
    std::vector<std::int64_t> positions;
    std::vector<ForcedPlace> places;
    for (std::size_t row = 0; row < count; ++row) {
      const auto prompt = begin + row;
      const auto first = static_cast<std::int64_t>(row) * batch.longest +
                         static_cast<std::int64_t>(prompts[prompt].size()) - 1;
      for (std::size_t token = 0; token < inputs[prompt].tokens.size(); ++token) {
        positions.push_back(first + static_cast<std::int64_t>(token));
        places.push_back({prompt, token});
      }
    }
    const auto x_LD =
        model.hidden(batch.ids_BT, nullptr).index_select(0, at::tensor(positions).to(device));
    for (std::int64_t at = 0; at < x_LD.size(0); at += kLogProbRows) {
      const auto part = x_LD.narrow(0, at, std::min(kLogProbRows, x_LD.size(0) - at));
      const auto logprobs = model.log_probs(part).cpu();
      for (std::int64_t row = 0; row < logprobs.size(0); ++row) {
        const auto [prompt, token] = places[static_cast<std::size_t>(at + row)];
        const auto values = finite_row(logprobs, row, prompt, token);
        const auto value_of = [&](std::int64_t id) { return values[static_cast<std::size_t>(id)]; };
        auto& out = forced[prompt];
        out.logprobs.push_back(value_of(inputs[prompt].tokens[token]));
        out.best.push_back(best_of(values));
        auto& top = out.top.emplace_back();
        std::ranges::transform(inputs[prompt].top[token], std::back_inserter(top), value_of);
      }
    }
    begin += count;
  }
  return forced;
}

std::string answer_text(const Generated& answer, const Tokenizer& tokenizer) {
  const bool stopped = answer.finish == protocol::Finish::kStop;
  return utf8_lossy(tokenizer.decode_known(
      std::span(answer.tokens).first(answer.tokens.size() - (stopped ? 1 : 0))));
}

}  // namespace twinrun::trainer
