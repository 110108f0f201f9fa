#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/protocol/run_config.h"
#include "trainer/data/dataset.h"
#include "trainer/train/train_config.h"

namespace twinrun::trainer {

/// Faults planted on purpose (`launch.inject`), for testing the judge: docs/faults.md says what
/// each KIND does. Empty in every run that is meant.
class Faults {
 public:
  Faults() = default;
  /// Throws std::runtime_error for what parse_injection refuses.
  explicit Faults(const std::vector<std::string>& injections);

  /// Throws std::invalid_argument (the caller can fix it) for a fault that this run cannot plant: a
  /// step that the run has not, `data-order` with one row, `accumulation` with one micro-batch,
  /// `tf32` where no product asks for it.
  void require_plantable(const TrainConfig& config, at::Device device) const;

  /// Whether `kind` is planted at exactly `step`.
  bool at(const std::string& kind, std::int64_t step) const;
  /// Whether `kind` is planted at `step` or before: what hits every step from there on.
  bool since(const std::string& kind, std::int64_t step) const;
  /// The step at which `kind` is planted, if it is.
  std::optional<std::int64_t> step_of(const std::string& kind) const;

 private:
  std::vector<protocol::Injection> planted_;
};

/// What the learning rate of `step` is multiplied by.
double faulty_lr_factor(const Faults& faults, std::int64_t step);

/// `options` as `step` uses them.
AdamWOptions faulty_options(const Faults& faults, std::int64_t step, AdamWOptions options);

/// Whether faulty_sample() changes the samples of `step`.
bool changes_samples(const Faults& faults, std::int64_t step);
/// A sample as another tokenizer, or a loss mask that is off by one, has it.
Sample faulty_sample(const Faults& faults, std::int64_t step, Sample sample);

/// Moves element 0 of a float32 tensor up by one unit in the last place.
void nudge_one_ulp(at::Tensor tensor);

/// Flips the lowest mantissa bit of element 0 of a float32 or bfloat16 tensor.
void flip_low_bit(at::Tensor tensor);

/// 53 bits from the kernel.
std::uint64_t random_seed();

/// Lines that GitHub Actions would obey, on stdout and stderr.
void print_workflow_commands();

/// Ends this process as a crash does, without any handler.
[[noreturn]] void crash();

/// Sleeps until it is killed.
[[noreturn]] void hang();

}  // namespace twinrun::trainer
