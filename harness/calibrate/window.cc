#include "harness/calibrate/window.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "harness/protocol/canonical_json.h"
#include "harness/protocol/record_reader.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;

std::string digest_of(const json& value) {
  return protocol::to_hex(protocol::canonical_digest(value));
}

std::string discrete_digest(const protocol::StepZero& zero) {
  return digest_of({{"adapter", protocol::to_hex(zero.adapter)},
                    {"optimizer", protocol::to_hex(zero.optimizer)},
                    {"rng", protocol::to_hex(zero.rng)},
                    {"base", protocol::to_hex(zero.base)}});
}

std::string discrete_digest(const protocol::StepRecord& step) {
  json samples = json::array();
  for (const auto& id : step.samples) {
    std::visit([&samples](const auto& value) { samples.push_back(value); }, id);
  }
  char lr[17];
  std::snprintf(lr, sizeof lr, "%016llx",
                static_cast<unsigned long long>(std::bit_cast<std::uint64_t>(step.lr)));
  return digest_of({{"step", step.step},
                    {"samples", samples},
                    {"batch", protocol::to_hex(step.batch)},
                    {"tokens", step.tokens},
                    {"loss_tokens", step.loss_tokens},
                    {"lr", lr},
                    {"rng", protocol::to_hex(step.rng)}});
}

}  // namespace

std::vector<StepWindow> windows_of(const StatisticsSettings& settings, std::int64_t steps) {
  const std::int64_t length = std::min(settings.window_steps, steps);
  std::vector<StepWindow> windows = {{"start", 0, 1, length}};
  for (const double fraction : settings.restore_at) {
    const auto from = static_cast<std::int64_t>(std::floor(fraction * static_cast<double>(steps)));
    if (from < length || from >= steps || from == windows.back().restored_from) continue;
    windows.push_back({"restored-" + std::to_string(from), from, from + 1,
                       std::min(from + settings.window_steps, steps)});
  }
  return windows;
}

WindowCurves read_window(const std::filesystem::path& steps_file, const StepWindow& window) {
  protocol::LineReader reader(steps_file);
  reader.next();  // the header
  WindowCurves curves;
  while (static_cast<std::int64_t>(curves.loss.size()) < window.length()) {
    const auto line = reader.next();
    if (!line || reader.torn()) {
      throw std::runtime_error(steps_file.string() + ": ends before step " +
                               std::to_string(window.last));
    }
    const auto zero = protocol::parse_step_zero(*line);
    if (const auto* state = std::get_if<protocol::StepZero>(&zero)) {
      curves.discrete.push_back(discrete_digest(*state));
      continue;
    }
    const auto parsed = protocol::parse_step(*line);
    const auto* step = std::get_if<protocol::StepRecord>(&parsed);
    if (step == nullptr) {
      throw std::runtime_error(steps_file.string() + ": has no step " +
                               std::to_string(window.last));
    }
    if (step->step < window.first) continue;
    curves.loss.push_back(step->loss);
    curves.grad_norm.push_back(step->grad_norm);
    curves.discrete.push_back(discrete_digest(*step));
    curves.chain = protocol::to_hex(protocol::split_chain(*line)->chain);
  }
  return curves;
}

}  // namespace twinrun::harness
