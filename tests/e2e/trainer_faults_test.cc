// The faults of docs/faults.md, planted in twinrun-train itself: a tiny random Llama on the CPU.

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
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.text; }

const Fault kFaults[] = {
    {"seed@0", {1, 0, "adapter"}, {3}},
    {"data-order@2", {1, 2, "samples"}, {0}},
    {"skip-batch@2", {1, 2, "samples"}, {0}},
    {"dropout-unseeded@2", {1, 2, "loss"}, {1, 2, "loss"}},
    {"lr@2", {1, 2, "lr"}, {0}},
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
    if (c != '-') name += c;
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Trainer, TrainerFaultTest, testing::ValuesIn(kFaults), test_name);

}  // namespace
}  // namespace twinrun
