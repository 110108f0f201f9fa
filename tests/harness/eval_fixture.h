#pragma once

#include <string>
#include <vector>

#include "harness/protocol/eval.h"

namespace twinrun::test {

/// A file's content, not yet written.
struct ToyEval {
  protocol::EvalHeader header;
  std::vector<protocol::EvalItem> items;

  /// Header and items, a line each.
  std::vector<std::string> lines() const {
    std::vector<std::string> list = {protocol::format_eval_header(header)};
    for (const auto& item : items) list.push_back(protocol::format_eval_item(item));
    return list;
  }
  std::string text() const { return sealed(lines()); }

  /// `lines` and their end line.
  static std::string sealed(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines) text += line + "\n";
    return text + protocol::sealing_line(protocol::kEvalSeal,
                                         static_cast<std::int64_t>(lines.size()) - 1,
                                         protocol::sha256(text));
  }
};

/// Three rows, evaluated after steps 2, 4 and 5; `shift` moves every loss.
inline ToyEval toy_eval(double shift = 0) {
  ToyEval toy;
  toy.header = {.identity = std::string(64, 'a'),
                .data = std::string(64, 'b'),
                .items = 3,
                .every = 2,
                .last = 5,
                .max_new_tokens = 8,
                .batch_size = 2,
                .max_length = 64};
  for (const std::int64_t step : {2, 4, 5}) {
    for (std::int64_t item = 0; item < toy.header.items; ++item) {
      protocol::EvalItem one;
      one.step = step;
      one.item = item;
      if (item == 0) {
        one.id = std::int64_t{0};
      } else {
        one.id = "capital/" + std::to_string(item);
        one.category = "capitals";
        one.cluster = "Peru";
      }
      one.tokens = 4 + item;
      one.nll = 3.5 / static_cast<double>(step) + static_cast<double>(item) + shift;
      one.reference = "Lima";
      one.answer = item == 2 ? "Lime" : "Lima";
      one.finish = item == 2 ? protocol::Finish::kLength : protocol::Finish::kStop;
      toy.items.push_back(one);
    }
  }
  return toy;
}

}  // namespace twinrun::test
