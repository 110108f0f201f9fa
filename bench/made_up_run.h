#pragma once

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "harness/protocol/record_writer.h"
#include "harness/protocol/run_config.h"

namespace twinrun::bench {

inline protocol::StepRecord made_up_step(std::int64_t number) {
  const std::string text = std::to_string(number);
  protocol::StepRecord step;
  step.step = number;
  step.loss = 1.0f + 5.0f / static_cast<float>(number);
  step.grad_norm = 1.0f + 0.3f / static_cast<float>(number);
  step.lr = 1e-4 / static_cast<double>(number);
  step.tokens = 512;
  step.loss_tokens = 301;
  for (std::int64_t i = 0; i < 8; ++i) step.samples.emplace_back(8 * number + i);
  step.batch = protocol::sha256("batch" + text);
  step.grad = protocol::sha256("grad" + text);
  step.adapter = protocol::sha256("adapter" + text);
  step.optimizer = protocol::sha256("optimizer" + text);
  step.rng = protocol::sha256("rng" + text);
  return step;
}

/// Writes a whole run of `steps` steps, unless one is there; with `other_end` its last step has
/// another gradient norm and loss.
inline void write_run(const std::filesystem::path& dir, std::int64_t steps, bool other_end) {
  if (std::filesystem::exists(dir / "manifest.json")) return;
  std::filesystem::remove_all(dir);
  std::filesystem::create_directories(dir);
  protocol::RunConfig config;
  config.identity = {{"schema", 1}, {"seed", 1}, {"train", {{"steps", steps}}}};
  config.judgement = {{"schema", 1}};
  config.launch = {{"stop_after", nullptr}};
  std::ofstream(dir / "config.json") << config.to_text();
  const std::string identity = protocol::to_hex(config.identity_digest());
  const protocol::Digest state = protocol::sha256(std::string_view("state"));
  protocol::RecordWriter writer(dir,
                                {1, identity, "synthetic/1", protocol::Promise::kBitwise, steps});
  writer.step_zero({state, state, state, state});
  for (std::int64_t number = 1; number <= steps; ++number) {
    auto step = made_up_step(number);
    if (other_end && number == steps) {
      step.grad_norm *= 2;
      step.loss *= 2;
    }
    writer.step(step);
  }
  const protocol::Digest head = writer.end({steps, state});
  protocol::write_file_atomically(dir / "manifest.json",
                                  nlohmann::json({{"schema", 1},
                                                  {"run_id", protocol::random_run_id()},
                                                  {"identity", identity},
                                                  {"numerics", "deterministic"},
                                                  {"status", "complete"},
                                                  {"head", protocol::to_hex(head)}})
                                      .dump());
}

}  // namespace twinrun::bench
