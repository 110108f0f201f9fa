#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "trainer/data/chat_template.h"
#include "trainer/data/dataset.h"
#include "trainer/data/jsonl_line.h"

namespace twinrun::trainer {
namespace {

using nlohmann::json;

RenderedSample render(const json& object, const DataOptions& options) {
  const bool has_messages = object.contains("messages");
  if (has_messages && (object.contains("prompt") || object.contains("response"))) {
    throw LineError("has both 'messages' and 'prompt' or 'response'");
  }
  if (options.template_name == "chatml") {
    if (has_messages) return render_chatml(turns_of(object["messages"]));
    const Turn turns[] = {{"user", text_of(object, "prompt", "the sample")},
                          {"assistant", text_of(object, "response", "the sample")}};
    return render_chatml(turns);
  }
  if (has_messages) throw LineError("has 'messages'; template text takes 'prompt' and 'response'");
  return render_text(text_of(object, "prompt", "the sample"),
                     text_of(object, "response", "the sample"), *options.end_token_id);
}

Sample read_sample(const json& object, std::int64_t line_index, const DataOptions& options,
                   const Tokenizer& tokenizer) {
  Sample sample;
  sample.id = id_of(object, line_index);
  TokenizedSample tokens = tokenize(render(object, options), tokenizer);
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
  check_template(options.template_name, options.end_token_id, tokenizer);
  if (options.loss_on != "response" && options.loss_on != "all") {
    throw DataError("unknown loss_on '" + options.loss_on + "'; known: response, all");
  }
  Dataset dataset;
  read_json_lines(options.path, "samples", [&](const json& object, std::int64_t line_index) {
    Sample sample = read_sample(object, line_index, options, tokenizer);
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
