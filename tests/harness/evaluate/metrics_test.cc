#include "harness/evaluate/metrics.h"

#include <gmock/gmock.h>

#include <cmath>

#include "harness/evaluate/row_clusters.h"
#include "harness/evaluate/scores.h"
#include "harness/stats/bootstrap.h"
#include "harness/stats/paired_t.h"
#include "harness/stats/randomisation.h"
#include "harness/stats/tango.h"
#include "harness/stats/text_scores.h"

namespace twinrun::harness {
namespace {

using protocol::EvalItem;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kConfidence = 0.9;

EvalItem row(std::int64_t item, const std::string& answer, const std::string& reference,
             double nll = 2, const std::string& category = "") {
  EvalItem made;
  made.item = item;
  made.id = item;
  if (!category.empty()) made.category = category;
  made.tokens = 4;
  made.nll = nll;
  made.answer = answer;
  made.reference = reference;
  made.finish = protocol::Finish::kStop;
  return made;
}

/// `count` rows of "yes" and "no" by turns, all answered right but for those in `wrong`.
std::vector<EvalItem> labels(std::int64_t count, const std::vector<std::int64_t>& wrong) {
  std::vector<EvalItem> rows;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::string right = i % 2 == 0 ? "yes" : "no";
    const bool missed = std::find(wrong.begin(), wrong.end(), i) != wrong.end();
    rows.push_back(row(i, missed ? "maybe" : right, right));
  }
  return rows;
}

std::optional<MetricDifference> difference(const std::string& metric,
                                           const std::vector<EvalItem>& a,
                                           const std::vector<EvalItem>& b) {
  std::string why;
  const auto found = metric_difference(metric, a, b, kConfidence, why);
  EXPECT_EQ(found.has_value(), why.empty()) << why;
  return found;
}

std::string refusal(const std::string& metric, const std::vector<EvalItem>& rows) {
  std::string why;
  EXPECT_FALSE(metric_difference(metric, rows, rows, kConfidence, why));
  return why;
}

TEST(Metrics, ProportionsAreTangosInPoints) {
  const auto found = difference(kExactMatch, labels(200, {1, 2, 3}), labels(200, {3, 4}));
  ASSERT_TRUE(found);
  const Interval share = tango_interval(1, 2, 200, kConfidence);
  EXPECT_DOUBLE_EQ(found->interval.estimate, 0.5);
  EXPECT_DOUBLE_EQ(found->interval.low, 100 * share.low);
  EXPECT_DOUBLE_EQ(found->interval.high, 100 * share.high);
  EXPECT_DOUBLE_EQ(found->p, mcnemar_p(1, 2));
  const auto accuracy = difference(kAccuracy, labels(200, {1, 2, 3}), labels(200, {3, 4}));
  EXPECT_EQ(accuracy->interval, found->interval);
}

TEST(Metrics, LossesAreStudentsOfTheRows) {
  std::vector<EvalItem> a, b;
  std::vector<double> differences;
  for (std::int64_t i = 0; i < 30; ++i) {
    a.push_back(row(i, "x", "y", 8));
    b.push_back(row(i, "x", "y", 8 + 0.01 * static_cast<double>(i % 3)));
    differences.push_back(b.back().nll / 4 - a.back().nll / 4);
  }
  const auto found = difference(kHeldoutLoss, a, b);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->interval, t_interval(*paired_mean(differences), kConfidence));
  EXPECT_NEAR(found->interval.estimate, 0.0025, 1e-12);
}

TEST(Metrics, TokenF1IsTheBootstrapsAndTheSignFlipsOfTheRows) {
  std::vector<EvalItem> a, b;
  std::vector<double> differences;
  for (std::int64_t i = 0; i < 60; ++i) {
    a.push_back(row(i, "one two", "one two"));
    // Words in common 1, of 2 and 2: F1 is one half.
    b.push_back(row(i, i % 4 == 0 ? "one three" : "one two", "one two"));
    differences.push_back(i % 4 == 0 ? -0.5 : 0);
  }
  const auto found = difference(kTokenF1, a, b);
  ASSERT_TRUE(found);
  const auto interval = bootstrap_t_interval(differences, {}, kConfidence, kDraws, kDrawsSeed);
  EXPECT_DOUBLE_EQ(found->interval.estimate, -12.5);
  EXPECT_DOUBLE_EQ(found->interval.low, 100 * interval->low);
  EXPECT_EQ(found->p, sign_flip_p(differences, {}, kDraws, kDrawsSeed));
  EXPECT_LT(found->p, 0.01);
}

TEST(Metrics, MacroF1WeighsLabelsAlike) {
  std::vector<EvalItem> a = labels(40, {}), b = labels(40, {0, 2, 4, 6, 8});
  const auto found = difference(kMacroF1, a, b);
  ASSERT_TRUE(found);
  // Of 20 "yes" 15 are found: F1 30 / 35; of "no" all.
  EXPECT_NEAR(found->interval.estimate, 100 * ((30.0 / 35 + 1) / 2 - 1), 1e-9);
  EXPECT_LT(found->interval.low, found->interval.estimate);
  EXPECT_GT(found->interval.high, found->interval.estimate);
  // Five rows, all to one side: 2 of 32 ways to give the answers to the runs are as extreme.
  EXPECT_NEAR(found->p, 2.0 / 32, 5 * std::sqrt(2.0 / 32 / kDraws));
}

TEST(Metrics, MacroF1OfAnswersThatOnlyChangedSidesIsNoDifference) {
  // Either run misses three of "yes" and three of "no".
  const auto found =
      difference(kMacroF1, labels(40, {0, 2, 4, 1, 3, 5}), labels(40, {6, 8, 10, 7, 9, 11}));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->interval.estimate, 0);
  EXPECT_EQ(found->p, 1);
}

// No row that differs is no proof that none would: the interval is no point.
TEST(Metrics, RowsThatAllAgreeBoundNoMoreThanTheirNumberDoes) {
  const auto rows = labels(100, {5});
  const double bound = 100 * tango_interval(0, 0, 100, kConfidence).high;
  for (const char* metric : {kExactMatch, kAccuracy, kTokenF1}) {
    const auto found = difference(metric, rows, rows);
    ASSERT_TRUE(found) << metric;
    EXPECT_DOUBLE_EQ(found->interval.high, bound) << metric;
    EXPECT_DOUBLE_EQ(*least_margin(metric, 100, 1, kConfidence), bound) << metric;
  }
  EXPECT_GT(difference(kMacroF1, rows, rows)->interval.high, bound);  // 50 rows a label
  EXPECT_FALSE(least_margin(kHeldoutLoss, 100, 1, kConfidence));
}

/// Every row four times, as one cluster if `named`.
std::vector<EvalItem> four_of_each(const std::vector<EvalItem>& rows, bool named) {
  std::vector<EvalItem> more;
  for (int copy = 0; copy < 4; ++copy) {
    for (const EvalItem& one : rows) {
      more.push_back(one);
      if (named) more.back().cluster = "text " + std::to_string(one.item);
    }
  }
  return more;
}

// Four copies of a row tell what one does, and no more.
TEST(Metrics, RowsOfOneClusterAreOne) {
  std::vector<EvalItem> a = labels(60, {1, 2}), b = labels(60, {0, 2, 4, 6, 8});
  for (std::size_t i = 0; i < b.size(); ++i) b[i].nll += 0.01 * static_cast<double>(i % 7);
  for (const char* metric : {kHeldoutLoss, kTokenF1, kMacroF1}) {
    const auto once = difference(metric, a, b);
    const auto named = difference(metric, four_of_each(a, true), four_of_each(b, true));
    const auto unnamed = difference(metric, four_of_each(a, false), four_of_each(b, false));
    ASSERT_TRUE(once && named && unnamed) << metric;
    EXPECT_NEAR(named->interval.low, once->interval.low, 1e-9) << metric;
    EXPECT_NEAR(named->interval.high, once->interval.high, 1e-9) << metric;
    EXPECT_NEAR(named->p, once->p, 1e-9) << metric;
    EXPECT_LT(unnamed->interval.high - unnamed->interval.low,
              0.7 * (named->interval.high - named->interval.low))
        << metric;
  }
}

TEST(Metrics, ProportionsOfClustersAreTheBootstrapsAndTheSignFlips) {
  std::vector<EvalItem> a = labels(80, {}), b = labels(80, {0, 1, 2, 3, 20, 41, 62});
  std::vector<double> differences;
  std::vector<std::int64_t> clusters;
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i].cluster = "text " + std::to_string(i / 4);
    differences.push_back(b[i].answer == "maybe" ? -1 : 0);
    clusters.push_back(static_cast<std::int64_t>(i / 4));
  }
  const auto interval =
      bootstrap_t_interval(differences, clusters, kConfidence, kDraws, kDrawsSeed);
  for (const char* metric : {kExactMatch, kAccuracy}) {
    const auto found = difference(metric, a, b);
    ASSERT_TRUE(found) << metric;
    EXPECT_DOUBLE_EQ(found->interval.low, 100 * interval->low) << metric;
    EXPECT_DOUBLE_EQ(found->interval.high, 100 * interval->high) << metric;
    EXPECT_EQ(found->p, sign_flip_p(differences, clusters, kDraws, kDrawsSeed)) << metric;
  }
}

TEST(Metrics, MacroF1DrawsWholeClusters) {
  std::vector<EvalItem> a = labels(80, {}), b = labels(80, {0, 1, 2, 3, 20, 41, 62});
  std::vector<std::string> said_a, said_b, right;
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i].cluster = "text " + std::to_string(i / 4);
    said_a.push_back(*a[i].answer);
    said_b.push_back(*b[i].answer);
    right.push_back(a[i].reference);
  }
  const LabelIndices of_a = label_indices(said_a, right), of_b = label_indices(said_b, right);
  const ClusterStatistic statistic = [&](std::span<const std::int64_t> counts) {
    std::vector<std::int64_t> times;
    for (std::size_t i = 0; i < 80; ++i) times.push_back(counts[i / 4]);
    return macro_f1(of_b, times) - macro_f1(of_a, times);
  };
  const auto interval = bootstrap_interval(20, statistic, kConfidence, kDraws, kDrawsSeed);
  const auto found = difference(kMacroF1, a, b);
  ASSERT_TRUE(found && interval);
  EXPECT_DOUBLE_EQ(found->interval.low, 100 * interval->low);
  EXPECT_DOUBLE_EQ(found->interval.high, 100 * interval->high);
  // Four clusters have a row that differs, all to one side: 2 of 16 ways are as extreme.
  EXPECT_NEAR(found->p, 2.0 / 16, 5 * std::sqrt(2.0 / 16 / kDraws));
}

TEST(Metrics, ClustersThatAllAgreeBoundNoMoreThanTheirNumberDoes) {
  auto rows = labels(100, {5});
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].cluster = "text " + std::to_string(i / 4);
  const double bound = 100 * tango_interval(0, 0, 25, kConfidence).high;
  EXPECT_DOUBLE_EQ(difference(kTokenF1, rows, rows)->interval.high, bound);
  EXPECT_DOUBLE_EQ(difference(kExactMatch, rows, rows)->interval.high, bound);
  // Of each label 2 rows in every cluster.
  EXPECT_DOUBLE_EQ(difference(kMacroF1, rows, rows)->interval.high, bound);
  // One of eight rows and 24 of about four: it may be the large one that differs.
  for (std::size_t i = 4; i < 8; ++i) rows[i].cluster = "text 0";
  EXPECT_DOUBLE_EQ(difference(kTokenF1, rows, rows)->interval.high,
                   100 * tango_interval(0, 0, 24, kConfidence).high * (8 * 24 / 100.0));
  // All rows of one text are one.
  for (EvalItem& item : rows) item.cluster = "text 0";
  EXPECT_THAT(refusal(kHeldoutLoss, rows), HasSubstr("two clusters"));
}

// One row right in a alone and one in b alone, in every text: that texts scatter does not show.
TEST(Metrics, ClustersInWhichRowsCancelAreNoProofOfNoDifference) {
  std::vector<EvalItem> a = labels(20, {}), b = labels(20, {});
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i].cluster = "text " + std::to_string(i / 2);
    (i % 2 == 0 ? a : b)[i].answer = "maybe";
  }
  const double bound = 100 * tango_interval(0, 0, 10, kConfidence).high;
  for (const char* metric : {kExactMatch, kTokenF1}) {
    const auto found = difference(metric, a, b);
    ASSERT_TRUE(found) << metric;
    EXPECT_EQ(found->interval.estimate, 0) << metric;
    EXPECT_DOUBLE_EQ(found->interval.high, bound) << metric;
  }
}

TEST(RowClusters, AreNumberedByTheirFirstRow) {
  auto rows = labels(5, {});
  EXPECT_THAT(cluster_numbers(rows), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_TRUE(count_clusters(cluster_numbers(rows)).independent());
  EXPECT_EQ(count_clusters(cluster_numbers(rows)).largest_by_mean(), 1);
  rows[1].cluster = rows[3].cluster = "one";
  rows[4].cluster = "two";
  const auto numbers = cluster_numbers(rows);
  EXPECT_THAT(numbers, ElementsAre(0, 1, 2, 1, 3));
  const RowClusters found = count_clusters(numbers);
  EXPECT_FALSE(found.independent());
  EXPECT_EQ(found.rows, 5);
  EXPECT_EQ(found.clusters, 4);
  EXPECT_EQ(found.largest, 2);
}

TEST(Metrics, RowsThatDoNotHaveTheMetricSayWhy) {
  std::vector<EvalItem> silent = labels(10, {});
  for (EvalItem& item : silent) item.answer.reset();
  EXPECT_THAT(refusal(kExactMatch, silent), HasSubstr("max_new_tokens"));
  EXPECT_THAT(refusal(kTokenF1, silent), HasSubstr("max_new_tokens"));
  std::vector<EvalItem> prose;
  for (std::int64_t i = 0; i < 10; ++i) prose.push_back(row(i, "x", "answer " + std::to_string(i)));
  EXPECT_THAT(refusal(kAccuracy, prose), HasSubstr("no labels"));
  EXPECT_THAT(refusal(kMacroF1, prose), HasSubstr("no labels"));
  EXPECT_THAT(refusal(kExactMatch, {}), HasSubstr("no rows"));
  EXPECT_THAT(refusal(kHeldoutLoss, {prose.front()}), HasSubstr("two rows"));
}

TEST(Scores, AreOfAllRowsAndOfEachCategory) {
  const std::vector<EvalItem> rows = {row(0, "yes", "Yes.", 4, "b"), row(1, "no", "yes", 8, "a"),
                                      row(2, "no", "no", 4, "b"), row(3, "no", "no", 0, "a")};
  const auto scores = score_slices(rows);
  ASSERT_EQ(scores.size(), 3u);
  EXPECT_EQ(scores[0].slice, "");
  EXPECT_EQ(scores[0].rows, 4);
  EXPECT_DOUBLE_EQ(scores[0].loss, 1);
  EXPECT_DOUBLE_EQ(scores[0].perplexity, std::exp(1.0));
  EXPECT_DOUBLE_EQ(*scores[0].exact_match, 75);
  EXPECT_DOUBLE_EQ(*scores[0].accuracy, 75);
  // "yes": 1 of 2 found, none wrong: 2/3; "no": both found, one wrong: 4/5.
  EXPECT_THAT(*scores[0].macro_f1, DoubleNear(100 * (2.0 / 3 + 0.8) / 2, 1e-9));
  EXPECT_EQ(scores[1].slice, "a");
  EXPECT_DOUBLE_EQ(*scores[1].exact_match, 50);
  EXPECT_EQ(scores[2].slice, "b");
  EXPECT_DOUBLE_EQ(*scores[2].exact_match, 100);
  EXPECT_THAT(slices_of(rows), ElementsAre("a", "b"));
}

TEST(Scores, AreThoseThatTheRowsHave) {
  std::vector<EvalItem> rows = {row(0, "x", "one"), row(1, "y", "two")};
  EXPECT_TRUE(score_slices(rows)[0].exact_match);
  EXPECT_FALSE(score_slices(rows)[0].accuracy);  // no label twice
  rows[0].answer.reset();
  EXPECT_FALSE(score_slices(rows)[0].exact_match);
}

}  // namespace
}  // namespace twinrun::harness
