// unary_exhaustive [--functions NAME,...] [--every N] [--threads N]: exp, log, rsqrt, sin and cos
// of all 2^32 floats (of every N-th), by trainer/ops/portable/unary.h in the best loop of this CPU,
// against the correctly rounded results. Exit code 1 if one differs.
//
// The C library's double function decides where no boundary between floats is within 2^-44 of it,
// relative (its error is below 2^-51, glibc manual, "Errors in Math Functions"); MPFR decides the
// others, with 256 bits. "hard" are the arguments whose exact values lie nearest to the middle
// between two floats, of those that MPFR was asked for: x, the rounded result, the distance to the
// middle.

#include <mpfr.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <limits>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/unary_functions.h"

namespace {

using namespace twinrun::bench;
using twinrun::trainer::portable::Unary;
using twinrun::trainer::portable::UnaryLoop;

constexpr std::int64_t kBlock = 1 << 16;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Options {
  std::vector<UnaryFunction> functions = {std::begin(kUnaryFunctions), std::end(kUnaryFunctions)};
  std::int64_t every = 1;
  int threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
};

struct Misrounded {
  float x, ours, exact;
};

struct HardCase {
  double boundary_ulp;  ///< distance of the exact value to the middle of two floats
  float x, exact;
};

constexpr std::size_t kHardCases = 16;

struct Findings {
  std::int64_t inputs = 0, asked = 0;
  std::vector<Misrounded> misrounded;
  std::vector<HardCase> hard;  ///< ascending
  double error_ulp_max = 0.5;  ///< of a misrounded one, else the bound of correct rounding

  void add(const Findings& other) {
    inputs += other.inputs;
    asked += other.asked;
    misrounded.insert(misrounded.end(), other.misrounded.begin(), other.misrounded.end());
    for (const HardCase& one : other.hard) add(one);
    error_ulp_max = std::max(error_ulp_max, other.error_ulp_max);
  }

  void add(const HardCase& one) {
    const auto harder = [](const HardCase& a, const HardCase& b) {
      return std::pair(a.boundary_ulp, a.x) < std::pair(b.boundary_ulp, b.x);
    };
    hard.insert(std::upper_bound(hard.begin(), hard.end(), one, harder), one);
    if (hard.size() > kHardCases) hard.pop_back();
  }
};

double by_libm(Unary function, double x) {
  switch (function) {
    case Unary::kExp:
      return std::exp(x);
    case Unary::kLog:
      return std::log(x);
    case Unary::kRsqrt:
      return 1 / std::sqrt(x);
    case Unary::kSin:
      return std::sin(x);
    case Unary::kCos:
      return std::cos(x);
  }
  return 0;
}

class Oracle {
 public:
  explicit Oracle(Unary function) : function_(function) {
    mpfr_inits2(256, x_, y_, difference_, nullptr);
  }
  ~Oracle() { mpfr_clears(x_, y_, difference_, nullptr); }
  Oracle(const Oracle&) = delete;
  Oracle& operator=(const Oracle&) = delete;

  /// The correctly rounded result.
  float evaluate(float x) {
    mpfr_set_flt(x_, x, MPFR_RNDN);
    switch (function_) {
      case Unary::kExp:
        mpfr_exp(y_, x_, MPFR_RNDN);
        break;
      case Unary::kLog:
        mpfr_log(y_, x_, MPFR_RNDN);
        break;
      case Unary::kRsqrt:
        mpfr_rec_sqrt(y_, x_, MPFR_RNDN);
        break;
      case Unary::kSin:
        mpfr_sin(y_, x_, MPFR_RNDN);
        break;
      case Unary::kCos:
        mpfr_cos(y_, x_, MPFR_RNDN);
        break;
    }
    return mpfr_get_flt(y_, MPFR_RNDN);
  }

  /// |candidate - value of the last evaluate()| in units of the gap between floats there.
  double error_ulp(float candidate) {
    const double toward = mpfr_cmp_d(y_, candidate) > 0 ? kInfinity : -kInfinity;
    const float neighbour = std::nextafter(candidate, static_cast<float>(toward));
    mpfr_sub_d(difference_, y_, candidate, MPFR_RNDN);
    mpfr_div_d(difference_, difference_, static_cast<double>(neighbour) - candidate, MPFR_RNDN);
    return std::fabs(mpfr_get_d(difference_, MPFR_RNDN));
  }

  /// Distance of that value to the middle between `exact`, its rounding, and the next float.
  double boundary_ulp(float exact) {
    error_ulp(exact);
    mpfr_abs(difference_, difference_, MPFR_RNDN);
    mpfr_d_sub(difference_, 0.5, difference_, MPFR_RNDN);
    return mpfr_get_d(difference_, MPFR_RNDN);
  }

 private:
  Unary function_;
  mpfr_t x_, y_, difference_;
};

/// Checks the inputs number begin .. end - 1 of every `every`-th float.
Findings check_block(Unary function, UnaryLoop loop, std::int64_t begin, std::int64_t end,
                     std::int64_t every) {
  std::vector<float> x(end - begin), y(end - begin);
  for (std::int64_t i = begin; i < end; ++i) {
    x[i - begin] = __builtin_bit_cast(float, static_cast<std::uint32_t>(i * every));
  }
  loop(function, x.data(), y.data(), end - begin);
  Findings found;
  found.inputs = end - begin;
  Oracle oracle(function);
  for (std::int64_t i = 0; i < end - begin; ++i) {
    const double wide = by_libm(function, x[i]);
    const float below = static_cast<float>(wide * (1 - 0x1p-44));
    const float above = static_cast<float>(wide * (1 + 0x1p-44));
    const bool decided = same_float(below, above);
    const float exact = decided ? below : oracle.evaluate(x[i]);
    if (!decided) {
      ++found.asked;
      if (!std::isinf(exact)) found.add(HardCase{oracle.boundary_ulp(exact), x[i], exact});
    }
    if (same_float(y[i], exact)) continue;
    oracle.evaluate(x[i]);
    const double error = oracle.error_ulp(y[i]);
    found.error_ulp_max = error < kInfinity ? std::max(found.error_ulp_max, error) : kInfinity;
    found.misrounded.push_back({x[i], y[i], exact});
  }
  return found;
}

Findings check(Unary function, UnaryLoop loop, const Options& options) {
  const std::int64_t inputs = (kFloats + options.every - 1) / options.every;
  std::atomic<std::int64_t> next = 0;
  std::mutex mutex;
  Findings all;
  std::vector<std::thread> threads;
  for (int i = 0; i < options.threads; ++i) {
    threads.emplace_back([&] {
      Findings mine;
      for (std::int64_t begin; (begin = next.fetch_add(kBlock)) < inputs;) {
        mine.add(
            check_block(function, loop, begin, std::min(inputs, begin + kBlock), options.every));
      }
      mpfr_free_cache();
      const std::lock_guard lock(mutex);
      all.add(mine);
    });
  }
  for (auto& thread : threads) thread.join();
  return all;
}

void print(const char* name, const Findings& found, double seconds) {
  std::printf("%-5s %lld inputs, %zu misrounded, maximum error %.9g ulp, %.1f s\n", name,
              static_cast<long long>(found.inputs), found.misrounded.size(), found.error_ulp_max,
              seconds);
  std::printf("      MPFR asked for %lld\n", static_cast<long long>(found.asked));
  for (const HardCase& one : found.hard) {
    std::printf("      hard %a %a 2^%.2f ulp\n", one.x, one.exact, std::log2(one.boundary_ulp));
  }
  for (const Misrounded& one : found.misrounded) {
    std::printf("      MISROUNDED %a: %a, correctly %a\n", one.x, one.ours, one.exact);
  }
  std::fflush(stdout);
}

/// The functions of a list "exp,sin"; none if it names something else.
std::vector<UnaryFunction> functions_of(const std::string& list) {
  std::vector<UnaryFunction> functions;
  std::istringstream names(list);
  for (std::string name; std::getline(names, name, ',');) {
    const auto found = std::find_if(std::begin(kUnaryFunctions), std::end(kUnaryFunctions),
                                    [&](const UnaryFunction& one) { return name == one.name; });
    if (found == std::end(kUnaryFunctions)) return {};
    functions.push_back(*found);
  }
  return functions;
}

/// False for what it does not know.
bool parse(int argc, char** argv, Options& options) {
  if (argc % 2 == 0) return false;
  for (int i = 1; i < argc; i += 2) {
    if (std::strcmp(argv[i], "--functions") == 0) {
      options.functions = functions_of(argv[i + 1]);
    } else if (std::strcmp(argv[i], "--every") == 0) {
      options.every = std::atoll(argv[i + 1]);
    } else if (std::strcmp(argv[i], "--threads") == 0) {
      options.threads = std::atoi(argv[i + 1]);
    } else {
      return false;
    }
  }
  return !options.functions.empty() && options.every >= 1 && options.threads >= 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    std::fprintf(stderr,
                 "usage: unary_exhaustive [--functions NAME,...] [--every N] [--threads N]\n"
                 "NAME: exp, log, rsqrt, sin, cos; all of them by default. N from 1 on.\n");
    return 2;
  }
  const auto loop = twinrun::trainer::portable::unary_loops().back();
  std::printf("%s loops, %d threads, MPFR %s\n", loop.isa, options.threads, mpfr_get_version());
  std::size_t misrounded = 0;
  for (const auto& [function, name] : options.functions) {
    const auto start = std::chrono::steady_clock::now();
    const Findings found = check(function, loop.run, options);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    print(name, found, seconds.count());
    misrounded += found.misrounded.size();
  }
  return misrounded == 0 ? 0 : 1;
}
