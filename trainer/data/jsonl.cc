#include <nlohmann/json.hpp>
#include <utility>

#include "trainer/data/dataset.h"
#include "trainer/data/jsonl_line.h"
#include "trainer/data/jsonl_sample.h"
#include "trainer/data/template.h"

namespace twinrun::trainer {

using nlohmann::json;

Dataset load_jsonl(const DataOptions& options, const Tokenizer& tokenizer) {
  const Template rendering(options.rendering, tokenizer);
  require_loss_on(options.loss_on);
  Dataset dataset;
  read_json_lines(options.path, "samples", [&](const json& object, std::int64_t line_index) {
    Sample sample = sample_of(object, line_index, rendering, options.loss_on, tokenizer);
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
