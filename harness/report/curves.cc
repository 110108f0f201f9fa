#include "harness/report/curves.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <stdexcept>

#include "harness/compare/ulps.h"
#include "harness/protocol/record_reader.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

/// The losses of a record, one after the other.
class LossReader {
 public:
  explicit LossReader(const std::filesystem::path& file) : file_(file), lines_(file) {
    lines_.next();  // the header
    lines_.next();  // step 0
  }

  /// That of step `step`, which has to be the next one.
  float next(std::int64_t step) {
    const auto line = lines_.next();
    if (!line) fail(step);
    if (const auto scan = protocol::scan_step(*line); scan && scan->step == step) {
      return std::bit_cast<float>(scan->loss_bits);
    }
    const auto parsed = protocol::parse_step(*line);
    const auto* record = std::get_if<protocol::StepRecord>(&parsed);
    if (record == nullptr || record->step != step) fail(step);
    return record->loss;
  }

 private:
  [[noreturn]] void fail(std::int64_t step) const {
    throw std::runtime_error(file_.string() + " changed while it was read: no step " +
                             std::to_string(step));
  }
  std::filesystem::path file_;
  protocol::LineReader lines_;
};

LossSample sample_of(std::int64_t step, float a, float b) {
  LossSample sample{step, a, b, std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b),
                    std::nullopt};
  if (std::isfinite(a) && std::isfinite(b)) sample.ulps = ulps_between(a, b);
  return sample;
}

void widen(LossRange& range, std::int64_t step, float value) {
  if (!std::isfinite(value)) return;
  if (!range.any || value < range.low) {
    range.low = value;
    range.low_step = step;
  }
  if (!range.any || value > range.high) {
    range.high = value;
    range.high_step = step;
  }
  range.any = true;
}

void add(LossCurves& curves, LossBucket& bucket, const LossSample& sample) {
  widen(bucket.a, sample.step, sample.a);
  widen(bucket.b, sample.step, sample.b);
  if (!sample.ulps) ++curves.not_finite;
  if (sample.same_bits) return;
  ++bucket.differing;
  ++curves.differing;
  if (!curves.first_differing) curves.first_differing = sample.step;
  bucket.ulps_max = std::max(bucket.ulps_max, sample.ulps.value_or(0));
  curves.ulps_max = std::max(curves.ulps_max, bucket.ulps_max);
}

}  // namespace

LossCurves read_curves(const std::filesystem::path& file_a, const std::filesystem::path& file_b,
                       std::int64_t steps) {
  LossCurves curves;
  curves.steps = std::max<std::int64_t>(steps, 0);
  const std::int64_t count = std::min(curves.steps, kCurveBuckets);
  LossReader a(file_a), b(file_b);
  LossSample before;
  constexpr std::int64_t kAfter = 2;  // steps behind the first difference that are shown
  for (std::int64_t i = 0; i < count; ++i) {
    LossBucket bucket;
    bucket.first_step = i * curves.steps / count + 1;
    bucket.last_step = (i + 1) * curves.steps / count;
    for (std::int64_t step = bucket.first_step; step <= bucket.last_step; ++step) {
      const LossSample sample = sample_of(step, a.next(step), b.next(step));
      const bool differed = curves.first_differing.has_value();
      add(curves, bucket, sample);
      const bool begins = !differed && curves.first_differing;
      const bool near = curves.first_differing && step - *curves.first_differing <= kAfter;
      if (begins && step > 2) curves.samples.push_back(before);
      if (step == 1 || near || step == curves.steps) curves.samples.push_back(sample);
      before = sample;
    }
    curves.buckets.push_back(bucket);
  }
  return curves;
}

std::string loss_text(float loss) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", static_cast<double>(loss));
  return text;
}

std::string curves_sentence(const LossCurves& curves) {
  std::string text =
      count_of(curves.steps, "step") + " of runs " + curves.a + " and " + curves.b + ": ";
  if (curves.steps == 0) return text + "there is no loss to draw.";
  if (!curves.first_differing) {
    text += "no bit of any loss differs.";
  } else {
    text += "the loss differs in " + std::to_string(curves.differing) + ", first in step " +
            std::to_string(*curves.first_differing) + ", by " +
            count_of(static_cast<long long>(curves.ulps_max), "unit") +
            " in the last place at most.";
  }
  if (curves.not_finite > 0) {
    text += " In " + count_of(curves.not_finite, "step") + " a loss is not a finite number.";
  }
  return text;
}

}  // namespace twinrun::harness
