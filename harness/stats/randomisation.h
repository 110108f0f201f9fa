#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace twinrun::harness {

// How often two systems between which nothing differs look as different as these do. If nothing
// does, either answer to an item could have come from either system, so that swapping the two
// changes nothing but chance: each draw swaps the answers of about half of the clusters of items
// (the questions about one text), whole, and p is (1 + draws at least as extreme) / (1 + draws),
// the data being one arrangement among the others. It is at most alpha with probability at most
// alpha however few items differ and however scores are distributed. Noreen, "Computer-intensive
// methods for testing hypotheses", 1989, chapter 2 (approximate randomisation). What is tested is
// that the systems can be exchanged; clusters have to be independent of each other.
//
// Two-sided: extreme is a large absolute value. Arrangements that are equally extreme are often
// equal but for the rounding of their sums (1/3 + 1/6 and 1/2), and count as extreme. So that none
// is missed, values are compared as whole numbers of 2^-32 of the largest one that was drawn, and
// one that falls short by a single such number still counts: far more than rounding moves, and all
// that it can do is make p larger.
//
// The same seed gives the same p (harness/stats/random.h), and so does exchanging the systems.
// All throw std::invalid_argument if `draws` is below 1.

/// Of the mean of `differences`, one an item: swapping turns the signs of a cluster. `clusters` as
/// bootstrap_t_interval takes them; those whose differences sum to 0 change nothing, so that p does
/// not hang on how many there are. 1 if there is no other.
///
/// Throws besides if a difference is not finite or `clusters` has another number of items.
double sign_flip_p(std::span<const double> differences, std::span<const std::int64_t> clusters,
                   std::int64_t draws, std::uint64_t seed);

/// The difference of two systems that have exchanged their answers in clusters g with swapped[g] 1.
/// [clusters]
using SwapStatistic = std::function<double(std::span<const std::uint8_t> swapped)>;

/// Of a statistic that is no mean (the difference of two macro F1). Leave out clusters in which
/// both systems answer the same. Calls `statistic` 1 + draws times, first with nothing swapped.
///
/// Throws besides if the statistic is not finite for any of these.
double swap_p(std::size_t clusters, const SwapStatistic& statistic, std::int64_t draws,
              std::uint64_t seed);

}  // namespace twinrun::harness
