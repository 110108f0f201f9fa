#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "harness/compare/compare.h"
#include "harness/protocol/record_writer.h"
#include "tests/harness/synthetic_run.h"

namespace twinrun::harness {
namespace {

using test::SyntheticRun;
using Change = std::function<void(SyntheticRun&)>;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Two runs in folders of their own, equal but for their ids and what the test changes.
class Pair {
 public:
  explicit Pair(const Change& change_b = {}, const Change& change_both = {},
                std::int64_t steps = 4) {
    SyntheticRun a(steps, "run-a"), b(steps, "run-b");
    if (change_both) {
      change_both(a);
      change_both(b);
    }
    if (change_b) change_b(b);
    a.write(dir_a);
    b.write(dir_b);
  }

  /// The comparison; its verdict must not depend on whether the reading was shared.
  Comparison compare() const {
    const auto a = read_run(dir_a), b = read_run(dir_b);
    const auto result = compare_runs(a, b);
    const auto shared = compare_runs(a, read_run(dir_b, &a));
    EXPECT_EQ(result.verdict, shared.verdict);
    EXPECT_EQ(result.message, shared.message);
    EXPECT_EQ(result.steps_compared, shared.steps_compared);
    EXPECT_EQ(result.comparisons, shared.comparisons);
    EXPECT_EQ(to_string(compare_runs(b, a).verdict), to_string(result.verdict));
    return result;
  }

  const test::TempFolder folder;
  const std::filesystem::path dir_a = folder.path() / "a", dir_b = folder.path() / "b";
};

void expect(const Comparison& found, Verdict verdict, const std::string& reason) {
  EXPECT_EQ(to_string(found.verdict), to_string(verdict)) << found.message;
  EXPECT_EQ(found.reason, reason) << found.message;
}

TEST(CompareRunsTest, EqualRunsAreReproduced) {
  for (const std::int64_t steps : {1, 2, 4, 2000}) {
    const auto found = Pair({}, {}, steps).compare();
    expect(found, Verdict::kReproduced, "bitwise");
    EXPECT_EQ(found.steps_compared, steps);
    EXPECT_EQ(found.comparisons, 5 + 4 + 11 * steps + 2);
    EXPECT_FALSE(found.first);
    EXPECT_TRUE(found.suspects.empty());
  }
}

TEST(CompareRunsTest, ADifferenceIsFoundAtEveryStep) {
  for (std::size_t at = 0; at < 8; ++at) {
    const auto found =
        Pair([at](auto& run) { run.record.steps[at].grad_norm = 7; }, {}, 8).compare();
    expect(found, Verdict::kNotReproduced, "bits_differ");
    EXPECT_EQ(found.first->step, static_cast<std::int64_t>(at) + 1);
    EXPECT_EQ(found.first->field, "grad_norm");
    EXPECT_EQ(found.steps_compared, static_cast<std::int64_t>(at) + 1);
    EXPECT_EQ(found.comparisons, 5 + 4 + 11 * (static_cast<std::int64_t>(at) + 1));
  }
}

TEST(CompareRunsTest, AMovedBaseInOneIsADifference) {
  const auto found = Pair([](auto& run) { run.record.end.base[0] ^= 1; }).compare();
  expect(found, Verdict::kNotReproduced, "bits_differ");
  EXPECT_EQ(found.first->field, "base");
}

TEST(CompareRunsTest, NanInOneIsADifferenceAndInBothIsInvalid) {
  const Change nan = [](auto& run) { run.record.steps[2].loss = kNan; };
  expect(Pair(nan).compare(), Verdict::kNotReproduced, "bits_differ");
  const auto both = Pair({}, nan).compare();
  expect(both, Verdict::kInvalid, "non_finite");
  EXPECT_NE(both.message.find("step 3"), std::string::npos);
  expect(Pair([](auto& run) { run.record.steps[3].loss = 7; }, nan).compare(),
         Verdict::kNotReproduced, "bits_differ");
  expect(Pair({}, [](auto& run) { run.record.steps[3].loss = kNan; }).compare(), Verdict::kInvalid,
         "non_finite");
}

TEST(CompareRunsTest, OneRunIsNotTwo) {
  expect(Pair([](auto& run) { run.manifest["run_id"] = "run-a"; }).compare(), Verdict::kInvalid,
         "same_run");
  const Pair pair;
  expect(compare_runs(read_run(pair.dir_a), read_run(pair.dir_a)), Verdict::kInvalid, "same_run");
}

TEST(CompareRunsTest, WhereTheKeyDiffersNoBitIsCompared) {
  const std::vector<std::pair<std::string, nlohmann::json>> keys = {
      {"/numerics", "fast"},       {"/versions/torch", "2.10"}, {"/versions/cuda", "12"},
      {"/versions/cublas", "1"},   {"/versions/cudnn", "1"},    {"/device/type", "cuda"},
      {"/device/name", "another"}, {"/cpu/isa", "plain"},       {"/cpu/threads", 3},
      {"/world_size", 2}};
  for (const auto& [pointer, value] : keys) {
    const auto found = Pair([&pointer, &value](auto& run) {
                         run.manifest[nlohmann::json::json_pointer(pointer)] = value;
                         run.record.steps[0].loss = 7;
                       }).compare();
    expect(found, Verdict::kInconclusive, "not_comparable");
    ASSERT_EQ(found.key_differences.size(), 1u) << pointer;
    EXPECT_EQ(found.key_differences[0].field, pointer);
    EXPECT_EQ(found.key_differences[0].b, value);
    EXPECT_EQ(found.comparisons, 0);
    EXPECT_FALSE(found.first);
  }
  expect(Pair([](auto& run) { run.config.identity["seed"] = 43; }).compare(),
         Verdict::kInconclusive, "not_comparable");
  expect(Pair([](auto& run) { run.record.header.arithmetic = "libtorch-float32/2"; }).compare(),
         Verdict::kInconclusive, "not_comparable");
}

TEST(CompareRunsTest, PortableRunsAreComparableAcrossMachines) {
  const Change portable = [](auto& run) {
    run.manifest["numerics"] = run.config.identity["numerics"] = "portable";
  };
  const auto found = Pair(
                         [](auto& run) {
                           run.manifest["device"] = {{"type", "cuda"}, {"name", "H200"}};
                           for (const char* name : {"torch", "cuda", "cublas", "cudnn"}) {
                             run.manifest["versions"][name] = "3";
                           }
                           run.manifest["cpu"] = {{"isa", "plain"}, {"threads", 64}};
                           run.manifest["world_size"] = 2;
                         },
                         portable)
                         .compare();
  expect(found, Verdict::kReproduced, "bitwise");
  const auto other = Pair(
                         [](auto& run) {
                           run.record.header.arithmetic = "portable-f32/2";
                           run.record.steps[0].loss = 7;
                         },
                         [&](auto& run) {
                           portable(run);
                           run.record.header.arithmetic = "portable-f32/1";
                         })
                         .compare();
  expect(other, Verdict::kInconclusive, "not_comparable");
  ASSERT_EQ(other.key_differences.size(), 1u);
  EXPECT_EQ(other.key_differences[0].field, "/arithmetic");
}

TEST(CompareRunsTest, WithoutStepsNothingIsConcluded) {
  expect(Pair({}, {}, 0).compare(), Verdict::kInconclusive, "no_steps");
}

TEST(CompareRunsTest, AnIncompleteRunIsInvalidUnlessADifferenceIsShown) {
  const auto cut = [](const Pair& pair) {
    test::change_file(pair.dir_b / "steps.jsonl",
                      [](std::string text) { return text.substr(0, text.size() - 400); });
  };
  const Pair equal;
  cut(equal);
  const auto found = equal.compare();
  expect(found, Verdict::kInvalid, "incomplete");
  EXPECT_EQ(found.steps_compared, 3);
  const Pair other([](auto& run) { run.record.steps[0].loss = 7; });
  cut(other);
  expect(other.compare(), Verdict::kNotReproduced, "bits_differ");
  const Pair empty;
  test::write_file(empty.dir_b / "steps.jsonl", "");
  expect(empty.compare(), Verdict::kInvalid, "incomplete");
  const Pair none;
  std::filesystem::remove_all(none.dir_b);
  expect(none.compare(), Verdict::kInvalid, "manifest_missing");
}

TEST(CompareRunsTest, WhateverElseIsWrongBrokenEvidenceComesFirst) {
  const Pair pair([](auto& run) {
    run.record.steps[0].loss = 7;
    run.manifest["run_id"] = "run-a";
  });
  test::change_file(pair.dir_b / "steps.jsonl", [](std::string text) {
    text[text.size() - 10] ^= 1;
    return text;
  });
  expect(pair.compare(), Verdict::kEvidenceInvalid, "chain_broken");
}

TEST(CompareRunsTest, WrongSeedsAreInvalidUnlessADifferenceIsShown) {
  const Change seeds = [](auto& run) { run.manifest["seeds"]["dropout"] = 5; };
  expect(Pair({}, seeds).compare(), Verdict::kInvalid, "seeds_not_as_configured");
  expect(Pair([](auto& run) { run.record.steps[1].loss = 7; }, seeds).compare(),
         Verdict::kNotReproduced, "bits_differ");
}

TEST(CompareRunsTest, RunsOfOtherLengthAreInvalid) {
  const auto found = Pair([](auto& run) {
                       run.config.launch["stop_after"] = 2;
                       run.record.steps.resize(2);
                       run.record.end.steps = 2;
                     }).compare();
  expect(found, Verdict::kInvalid, "different_length");
}

TEST(CompareRunsTest, WhatMayHaveCausedADifferenceIsNamed) {
  const auto found = Pair([](auto& run) {
                       run.record.steps[1].loss = 7;
                       run.manifest["versions"]["driver"] = "2";
                       run.manifest["environment"]["X"] = "1";
                       run.manifest["started"] = "later";
                       run.config.launch["inject"] = {"loss-ulp@2"};
                       run.config.launch["nuisance"] = {{"tz", "UTC"}};
                       run.config.launch["command_files"] = {{"train.py", "0a"}};
                     }).compare();
  std::vector<std::string> fields;
  for (const auto& suspect : found.suspects) fields.push_back(suspect.field);
  EXPECT_EQ(fields, (std::vector<std::string>{"/environment/X", "/launch/command_files/train.py",
                                              "/launch/nuisance/tz", "/versions/driver"}));
  EXPECT_EQ(found.suspects[3].a, "1");
  EXPECT_EQ(found.suspects[3].b, "2");
}

TEST(CompareRunsTest, TensorsThatDifferAreNamed) {
  const Pair pair([](auto& run) { run.record.steps[1].grad[0] ^= 1; });
  for (const auto& [dir, text] : {std::pair(pair.dir_a, "1"), std::pair(pair.dir_b, "2")}) {
    protocol::TensorsWriter writer(dir);
    writer.write(2, {"grad", {{"same", {}}, {"other", protocol::sha256(std::string(text))}}});
  }
  const auto found = pair.compare();
  EXPECT_EQ(found.first->tensors, std::vector<std::string>{"other"});
  EXPECT_EQ(found.first->tensors_compared, 2);
  EXPECT_NE(found.message.find("other"), std::string::npos);
}

TEST(FingerprintTest, DependsOnTheKeyOnly) {
  const Pair pair([](auto& run) { run.manifest["versions"]["driver"] = "2"; });
  const auto key_a = comparability_key(read_run(pair.dir_a));
  EXPECT_EQ(fingerprint(key_a), fingerprint(comparability_key(read_run(pair.dir_b))));
  EXPECT_EQ(fingerprint(key_a).size(), 16u);
  auto other = key_a;
  other["cpu"]["threads"] = 3;
  EXPECT_NE(fingerprint(other), fingerprint(key_a));
}

}  // namespace
}  // namespace twinrun::harness
