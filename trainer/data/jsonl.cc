#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "trainer/data/dataset.h"
#include "trainer/data/jsonl_line.h"
#include "trainer/data/template.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;

Sample read_sample(const json& object, std::int64_t line_index, const Template& rendering,
                   const DataOptions& options, const Tokenizer& tokenizer) {
  Sample sample;
  sample.id = id_of(object, line_index);
  TokenizedSample tokens = tokenize(rendering.sample(object), tokenizer);
  sample.input_ids = std::move(tokens.ids);
  for (std::size_t i = 0; i < sample.input_ids.size(); ++i) {
    const bool labelled = options.loss_on == "all" || tokens.labelled[i];
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

}  // namespace

Dataset load_jsonl(const DataOptions& options, const Tokenizer& tokenizer) {
  const Template rendering(options.rendering, tokenizer);
  if (options.loss_on != "response" && options.loss_on != "all") {
    throw DataError("unknown loss_on '" + options.loss_on + "'; known: response, all");
  }
  Dataset dataset;
  read_json_lines(options.path, "samples", [&](const json& object, std::int64_t line_index) {
    Sample sample = read_sample(object, line_index, rendering, options, tokenizer);
    auto id = sample.id;
    if (static_cast<std::int64_t>(sample.input_ids.size()) > options.max_length) {
      ++dataset.dropped;
      return id;
    }
    require_label(sample);
    dataset.samples.push_back(std::move(sample));
    return id;
  });
  if (dataset.samples.empty()) {
    throw DataError(options.path.string() + ": all " + std::to_string(dataset.dropped) +
                    " samples are longer than max_length = " + std::to_string(options.max_length));
  }
  return dataset;
}

}  // namespace twinrun::trainer
