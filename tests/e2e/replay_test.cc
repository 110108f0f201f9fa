// Curves that a GPU recorded in portable arithmetic, computed again here: every bit of every step.

#include <algorithm>

#include "tests/e2e/toy_case.h"

namespace twinrun {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kBaselines = fs::path(TWINRUN_SOURCE_DIR) / "baselines";

struct Machine {
  std::string isa;
  int threads = 1;
};

void PrintTo(const Machine& machine, std::ostream* out) {
  *out << machine.isa << ", threads " << machine.threads;
}

/// Every kind of CPU kernels that this CPU has, on one thread and on two.
std::vector<Machine> machines() {
  std::vector<Machine> result = {{"plain", 1}, {"plain", 2}};
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx2) result.insert(result.end(), {{"avx2", 1}, {"avx2", 2}});
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx512) result.insert(result.end(), {{"avx512", 1}, {"avx512", 2}});
  return result;
}

class Replay : public ToyCase {
 protected:
  ProcessResult replay(const std::string& name, std::vector<std::string> args = {}) const {
    args.insert(args.begin(), {"verify", (kBaselines / name / "case.yaml").string(), "--out", "out",
                               "--quiet", "--on-missing-baseline", "fail", "--set", "device=cpu"});
    const auto baseline = std::find_if(args.begin(), args.end(), [](const std::string& arg) {
      return arg.rfind("--baseline", 0) == 0;
    });
    if (baseline == args.end()) args.push_back("--baseline");
    return twinrun(args);
  }

  void expect_every_bit(const ProcessResult& result) const {
    ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
    const json baseline = check(verdict(), "baseline");
    EXPECT_EQ(baseline.at("verdict"), "REPRODUCED") << baseline;
    EXPECT_EQ(baseline.at("reason"), "bitwise") << baseline;
  }

  /// Both twins have the fault, so that they agree and only the curve can tell.
  void expect_found(const std::string& fault, int step, const std::string& field) {
    fs::remove_all(path("out"));
    const ProcessResult result = replay("llama-tiny-grouped", {"--inject", "both:" + fault});
    EXPECT_EQ(result.exit_code, 1) << fault << "\n" << result.out << result.err;
    const json report = verdict();
    EXPECT_EQ(check(report, "baseline").at("reason"), "baseline_differs") << fault;
    EXPECT_EQ(report.at("baseline").at("first").at("step"), step) << fault;
    EXPECT_EQ(report.at("baseline").at("first").at("field"), field) << fault;
  }
};

class ReplayOn : public Replay, public testing::WithParamInterface<Machine> {
 protected:
  void expect_replay(const std::string& name) const {
    expect_every_bit(replay(name, {"--set", "isa=" + GetParam().isa, "--set",
                                   "threads=" + std::to_string(GetParam().threads)}));
  }
};

INSTANTIATE_TEST_SUITE_P(Cpu, ReplayOn, testing::ValuesIn(machines()), [](const auto& machine) {
  return machine.param.isa + "Threads" + std::to_string(machine.param.threads);
});

TEST_P(ReplayOn, GroupedTinyLlama) { expect_replay("llama-tiny-grouped"); }
TEST_P(ReplayOn, UntiedTinyLlama) { expect_replay("llama-tiny-untied"); }

TEST_F(Replay, SmolLM2) { expect_every_bit(replay("smollm2-portable")); }

TEST_F(Replay, OneFlippedBitIsFoundWhereItIs) {
  expect_found("loss-ulp@20", 20, "loss");
  expect_found("grad-ulp@7", 7, "grad");
  expect_found("adapter-ulp@1", 1, "adapter");
  // Lowest bit of one frozen weight, after step 1: an embedding, so the loss of the next step.
  fs::remove_all(path("out"));
  EXPECT_EQ(replay("llama-tiny-grouped", {"--inject", "both:base-bit@1"}).exit_code, 1);
  EXPECT_EQ(check(verdict(), "baseline").at("reason"), "baseline_differs");
}

TEST_F(Replay, OtherWeightsHaveNoCurve) {
  fs::copy(kBaselines / "llama-tiny-grouped" / "curves", path("curves"));  // a pending one joins
  const auto result = replay("llama-tiny-grouped", {"--set", "model.seed=8", "--baseline=curves"});
  EXPECT_EQ(result.exit_code, 3) << result.out << result.err;
  EXPECT_EQ(check(verdict(), "baseline").at("reason"), "no_baseline");
}

TEST_F(Replay, OneFlippedBitOfACurveIsBrokenEvidence) {
  fs::copy(kBaselines / "llama-tiny-grouped" / "curves", path("curves"));
  for (const auto& file : fs::directory_iterator(path("curves"))) {
    if (file.path().extension() != ".jsonl") continue;
    std::string text = read("curves/" + file.path().filename().string());
    const auto at = text.find("\"bits\":\"", text.find("\"step\":12,")) + 8;
    text[at + 7] ^= 1;
    write("curves/" + file.path().filename().string(), text);
  }
  const auto result = replay("llama-tiny-grouped", {"--baseline=curves"});
  EXPECT_EQ(result.exit_code, 5) << result.out << result.err;
  EXPECT_EQ(check(verdict(), "baseline").at("reason"), "curve_replaced");
}

}  // namespace
}  // namespace twinrun
