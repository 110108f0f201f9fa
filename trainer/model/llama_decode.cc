#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "trainer/model/llama.h"

namespace twinrun::trainer {

/// What all layers of one decoding step have in common.
struct Llama::DecodeStep {
  at::Tensor cos_BE, sin_BE;  ///< of each row's position
  at::Tensor places_BK;       ///< int64: where its key and value go in a cache seen as [B K C, E]
  VisiblePositions visible;
};

KvCache Llama::make_cache(std::vector<std::int64_t> lengths, std::int64_t capacity) {
  prepare_rope(capacity);  // once, not with every token
  KvCache cache;
  cache.lengths = std::move(lengths);
  const auto rows = static_cast<std::int64_t>(cache.lengths.size());
  for (std::size_t layer = 0; layer < weights_.layers.size(); ++layer) {
    for (auto* part : {&cache.keys_BKCE, &cache.values_BKCE}) {
      // Zeros: what no row has reached yet is multiplied by a probability of zero.
      part->push_back(at::zeros({rows, config_.num_key_value_heads, capacity, config_.head_dim},
                                weights_.embed_tokens.options()));
    }
  }
  return cache;
}

at::Tensor Llama::decode_block(std::int64_t layer, const at::Tensor& x, const DecodeStep& step,
                               KvCache& cache) {
  const auto l = static_cast<std::size_t>(layer);
  const auto rows = x.size(0);
  const auto norm = ops_.rms_norm(x, weights_.layers[l].input_norm, config_.rms_norm_eps);
  // To RoPE the rows are positions of one sequence: each has an angle of its own.
  const auto turned = [&](LinearModule module, std::int64_t count) {
    const auto heads =
        linear(layer, module, norm.y_ND, nullptr).view({1, rows, count, config_.head_dim});
    return ops_.rope(heads.transpose(1, 2), step.cos_BE, step.sin_BE).transpose(1, 2);
  };
  const auto store = [&](at::Tensor& part_BKCE, const at::Tensor& newest) {
    part_BKCE.view({-1, config_.head_dim})
        .index_copy_(0, step.places_BK, newest.reshape({-1, config_.head_dim}));
  };
  const auto q = turned(LinearModule::kQProj, config_.num_attention_heads)
                     .reshape({rows, config_.num_attention_heads, config_.head_dim});
  store(cache.keys_BKCE[l], turned(LinearModule::kKProj, config_.num_key_value_heads));
  store(cache.values_BKCE[l], linear(layer, LinearModule::kVProj, norm.y_ND, nullptr));
  const auto o = ops_.cached_attention(q, cache.keys_BKCE[l], cache.values_BKCE[l], step.visible);
  return behind_attention(layer, x, o.reshape({rows, -1}), nullptr);
}

at::Tensor Llama::decode(const at::Tensor& ids_B, KvCache& cache) {
  dropout_ = {};
  const auto rows = ids_B.size(0), heads = config_.num_key_value_heads;
  const auto capacity = cache.keys_BKCE.front().size(2);
  const auto longest = std::ranges::max(cache.lengths) + 1;
  TORCH_CHECK(rows == static_cast<std::int64_t>(cache.lengths.size()) && longest <= capacity,
              "the cache has room for ", cache.lengths.size(), " rows of ", capacity, " positions");
  auto places = at::empty({rows, heads}, at::kLong);
  auto hidden = at::zeros({rows, longest}, at::kFloat);
  for (std::int64_t row = 0; row < rows; ++row) {
    auto& length = cache.lengths[static_cast<std::size_t>(row)];
    for (std::int64_t head = 0; head < heads; ++head) {
      places.mutable_data_ptr<std::int64_t>()[row * heads + head] =
          (row * heads + head) * capacity + length;
    }
    ++length;
    auto* begin = hidden.mutable_data_ptr<float>() + row * longest;
    constexpr auto kHidden = -std::numeric_limits<float>::infinity();
    std::fill(begin + length, begin + longest, kHidden);
    const auto window = config_.sliding_window > 0 ? config_.sliding_window : length;
    std::fill(begin, begin + std::max<std::int64_t>(length - window, 0), kHidden);
  }
  const auto device = ids_B.device();
  const auto positions = at::tensor(cache.lengths, at::kLong).sub_(1).to(device);
  const DecodeStep step{cos_TE_.index_select(0, positions),
                        sin_TE_.index_select(0, positions),
                        places.reshape(-1).to(device),
                        {cache.lengths, config_.sliding_window, longest, hidden.to(device)}};
  auto x = ops_.embedding(ids_B, weights_.embed_tokens);
  for (std::size_t layer = 0; layer < weights_.layers.size(); ++layer) {
    x = decode_block(static_cast<std::int64_t>(layer), x, step, cache);
  }
  return x;
}

}  // namespace twinrun::trainer
