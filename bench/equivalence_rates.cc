// equivalence_rates [--trials N] [--seed S]: how often the tests of equivalence and of alarm are
// wrong, on made-up data the truth of which is known. Goes through harness/stats only; no run is
// made. Prints Markdown tables, which the same N (20000; the bootstrap gets a tenth) and S (1) give
// again.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <numbers>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/stats/bootstrap.h"
#include "harness/stats/conformal.h"
#include "harness/stats/equivalence.h"
#include "harness/stats/paired_t.h"
#include "harness/stats/random.h"
#include "harness/stats/randomisation.h"
#include "harness/stats/tango.h"

namespace {

using twinrun::harness::bootstrap_t_interval;
using twinrun::harness::conformal_false_alarms;
using twinrun::harness::conformal_p;
using twinrun::harness::Equivalence;
using twinrun::harness::Interval;
using twinrun::harness::mcnemar_p;
using twinrun::harness::Random;
using twinrun::harness::reachable_margin;
using twinrun::harness::series_mean;
using twinrun::harness::sign_flip_p;
using twinrun::harness::t_interval;
using twinrun::harness::tango_interval;
using twinrun::harness::tost_confidence;

constexpr double kAlpha = 0.05;

double normal(Random& random) {
  const double radius = std::sqrt(-2 * std::log(random.uniform()));
  return radius * std::cos(2 * std::numbers::pi * random.uniform());
}

/// What a test said, in many trials of one situation.
struct Outcomes {
  std::int64_t trials = 0, equivalent = 0, different = 0, no_interval = 0, alike = 0, found = 0;

  void add(const std::optional<Interval>& interval, double margin) {
    ++trials;
    if (!interval) {
      ++no_interval;
      return;
    }
    const Equivalence judged = judge_equivalence(*interval, margin);
    equivalent += judged == Equivalence::kEquivalent ? 1 : 0;
    different += judged == Equivalence::kDifferent ? 1 : 0;
  }
  double percent(std::int64_t count) const {
    return 100.0 * static_cast<double>(count) / static_cast<double>(trials);
  }
};

void print_heading(const char* title, const std::vector<const char*>& columns) {
  std::printf("\n### %s\n\n|", title);
  for (const char* column : columns) std::printf(" %s |", column);
  std::printf("\n|");
  for (std::size_t i = 0; i < columns.size(); ++i) std::printf("---:|");
  std::printf("\n");
}

// (a) The mean of a window of steps, the differences of which hang together.

std::vector<double> steps_of(Random& random, int steps, double correlation, double mean) {
  std::vector<double> differences;
  double value = normal(random);
  const double fresh = std::sqrt(1 - correlation * correlation);
  for (int i = 0; i < steps; ++i) {
    differences.push_back(mean + value);
    value = correlation * value + fresh * normal(random);
  }
  return differences;
}

Outcomes judge_steps(int steps, double correlation, double margin, double truth,
                     std::int64_t trials, std::uint64_t seed) {
  Random random(seed);
  Outcomes outcomes;
  for (std::int64_t i = 0; i < trials; ++i) {
    const auto mean = series_mean(steps_of(random, steps, correlation, truth));
    std::optional<Interval> interval;
    if (mean) interval = t_interval(*mean, tost_confidence(kAlpha));
    outcomes.add(interval, margin);
  }
  return outcomes;
}

void print_steps(std::int64_t trials, std::uint64_t seed) {
  print_heading("Mean of a window of steps",
                {"steps", "correlation of neighbours", "margin, in deviations of a step",
                 "accepted at the margin, %", "accepted at 0, %", "called different at 0, %",
                 "too few count at 0, %"});
  for (const int steps : {20, 40, 100}) {
    for (const double correlation : {0.0, 0.3, 0.6, 0.9}) {
      for (const double margin : {1.0, 2.0, 3.0}) {
        const Outcomes at_margin = judge_steps(steps, correlation, margin, margin, trials, ++seed);
        const Outcomes at_0 = judge_steps(steps, correlation, margin, 0, trials, ++seed);
        std::printf("| %d | %.1f | %.0f | %.1f | %.1f | %.2f | %.1f |\n", steps, correlation,
                    margin, at_margin.percent(at_margin.equivalent), at_0.percent(at_0.equivalent),
                    at_0.percent(at_0.different), at_0.percent(at_0.no_interval));
      }
    }
  }
}

// (b) Right and wrong answers.

/// Of n items, `disagreement` are right in one system only where there is no difference, half of
/// them in either; `truth` more are right in the second.
Outcomes judge_answers(std::int64_t n, double disagreement, double margin, double truth,
                       std::int64_t trials, std::uint64_t seed) {
  Random random(seed);
  Outcomes outcomes;
  for (std::int64_t i = 0; i < trials; ++i) {
    std::int64_t only_a = 0, only_b = 0;
    for (std::int64_t item = 0; item < n; ++item) {
      const double u = random.uniform();
      only_a += u < disagreement / 2 ? 1 : 0;
      only_b += u >= disagreement / 2 && u < disagreement + truth ? 1 : 0;
    }
    outcomes.add(tango_interval(only_a, only_b, n, tost_confidence(kAlpha)), margin);
    outcomes.found += mcnemar_p(only_a, only_b) <= kAlpha ? 1 : 0;
  }
  return outcomes;
}

/// Chow, Shao, Wang, section 3.2, with power 0.8: what many flips would reach, (z.95 + z.90)^2
/// being 8.564.
double planned_margin(double disagreement, std::int64_t n) {
  return std::sqrt(8.564 * disagreement / static_cast<double>(n));
}

void print_answers(std::int64_t trials, std::uint64_t seed) {
  print_heading("Accuracy: Tango's interval, McNemar's test",
                {"items", "answers that flip, %", "margin, points", "accepted at the margin, %",
                 "accepted at 0, %", "McNemar p <= 0.05 at 0, %"});
  for (const std::int64_t n : {200, 500, 1319}) {
    for (const double disagreement : {0.005, 0.02, 0.05}) {
      const double margin = planned_margin(disagreement, n);
      const Outcomes at_margin = judge_answers(n, disagreement, margin, margin, trials, ++seed);
      const Outcomes at_0 = judge_answers(n, disagreement, margin, 0, trials, ++seed);
      std::printf("| %lld | %.1f | %.2f | %.1f | %.1f | %.2f |\n", static_cast<long long>(n),
                  100 * disagreement, 100 * margin, at_margin.percent(at_margin.equivalent),
                  at_0.percent(at_0.equivalent), at_0.percent(at_0.found));
    }
  }
}

// (c) Scores between 0 and 1, most of which do not change.

struct ScoreModel {
  int items = 500;
  int cluster = 1;         ///< items of one text
  double share = 0.1;      ///< of items whose score changes; of texts, half of whose items do
  double towards_b = 0.5;  ///< of changes: 0.5 is no difference

  static constexpr double kMeanChange = 0.75;  // of size: half are 1, half anything in (0, 1)
  static constexpr double kMeanSquare = 0.5 + 0.5 / 3;

  double share_of_items() const { return cluster == 1 ? share : share / 2; }
  /// What an item's differences have, were they independent.
  double deviation() const { return std::sqrt(share_of_items() * kMeanSquare); }
};

std::vector<double> scores_of(Random& random, const ScoreModel& model) {
  std::vector<double> differences;
  bool changes = false, up = false;
  for (int i = 0; i < model.items; ++i) {
    if (i % model.cluster == 0) {
      changes = random.uniform() < model.share;
      up = random.uniform() < model.towards_b;
    }
    const bool item_changes = changes && (model.cluster == 1 || random.uniform() < 0.5);
    const double size = random.uniform() < 0.5 ? 1 : random.uniform();
    differences.push_back(item_changes ? (up ? size : -size) : 0);
  }
  return differences;
}

/// As harness/evaluate/metrics.h does: where no score changes, the interval is Tango's.
Outcomes judge_scores(const ScoreModel& model, bool clusters_known, double margin,
                      std::int64_t trials, std::uint64_t seed) {
  constexpr std::int64_t kResamples = 999;
  std::vector<std::int64_t> clusters;
  if (clusters_known) {
    for (int i = 0; i < model.items; ++i) clusters.push_back(i / model.cluster);
  }
  Random random(seed);
  Outcomes outcomes;
  for (std::int64_t i = 0; i < trials; ++i) {
    const std::vector<double> differences = scores_of(random, model);
    const std::uint64_t draw = random.next();
    const double confidence = tost_confidence(kAlpha);
    const bool alike =
        std::all_of(differences.begin(), differences.end(), [](double d) { return d == 0; });
    outcomes.alike += alike ? 1 : 0;
    outcomes.add(alike ? tango_interval(0, 0, model.items, confidence)
                       : bootstrap_t_interval(differences, clusters, confidence, kResamples, draw),
                 margin);
    const double p = sign_flip_p(differences, clusters, kResamples, draw);
    outcomes.found += p <= kAlpha ? 1 : 0;
  }
  return outcomes;
}

void print_score_row(ScoreModel model, bool clusters_known, std::int64_t trials,
                     std::uint64_t seed) {
  // The margin that is reached with power 0.8, but no more than nine tenths of what there is if
  // every change goes one way.
  const double most = model.share_of_items() * ScoreModel::kMeanChange;
  const double spread = model.deviation() * std::sqrt(model.cluster == 1 ? 1.0 : 2.0);
  const double margin = std::min(*reachable_margin(spread, model.items, {}), 0.9 * most);
  const Outcomes at_0 = judge_scores(model, clusters_known, margin, trials, seed);
  model.towards_b = (1 + margin / most) / 2;
  const Outcomes at_margin = judge_scores(model, clusters_known, margin, trials, seed + 1);
  std::printf("| %d | %s | %.1f | %.2f | %.1f | %.1f | %.1f | %.1f | %.1f |\n", model.items,
              model.cluster == 1 ? "none"
              : clusters_known   ? "of 4"
                                 : "of 4, not told",
              100 * model.share_of_items(), 100 * margin, at_margin.percent(at_margin.equivalent),
              at_0.percent(at_0.equivalent), at_0.percent(at_0.no_interval),
              at_0.percent(at_0.alike), at_0.percent(at_0.found));
  std::fflush(stdout);
}

void print_scores(std::int64_t trials, std::uint64_t seed) {
  print_heading(
      "Scores like token F1: studentised bootstrap, signs flipped at random",
      {"items", "clusters", "scores that change, %", "margin, points", "accepted at the margin, %",
       "accepted at 0, %", "no interval at 0, %", "no change seen at 0, %", "p <= 0.05 at 0, %"});
  for (const int items : {200, 500, 1320}) {
    for (const double share : {0.005, 0.02, 0.1, 0.3}) {
      print_score_row({.items = items, .share = share}, false, trials, seed += 2);
    }
  }
  for (const bool known : {true, false}) {
    print_score_row({.items = 500, .cluster = 4, .share = 0.3}, known, trials, seed += 2);
    print_score_row({.items = 1320, .cluster = 4, .share = 0.3}, known, trials, seed += 2);
  }
}

// (d) Alarms of one more run that is like those of the calibration.

std::vector<double> calibration_of(Random& random, int runs) {
  std::vector<double> scores;
  for (int i = 0; i < runs; ++i) scores.push_back(normal(random));
  return scores;
}

/// Share of clean runs that this calibration alarms at: those above its lowest score that does.
double rate_of(std::vector<double> calibration, double alpha) {
  std::vector<double> descending = calibration;
  std::sort(descending.begin(), descending.end(), std::greater<>());
  double rate = 0;
  for (const double score : descending) {
    const double just_above = std::nextafter(score, 1e300);
    if (!(conformal_p(calibration, just_above) <= alpha)) break;
    rate = std::erfc(score / std::numbers::sqrt2) / 2;
  }
  return rate;
}

void print_alarms(std::int64_t trials, std::uint64_t seed) {
  print_heading("False alarms of the conformal p-value",
                {"calibration runs", "alpha", "mean, %", "as computed, %",
                 "95 % of calibrations stay below, %", "as computed, %", "worst seen, %"});
  const struct {
    int runs;
    double alpha;
  } situations[] = {{99, 0.01}, {59, 0.02}, {59, 0.05}, {299, 0.01}};
  for (const auto& [runs, alpha] : situations) {
    Random random(++seed);
    std::vector<double> rates;
    double sum = 0;
    for (std::int64_t i = 0; i < trials; ++i) {
      rates.push_back(rate_of(calibration_of(random, runs), alpha));
      sum += rates.back();
    }
    std::sort(rates.begin(), rates.end());
    const auto computed = conformal_false_alarms(static_cast<std::size_t>(runs), alpha);
    std::printf("| %d | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f |\n", runs, alpha,
                100 * sum / static_cast<double>(trials), 100 * computed.mean,
                100 * rates[rates.size() * 95 / 100], 100 * computed.worst, 100 * rates.back());
  }
}

// (e) Runs that are made again.

void print_reruns(std::int64_t trials, std::uint64_t seed) {
  print_heading(
      "Runs made again until one is green, at most three (99 calibration runs, alpha 0.01)",
      {"run", "red, one run, or all that were made count, %", "red, the last alone counts, %",
       "red, three in any case and all count, %"});
  const struct {
    const char* name;
    double shift;
  } situations[] = {{"clean", 0}, {"small fault", 2.3}, {"fault", 3.7}};
  for (const auto& [name, shift] : situations) {
    Random random(++seed);
    std::int64_t first_red = 0, all_red = 0, any_red = 0;
    for (std::int64_t i = 0; i < trials; ++i) {
      const std::vector<double> calibration = calibration_of(random, 99);
      bool red[3];
      for (bool& one : red) {
        one = !(conformal_p(calibration, shift + normal(random)) > 0.01);
      }
      // A first run that is green is not made again; one that is red stays among those that count.
      first_red += red[0] ? 1 : 0;
      all_red += red[0] && red[1] && red[2] ? 1 : 0;
      any_red += red[0] || red[1] || red[2] ? 1 : 0;
    }
    const auto percent = [trials](std::int64_t count) {
      return 100.0 * static_cast<double>(count) / static_cast<double>(trials);
    };
    std::printf("| %s | %.1f | %.1f | %.1f |\n", name, percent(first_red), percent(all_red),
                percent(any_red));
  }
}

struct Options {
  std::int64_t trials = 20000;
  std::uint64_t seed = 1;
};

std::optional<Options> parsed(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    char* end = nullptr;
    const std::string_view name = argv[i];
    const long long value = std::strtoll(argv[i + 1], &end, 10);
    if (*end != '\0' || end == argv[i + 1] || value < 0) return std::nullopt;
    if (name == "--trials") {
      options.trials = value;
    } else if (name == "--seed") {
      options.seed = static_cast<std::uint64_t>(value);
    } else {
      return std::nullopt;
    }
  }
  if (argc % 2 == 0 || options.trials < 10) return std::nullopt;
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parsed(argc, argv);
  if (!options) {
    std::fprintf(stderr, "usage: equivalence_rates [--trials N] [--seed S], N 10 or more\n");
    return 2;
  }
  const auto chance = [](std::int64_t trials) {
    return 196 * std::sqrt(0.05 * 0.95 / static_cast<double>(trials));
  };
  const std::int64_t few = options->trials / 10;
  std::printf(
      "%lld trials each, %lld of the bootstrap; seed %llu. A share of 5 %% is known to +-%.1f "
      "points, "
      "of the bootstrap to +-%.1f (95 %%).\n",
      static_cast<long long>(options->trials), static_cast<long long>(few),
      static_cast<unsigned long long>(options->seed), chance(options->trials), chance(few));
  // Each table has numbers of its own, whatever the others take.
  Random seeds(options->seed);
  print_steps(options->trials, seeds.next());
  print_answers(options->trials, seeds.next());
  print_alarms(options->trials, seeds.next());
  print_reruns(options->trials, seeds.next());
  print_scores(few, seeds.next());
  return 0;
}
