#include "harness/stats/tango.h"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <stdexcept>

namespace twinrun::harness {
namespace {

constexpr std::int64_t kMost =
    (std::int64_t{1} << 53) - 1;  // whole numbers that doubles tell apart

void require_counts(std::int64_t only_a, std::int64_t only_b) {
  if (only_a < 0 || only_b < 0) throw std::invalid_argument("a count of items is negative");
}

/// Largest root of u^3 = p u + q, where p >= 1 and no other root is near it. From above, where the
/// cubic is convex, Newton's steps go down to it and never past it.
double largest_root(double p, double q) {
  double u = std::sqrt(p) + std::cbrt(std::max(q, 0.0));
  for (;;) {
    const double next = u - (u * (u * u - p) - q) / (3 * u * u - p);
    if (!(next < u)) return u;
    u = next;
  }
}

// The upper end. The score test of the difference d has the square (n d - D)^2 / (n (s - d^2)),
// where D = only_b - only_a, m = only_a + only_b, and s, the probability of a disagreement, has its
// most likely value given d: n s^2 - (m + D d) s + D d - (n - m) d^2 = 0. Setting the square to z^2
// and putting s into that equation leaves a polynomial in d of the fourth degree, of which d = D /
// n is a root; with d = (D + z^2 u) / (n + z^2) the rest is
//   u^3 = (1 + (m - D^2 / n) / z^2) u + D (1 - m / n) / z^2,
// whose roots lie at or below -1, inside [-1, 1], and at or above 1. The ends are the outer two.
double upper_end(std::int64_t only_a, std::int64_t only_b, std::int64_t n, double z) {
  const auto count = static_cast<double>(n);
  const auto difference = static_cast<double>(only_b - only_a);
  const auto agreed = static_cast<double>(n - only_a - only_b);
  const double square = z * z;
  if (square == 0) return difference / count;  // of a confidence that rounds to nothing
  // m - D^2 / n, as a sum of terms that are not negative.
  const double larger = std::abs(difference);
  const double spread =
      2 * static_cast<double>(std::min(only_a, only_b)) + larger * ((count - larger) / count);
  double u = 1;
  if (only_b == 0) {
    // One root is 1, another solves u (u + 1) = spread / z^2, and the two may meet.
    const double four = 4 * spread / square;
    u = std::max(1.0, four / (2 * (std::sqrt(1 + four) + 1)));
  } else {
    u = largest_root(1 + spread / square, difference * (agreed / count) / square);
  }
  return std::min(1.0, (difference + square * u) / (count + square));
}

}  // namespace

Interval tango_interval(std::int64_t only_a, std::int64_t only_b, std::int64_t n,
                        double confidence) {
  require_counts(only_a, only_b);
  if (n < 1 || n > kMost) throw std::invalid_argument("the number of items is not in [1, 2^53)");
  if (only_a > n || only_b > n - only_a) {
    throw std::invalid_argument("more items are right in one system only than there are items");
  }
  require_inside_0_1(confidence, "confidence");
  const double z =
      quantile(complement(boost::math::normal_distribution<double>(), (1 - confidence) / 2));
  return {.estimate = static_cast<double>(only_b - only_a) / static_cast<double>(n),
          .low = -upper_end(only_b, only_a, n, z),
          .high = upper_end(only_a, only_b, n, z)};
}

double mcnemar_p(std::int64_t only_a, std::int64_t only_b) {
  require_counts(only_a, only_b);
  if (only_a > kMost - only_b) throw std::invalid_argument("the counts are too large");
  if (only_a == only_b) return 1;
  const boost::math::binomial_distribution<double> fair(static_cast<double>(only_a + only_b), 0.5);
  return std::min(1.0, 2 * cdf(fair, static_cast<double>(std::min(only_a, only_b))));
}

}  // namespace twinrun::harness
