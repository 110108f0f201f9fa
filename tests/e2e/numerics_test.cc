// Numerics modes in twinrun-train itself: what is refused, what is recorded.

#include <gmock/gmock.h>

#include "tests/e2e/tiny_case.h"

namespace twinrun {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

class NumericsTest : public TinyCase {
 protected:
  NumericsTest() {
    for (const char* name : {"OMP_NUM_THREADS", "OMP_DYNAMIC", "MKL_CBWR"}) unsetenv(name);
  }

  /// `twinrun train` in `mode` with one variable set.
  ProcessResult train(const std::string& mode, const std::string& name,
                      const std::string& value) const {
    auto options = command({"train", "case.yaml", "--run-dir", "run", "--set", "numerics=" + mode});
    options.environment = {{name, value}};
    return run_process(options);
  }
};

TEST_F(NumericsTest, DeterministicRefusesAVariableByNameAsAUsageError) {
  const auto result = train("deterministic", "OMP_DYNAMIC", "TRUE");
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("OMP_DYNAMIC=TRUE"), HasSubstr("use FALSE")));
  EXPECT_EQ(read_json("run/manifest.json").at("status"), "usage_error");
}

TEST_F(NumericsTest, FastTakesItAndPromisesNothing) {
  const auto result = train("fast", "OMP_DYNAMIC", "TRUE");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const json manifest = read_json("run/manifest.json");
  EXPECT_EQ(manifest.at("promise"), "none");
  EXPECT_EQ(manifest.at("environment").at("OMP_DYNAMIC"), "TRUE");
  EXPECT_EQ(manifest.at("switches").at("deterministic_algorithms"), false);
}

TEST_F(NumericsTest, ManifestHoldsTheSwitchesAsReadBackAndTheVariables) {
  ASSERT_EQ(train("deterministic", "CUDA_LAUNCH_BLOCKING", "1").exit_code, 0);
  const json manifest = read_json("run/manifest.json");
  const json expected = {{"deterministic_algorithms", true},
                         {"deterministic_warn_only", false},
                         {"fill_uninitialized_memory", false},
                         {"flush_denormal", false},
                         {"threads", 1},
                         {"mkl_threads", 1},
                         {"mkl_cbwr", "AUTO"},
                         {"mkl_dynamic", false},
                         {"omp_dynamic", false},
                         {"onednn_deterministic", true},
                         {"cuda_float32_matmul", "ieee"}};
  for (const auto& [name, value] : expected.items()) {
    EXPECT_EQ(manifest.at("switches").at(name), value) << name;
  }
  EXPECT_EQ(manifest.at("environment"), json({{"CUBLAS_WORKSPACE_CONFIG", ":4096:8"},
                                              {"CUDA_LAUNCH_BLOCKING", "1"},
                                              {"MKL_CBWR", "AUTO"}}));
}

TEST_F(NumericsTest, PortableIsRefusedInBfloat16WithItsPlace) {
  const auto result = twinrun({"verify", "case.yaml", "--out", "out", "--set", "numerics=portable",
                               "--set", "model.dtype=bfloat16"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, AllOf(HasSubstr("--set numerics=portable: "), HasSubstr("float32 only")));
}

/// The losses of a run's steps.
std::vector<double> losses(const std::vector<std::string>& record) {
  std::vector<double> values;
  for (const auto& line : record) {
    const json step = json::parse(line);
    if (step.contains("loss")) values.push_back(step.at("loss").at("value"));
  }
  return values;
}

TEST_F(NumericsTest, ShuffledReductionsGiveEachRunRoundingNoiseOfItsOwn) {
  const auto noisy = [&](const std::string& out) {
    return twinrun({"verify", "case.yaml", "--out", out, "--set", "numerics=fast", "--set",
                    "shuffle_reductions=7"});
  };
  const auto result = noisy("out");
  EXPECT_EQ(result.exit_code, 3) << result.out << result.err;  // no bits are promised
  const auto a = lines("out/a/steps.jsonl"), b = lines("out/b/steps.jsonl");
  ASSERT_EQ(a.size(), b.size());
  EXPECT_EQ(json::parse(a[0]).at("arithmetic"), "libtorch-float32/4-shuffled");
  EXPECT_NE(read_json("out/a/config.json").at("launch").at("shuffle_reductions"),
            read_json("out/b/config.json").at("launch").at("shuffle_reductions"));
  const auto loss_a = losses(a), loss_b = losses(b);
  ASSERT_EQ(loss_a.size(), 3u);
  for (std::size_t i = 0; i < loss_a.size(); ++i) {
    // A mean over a few tokens may round to the same float32; gradients and norm do not.
    EXPECT_NEAR(loss_a[i], loss_b[i], 1e-4 * loss_a[i]);
    EXPECT_NE(json::parse(a[i + 2]).at("grad"), json::parse(b[i + 2]).at("grad"));
    for (const char* same : {"samples", "batch", "lr", "tokens", "loss_tokens", "rng"}) {
      EXPECT_EQ(json::parse(a[i + 2]).at(same), json::parse(b[i + 2]).at(same)) << same;
    }
  }
  noisy("again");
  EXPECT_EQ(lines("again/a/steps.jsonl"), a);  // the noise repeats with its seed
}

TEST_F(NumericsTest, ShuffledReductionsAreRefusedWhereBitsArePromised) {
  const auto result =
      twinrun({"verify", "case.yaml", "--out", "out", "--set", "shuffle_reductions=7"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("goes with numerics: fast only"));
}

TEST_F(NumericsTest, DoctorFindsTheVariableBeforeARunDoes) {
  auto options = command({"doctor", "case.yaml", "--json"});
  options.environment = {{"OMP_DYNAMIC", "TRUE"}};
  const auto result = run_process(options);
  EXPECT_EQ(result.exit_code, 2) << result.out;
  const json numerics = json::parse(result.out).at("numerics");
  ASSERT_EQ(numerics.at("breaks").size(), 1u) << numerics;
  EXPECT_EQ(numerics.at("breaks").at(0).at("name"), "OMP_DYNAMIC");
  EXPECT_EQ(numerics.at("mode"), "deterministic");
  EXPECT_GE(numerics.at("set").size(), 15u);
}

}  // namespace
}  // namespace twinrun
