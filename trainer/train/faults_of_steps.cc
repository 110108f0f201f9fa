// What faults that look like a wrong setting or wrong data make of it; docs/faults.md.

#include <algorithm>

#include "trainer/train/faults.h"

namespace twinrun::trainer {
namespace {

/// Each label belongs to the token before the one that it should.
void shift_loss_mask(Sample& sample) {
  for (std::size_t i = 0; i + 1 < sample.labels.size(); ++i) {
    sample.labels[i] = sample.labels[i + 1] == kIgnoreIndex ? kIgnoreIndex : sample.input_ids[i];
  }
  sample.labels.back() = kIgnoreIndex;
}

}  // namespace

double faulty_lr_factor(const Faults& faults, std::int64_t step) {
  double factor = 1;
  if (faults.since("lr-0.1", step)) factor *= 1.001;
  if (faults.since("lr", step)) factor *= 1.01;
  if (faults.since("lr-5", step)) factor *= 1.05;
  return factor;
}

AdamWOptions faulty_options(const Faults& faults, std::int64_t step, AdamWOptions options) {
  // Each to another usual value than the case has.
  if (faults.since("weight-decay", step))
    options.weight_decay = options.weight_decay == 0 ? 0.01 : 0;
  if (faults.since("beta2", step)) options.beta2 = options.beta2 == 0.99 ? 0.999 : 0.99;
  if (faults.since("eps", step)) options.eps = options.eps == 1e-6 ? 1e-8 : 1e-6;
  return options;
}

bool changes_samples(const Faults& faults, std::int64_t step) {
  return faults.since("tokenizer", step) || faults.since("loss-mask", step);
}

Sample faulty_sample(const Faults& faults, std::int64_t step, Sample sample) {
  if (faults.since("tokenizer", step) && sample.input_ids.size() > 2) {
    sample.input_ids.erase(sample.input_ids.begin());
    sample.labels.erase(sample.labels.begin());
  }
  if (faults.since("loss-mask", step)) shift_loss_mask(sample);
  return sample;
}

}  // namespace twinrun::trainer
