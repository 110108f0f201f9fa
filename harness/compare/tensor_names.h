#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace twinrun::harness {

/// Which tensors of one group differ at one step, by the tensors.jsonl of two runs.
struct TensorDifferences {
  std::string group;               ///< empty if no group of that step is in both files
  std::vector<std::string> first;  ///< at most 20, in the order of the file of run a
  std::int64_t differing = 0;
  std::int64_t compared = 0;
};

/// Looks for the group that `field` names, then in the order of computation (batch, grad, adapter,
/// optimizer, base), and reports the first one in which a tensor differs. A missing or unreadable
/// file names no tensor: the digests of the step have already shown the difference.
TensorDifferences differing_tensors(const std::filesystem::path& run_a,
                                    const std::filesystem::path& run_b, std::int64_t step,
                                    const std::string& field);

}  // namespace twinrun::harness
