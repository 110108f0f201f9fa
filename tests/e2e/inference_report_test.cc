// Reports and bundles of verdicts that outputs of inference decide.
#include <gmock/gmock.h>

#include "tests/e2e/inference_case.h"

namespace twinrun {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class InferenceReports : public InferenceCase {
 protected:
  void judge(int code, const std::string& out = "out") const {
    const ProcessResult result = twinrun({"verify", "case.yaml", "--out", out, "--quiet"});
    ASSERT_EQ(result.exit_code, code) << result.out << result.err;
  }
  ProcessResult pack_and_check() const {
    const ProcessResult packed = twinrun({"bundle", "out", "--out", "x.tar"});
    EXPECT_EQ(packed.exit_code, 0) << packed.err;
    fs::rename(path("out"), path("gone"));
    return twinrun({"bundle", "--check", "x.tar"});
  }
};

TEST_F(InferenceReports, AFailingCheckThatIsEditedAwayIsFound) {
  ask(kWithoutReference, "{infer_fault: ulp, infer_fault_in: b}");
  judge(1);
  json forged = verdict();
  ASSERT_EQ(check(forged, "inference").at("reason"), "twins_differ");
  for (json& item : forged.at("checks")) {
    if (item.at("name") != "inference") continue;
    item["verdict"] = "NOT_RUN";
    item["reason"] = "not_asked";
  }
  json controls = json::array();
  for (const json& control : forged.at("controls")) {
    if (control.at("name") != "noop-adapter") controls.push_back(control);
  }
  forged["controls"] = controls;
  forged["inference"] = nullptr;
  forged["verdict"] = "REPRODUCED";
  forged["exit_code"] = 0;
  write("out/verdict.json", forged.dump());
  const ProcessResult checked = pack_and_check();
  EXPECT_EQ(checked.exit_code, 5) << checked.out;
  EXPECT_THAT(checked.err, HasSubstr("do not give its verdict"));
}

TEST_F(InferenceReports, ABundleOfAControlThatCouldNotBeMadeHolds) {
  ask(kWithoutReference, "{infer_fault: fail, infer_fault_in: noop-adapter}");
  judge(3);
  ASSERT_EQ(check(verdict(), "controls").at("reason"), "control_failed");
  const ProcessResult checked = pack_and_check();
  EXPECT_EQ(checked.exit_code, 3) << checked.out << checked.err;
  EXPECT_THAT(checked.out, HasSubstr("not again    that no outputs without the adapter"));
}

TEST_F(InferenceReports, ABundleOfRunsBelowTheVerdictsFolderHoldsTheirPrompts) {
  judge(0, "out/night");
  const ProcessResult compared =
      twinrun({"compare", "out/night/a", "out/night/b", "--out", "out/verdict.json"});
  ASSERT_EQ(compared.exit_code, 0) << compared.out << compared.err;
  const ProcessResult checked = pack_and_check();
  EXPECT_EQ(checked.exit_code, 0) << checked.out << checked.err;
}

TEST_F(InferenceReports, WhatInferCheckFoundIsToldAsOutputsNotAsTraining) {
  judge(0);
  const ProcessResult later =
      twinrun({"infer-check", "out/a", "--reference", "out/b/inference.jsonl", "--out", "later",
               "--case", "case.yaml", "--quiet"});
  ASSERT_EQ(later.exit_code, 0) << later.out << later.err;
  const ProcessResult report = twinrun({"report", "later/verdict.json", "--format", "md"});
  EXPECT_EQ(report.exit_code, 0) << report.err;
  EXPECT_THAT(report.out, AllOf(HasSubstr("outputs for 3 prompts"), HasSubstr("| greeting |"),
                                HasSubstr("other ones without it?")));
  EXPECT_THAT(report.out, AllOf(Not(HasSubstr("trained")), Not(HasSubstr("twinrun compare")),
                                Not(HasSubstr("The same training"))));
}

}  // namespace
}  // namespace twinrun
