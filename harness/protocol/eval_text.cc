#include "harness/protocol/canonical_json.h"
#include "harness/protocol/eval.h"
#include "harness/protocol/line_text.h"

namespace twinrun::protocol {

std::optional<std::int64_t> EvalHeader::next_after(std::int64_t step) const {
  if (step >= last) return std::nullopt;
  const std::int64_t left = every == 0 ? last : every - step % every;
  return left < last - step ? step + left : last;
}

bool EvalHeader::is_evaluated(std::int64_t step) const {
  return step >= 1 && next_after(step - 1) == step;
}

std::int64_t EvalHeader::evaluations() const {
  if (every == 0) return 1;
  return last / every + (last % every == 0 ? 0 : 1);
}

std::string format_eval_header(const EvalHeader& header) {
  std::string out = "{\"schema\":" + std::to_string(header.schema);
  append_text(out, "format", std::string(kEvalFormat));
  append_text(out, "identity", header.identity);
  append_text(out, "data", header.data);
  for (const auto& [key, value] : {std::pair{"items", header.items},
                                   {"every", header.every},
                                   {"last", header.last},
                                   {"max_new_tokens", header.max_new_tokens},
                                   {"batch_size", header.batch_size},
                                   {"max_length", header.max_length}}) {
    append_key(out, key);
    out += std::to_string(value);
  }
  return out + '}';
}

std::string format_eval_item(const EvalItem& item) {
  std::string out = "{\"step\":" + std::to_string(item.step);
  append_key(out, "item");
  out += std::to_string(item.item);
  append_key(out, "id");
  append_sample_id(out, item.id);
  append_text(out, "category", item.category);
  append_text(out, "cluster", item.cluster);
  append_key(out, "tokens");
  out += std::to_string(item.tokens);
  append_key(out, "nll");
  append_number(out, item.nll);
  append_text(out, "answer", item.answer);
  append_text(out, "reference", item.reference);
  append_text(out, "finish", item.finish ? std::optional(to_string(*item.finish)) : std::nullopt);
  return out + '}';
}

}  // namespace twinrun::protocol
