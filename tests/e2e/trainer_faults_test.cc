// The faults of docs/faults.md, planted in twinrun-train itself: a tiny random Llama on the CPU.

#include <gmock/gmock.h>

#include <cctype>

#include "tests/e2e/tiny_case.h"

namespace twinrun {
namespace {

using nlohmann::json;

struct Expected {
  int exit_code;
  int step = -1;           ///< of the first divergence; -1: none
  std::string field = "";  ///< empty: not pinned
};

struct Fault {
  std::string text;  ///< KIND@STEP
  Expected one, both;
  std::string set = "";  ///< KEY=VALUE that the fault needs to change anything
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.text; }

const Fault kFaults[] = {
    {"seed@0", {1, 0, "adapter"}, {3}},
    {"data-order@2", {1, 2, "samples"}, {0}},
    {"skip-batch@2", {1, 2, "samples"}, {0}},
    {"duplicate-batch@2", {1, 2, "samples"}, {0}},
    {"tokenizer@2", {1, 2, "batch"}, {0}},
    {"loss-mask@2", {1, 2, "batch"}, {0}},
    {"dropout-unseeded@2", {1, 2, "loss"}, {1, 2, "loss"}},
    {"lora-alpha@2", {1, 2, "loss"}, {0}},
    {"stale-checkpoint@3", {1, 3, "loss"}, {0}},
    {"accumulation@2", {1, 2, "loss"}, {0}, "train.gradient_accumulation=2"},
    {"lr@2", {1, 2, "lr"}, {0}},
    {"lr-0.1@2", {1, 2, "lr"}, {0}},
    {"lr-5@2", {1, 2, "lr"}, {0}},
    {"weight-decay@2", {1, 2, "adapter"}, {0}},
    {"beta2@2", {1, 2, "adapter"}, {0}},
    {"eps@2", {1, 2, "adapter"}, {0}},
    {"no-clipping@2", {1, 2, "adapter"}, {0}, "train.max_grad_norm=0.01"},
    {"loss-ulp@2", {1, 2, "loss"}, {0}},
    {"grad-ulp@2", {1, 2, "grad"}, {0}},
    {"adapter-ulp@2", {1, 2, "adapter"}, {0}},
    {"base-bit@2", {1, 3, ""}, {3}},
    {"nan@2", {1, 2, "loss"}, {3}},
    {"drop-line@2", {3}, {3}},
    {"truncate@2", {3}, {3}},
    {"constant@1", {1, 0, "adapter"}, {3}},
    {"crash@2", {3}, {3}},
    {"hang@2", {3}, {3}},
    {"stderr-commands@2", {0}, {0}},
};

class TrainerFaultTest : public TinyCase, public testing::WithParamInterface<Fault> {
 protected:
  void expect(const std::string& run, const Expected& expected) const {
    std::vector<std::string> args = {"--inject", run + ":" + GetParam().text};
    if (!GetParam().set.empty()) args.insert(args.end(), {"--set", GetParam().set});
    if (GetParam().text == "hang@2") args.insert(args.end(), {"--set", "verify.step_timeout_s=10"});
    const ProcessResult result = verify(args);
    ASSERT_EQ(result.exit_code, expected.exit_code) << result.out << result.err;
    const json first = verdict().at("comparisons").at(0).at("first");
    EXPECT_EQ(first.is_null() ? -1 : first.at("step").get<int>(), expected.step) << first;
    if (!expected.field.empty()) {
      EXPECT_EQ(first.at("field"), expected.field);
    }
  }
};

TEST_P(TrainerFaultTest, InOneRun) { expect("b", GetParam().one); }
TEST_P(TrainerFaultTest, InEveryRun) { expect("both", GetParam().both); }

std::string test_name(const testing::TestParamInfo<Fault>& info) {
  std::string name;
  for (const char c : info.param.text.substr(0, info.param.text.find('@'))) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) name += c;
  }
  return name;
}

using FaultsThatCannotBePlanted = TinyCase;

TEST_F(FaultsThatCannotBePlanted, AreUsageErrorsThatSayWhy) {
  const std::pair<const char*, const char*> faults[] = {
      {"tf32@2", "needs a GPU"},
      {"accumulation@2", "needs a gradient_accumulation of at least 2"},
      {"duplicate-batch@1", "it can be planted at step 2 to 3"},
      {"stale-checkpoint@1", "it can be planted at step 2 to 3"},
      {"lr-5@0", "it can be planted at step 1 to 3"},
      {"lr-0.5@2", "unknown fault 'lr-0.5'"}};
  for (const auto& [fault, why] : faults) {
    const auto result = twinrun({"train", "case.yaml", "--run-dir", fault, "--inject", fault});
    EXPECT_EQ(result.exit_code, 2) << fault;
    EXPECT_THAT(result.err, testing::HasSubstr(why));
  }
}

INSTANTIATE_TEST_SUITE_P(Trainer, TrainerFaultTest, testing::ValuesIn(kFaults), test_name);

}  // namespace
}  // namespace twinrun
