#include "harness/stats/signed_rank.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

namespace twinrun::harness {
namespace {

/// P(T <= t) for many t and one number of values.
class SignedRank {
 public:
  explicit SignedRank(std::size_t n) : cumulative_(n * (n + 1) / 2 + 1) {
    cumulative_[0] = 1;
    std::size_t largest = 0;
    for (std::size_t rank = 1; rank <= n; ++rank) {
      largest += rank;
      // Downwards, so that each rank counts once.
      for (std::size_t t = largest + 1; t-- > 0;) {
        const double with = t >= rank ? cumulative_[t - rank] : 0;
        cumulative_[t] = (cumulative_[t] + with) / 2;
      }
    }
    std::partial_sum(cumulative_.begin(), cumulative_.end(), cumulative_.begin());
  }

  double cdf(long long t) const {
    if (t < 0) return 0;
    const std::size_t last = cumulative_.size() - 1;
    return std::min(cumulative_[std::min(static_cast<std::size_t>(t), last)], 1.0);
  }

 private:
  std::vector<double> cumulative_;
};

double median_of_sorted(const std::vector<double>& sorted) {
  const std::size_t middle = sorted.size() / 2;
  if (sorted.size() % 2 == 1) return sorted[middle];
  return (sorted[middle - 1] + sorted[middle]) / 2;
}

}  // namespace

std::vector<double> walsh_averages(std::span<const double> values) {
  std::vector<double> averages;
  averages.reserve(values.size() * (values.size() + 1) / 2);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) throw std::invalid_argument("a value is not finite");
    for (std::size_t j = 0; j <= i; ++j) averages.push_back((values[i] + values[j]) / 2);
  }
  std::sort(averages.begin(), averages.end());
  return averages;
}

double signed_rank_cdf(std::size_t n, long long t) { return SignedRank(n).cdf(t); }

std::optional<RankInterval> signed_rank_interval(std::span<const double> values,
                                                 double confidence) {
  if (!(confidence > 0 && confidence < 1)) throw std::invalid_argument("confidence not in (0, 1)");
  const std::vector<double> averages = walsh_averages(values);
  if (averages.empty()) return std::nullopt;
  const double tail = (1 - confidence) / 2;
  // The k-th average from below and from above, k the largest with P(T <= k - 1) <= tail.
  const SignedRank rank(values.size());
  std::size_t k = 0, too_large = averages.size() / 2 + 1;
  while (too_large - k > 1) {
    const std::size_t middle = (k + too_large) / 2;
    (rank.cdf(static_cast<long long>(middle) - 1) <= tail ? k : too_large) = middle;
  }
  if (k == 0) return std::nullopt;
  return RankInterval{.estimate = median_of_sorted(averages),
                      .low = averages[k - 1],
                      .high = averages[averages.size() - k],
                      .confidence = 1 - 2 * rank.cdf(static_cast<long long>(k) - 1)};
}

}  // namespace twinrun::harness
