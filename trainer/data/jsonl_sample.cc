#include "trainer/data/jsonl_sample.h"

#include <algorithm>
#include <span>
#include <utility>

#include "trainer/data/jsonl_line.h"

namespace twinrun::trainer {

void require_loss_on(const std::string& loss_on) {
  if (loss_on == "response" || loss_on == "all") return;
  throw DataError("unknown loss_on '" + loss_on + "'; known: response, all");
}

Sample sample_of(const nlohmann::json& object, std::int64_t line_index, const Template& rendering,
                 const std::string& loss_on, const Tokenizer& tokenizer) {
  Sample sample;
  sample.id = id_of(object, line_index);
  TokenizedSample tokens = tokenize(rendering.sample(object), tokenizer);
  sample.input_ids = std::move(tokens.ids);
  for (std::size_t i = 0; i < sample.input_ids.size(); ++i) {
    const bool labelled = loss_on == "all" || tokens.labelled[i];
    sample.labels.push_back(labelled ? sample.input_ids[i] : kIgnoreIndex);
  }
  return sample;
}

void require_label(const Sample& sample) {
  const auto labels =
      std::span(sample.labels).subspan(std::min<std::size_t>(1, sample.labels.size()));
  if (std::ranges::all_of(labels, [](std::int64_t label) { return label == kIgnoreIndex; })) {
    throw LineError("has no labelled token: nothing to learn from");
  }
}

}  // namespace twinrun::trainer
