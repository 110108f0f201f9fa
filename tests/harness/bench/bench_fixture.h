#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "harness/bench/session.h"

namespace twinrun::harness {

inline Window window_of(double step_ns) {
  Window window;
  window.steps = 10;
  window.host_ns = 10 * step_ns;
  return window;
}

/// A block whose log ratio is log(`ratio`).
inline Block block_of(double ratio, const std::string& order = "ABBA") {
  Block block;
  block.order = order;
  for (std::size_t i = 0; i < block.windows.size(); ++i) {
    block.windows[i] = window_of(order[i] == 'A' ? 1e8 : ratio * 1e8);
  }
  return block;
}

/// `count` blocks around `ratio`, spread evenly by `spread` to each side.
inline std::vector<Block> blocks_of(double ratio, int count = 12, double spread = 0.004) {
  std::vector<Block> blocks;
  for (int i = 0; i < count; ++i) {
    const double place = 2 * (i + 0.5) / count - 1;  // -1 .. 1, symmetric
    blocks.push_back(block_of(ratio * std::exp(spread * place)));
  }
  return blocks;
}

/// A whole session: deterministic / fast, A/A and the delay have these ratios.
inline SessionState session_of(double candidate, double again, double delay) {
  SessionState state;
  for (const ComparisonSpec& spec : plan_comparisons({})) {
    state.comparisons.emplace_back().spec = spec;
  }
  state.comparisons[0].blocks = blocks_of(candidate);
  state.comparisons[1].blocks = blocks_of(again);
  state.comparisons[2].blocks = blocks_of(delay);
  return state;
}

}  // namespace twinrun::harness
