#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "harness/protocol/record.h"

namespace twinrun::test {

/// What a step of a made-up run holds: every field depends on the step and nothing else.
inline protocol::StepRecord synthetic_step(std::int64_t number) {
  const std::string text = std::to_string(number);
  protocol::StepRecord step;
  step.step = number;
  step.loss = 5.0f / static_cast<float>(number + 1);
  step.grad_norm = 1.0f + 0.125f / static_cast<float>(number);
  step.lr = 2.0e-4 / static_cast<double>(number);
  step.tokens = 512;
  step.loss_tokens = 300 + number % 7;
  step.samples = {number * 2, number * 2 + 1, std::string("greeting/") + text};
  step.batch = protocol::sha256("batch" + text);
  step.grad = protocol::sha256("grad" + text);
  step.adapter = protocol::sha256("adapter" + text);
  step.optimizer = protocol::sha256("optimizer" + text);
  step.rng = protocol::sha256("rng" + text);
  return step;
}

/// The lines of a made-up record, chained once all of it is said, so that a test can alter what it
/// likes and still get a record whose chain holds.
struct SyntheticRecord {
  protocol::RecordHeader header{1, std::string(64, 'a'), "libtorch-float32/1",
                                protocol::Promise::kBitwise, 0};
  protocol::StepZero zero{protocol::sha256("adapter0"), protocol::sha256("optimizer0"),
                          protocol::sha256("rng0"), protocol::sha256("base")};
  std::vector<protocol::StepRecord> steps;
  protocol::RecordEnd end{0, protocol::sha256("base")};

  explicit SyntheticRecord(std::int64_t count) {
    header.steps = end.steps = count;
    for (std::int64_t number = 1; number <= count; ++number) {
      steps.push_back(synthetic_step(number));
    }
  }

  /// The lines without line feed; the last one is the end line.
  std::vector<std::string> lines() const {
    std::vector<std::string> open{format_step_zero(zero)};
    for (const auto& step : steps) open.push_back(format_step(step));
    open.push_back(format_end(end));
    std::vector<std::string> all{format_header(header)};
    protocol::Digest chain = protocol::sha256(all[0]);
    for (const std::string& line : open) {
      chain = protocol::chain_next(chain, line);
      all.push_back(protocol::with_chain(line, chain));
    }
    return all;
  }

  std::string text() const { return join(lines()); }

  static std::string join(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += line + '\n';
    return text;
  }
};

}  // namespace twinrun::test
