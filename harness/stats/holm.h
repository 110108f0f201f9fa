#pragma once

#include <span>
#include <vector>

namespace twinrun::harness {

/// Adjusted p-values of tests of one family, in the order given: those at most alpha are found, and
/// the probability of finding even one that is not there is at most alpha, however the tests hang
/// together. The k-th smallest of m times m - k + 1, at most 1, and no smaller than those before
/// it. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian J. of
/// Statistics 6, 1979, section 2.
///
/// Throws std::invalid_argument unless every p lies inside [0, 1].
std::vector<double> holm_adjusted(std::span<const double> p);

}  // namespace twinrun::harness
