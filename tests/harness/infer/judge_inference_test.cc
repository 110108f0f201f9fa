#include "harness/infer/judge_inference.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/harness/infer/infer_fixture.h"
#include "tests/temp_folder.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using test::toy_inference;
using test::ToyInference;

constexpr double kTrained = 0.5, kUntrained = 0.0, kOther = 1.5;

protocol::Digest digest(const std::string& hex) { return *protocol::digest_from_hex(hex); }

/// Twins a and b with their outputs, the control's, and perhaps a reference, all in files.
class JudgeInferenceTest : public testing::Test {
 protected:
  JudgeInferenceTest() {
    const protocol::InferenceHeader header = toy_inference().header;
    run_.summary.last_adapter = digest(header.adapter);
    run_.summary.zero = protocol::StepZero{};
    run_.summary.zero->adapter = digest(std::string(64, '4'));
    run_.summary.header = protocol::RecordHeader{};
    run_.summary.header->arithmetic = header.arithmetic;
    run_.config = protocol::RunConfig{};
    run_.config->identity = {
        {"model", header.model}, {"tokenizer", header.tokenizer}, {"numerics", header.numerics}};
    run_.config->identity["model"]["dtype"] = header.dtype;
    input_.settings = {
        {"max_new_tokens", 6}, {"batch_size", 8}, {"top", 4}, {"bounds", to_json(toy_bounds())}};
    twins(made(kTrained), made(kTrained));
    control(made(kUntrained));
  }

  /// Outputs of a toy adapter; with a reference, forced on it.
  ToyInference made(double shift, double noise = 0) const {
    ToyInference toy = toy_inference(shift, noise);
    if (shift == kUntrained) toy.header.adapter = std::string(64, '4');
    if (reference_) test::force(toy, *reference_, shift, noise);
    return toy;
  }
  OutputsSource stored(const std::string& name, const std::string& text) {
    return {name, &run_, folder_.write(name + ".jsonl", text), "", name + "/inference.jsonl"};
  }
  void twins(const ToyInference& a, const ToyInference& b) {
    input_.runs = {stored("a", a.text()), stored("b", b.text())};
  }
  void control(const ToyInference& base) { input_.control = stored("noop-adapter", base.text()); }
  /// Takes `reference`, and outputs that were forced on it.
  void refer(const ToyInference& reference, double noise = 0) {
    reference_ = reference;
    input_.reference = folder_.write("reference.jsonl", reference.text());
    input_.settings["reference"] = protocol::to_hex(protocol::sha256(reference.text()));
    twins(made(kTrained, noise), made(kTrained, noise));
    control(made(kUntrained, noise));
  }
  void refer_other() { refer(as_other(toy_inference(kTrained)), 1e-3); }

  void expect(const std::string& verdict, const std::string& reason) const {
    const InferenceReport report = judge_inference(input_);
    EXPECT_EQ(to_string(report.check.verdict), verdict) << report.check.message;
    EXPECT_EQ(report.check.reason, reason) << report.check.message;
  }
  ControlOutcome control_outcome() const { return *judge_inference(input_).control; }

  RunView run_;
  std::optional<ToyInference> reference_;
  InferenceInput input_;
  test::TempFolder folder_;
};

TEST_F(JudgeInferenceTest, EqualTwinsAreGreenAndTheControlDiffers) {
  expect("REPRODUCED", "bitwise");
  EXPECT_TRUE(control_outcome().passed);
  const InferenceReport report = judge_inference(input_);
  EXPECT_EQ(report.prompts, 3);
  EXPECT_EQ(report.twins.size(), 1u);
  EXPECT_EQ(report.texts.size(), 3u);
  EXPECT_FALSE(report.texts[0].parts_at);
}

TEST_F(JudgeInferenceTest, TwinsThatDifferInOneBitAreNotReproduced) {
  ToyInference b = made(kTrained);
  float& value = b.outputs[0].top[2][3].logprob;
  value = std::nextafter(value, -100.0F);
  twins(made(kTrained), b);
  expect("NOT_REPRODUCED", "twins_differ");
}

TEST_F(JudgeInferenceTest, TwinsAreComparedBesideAReferenceToo) {
  refer_other();
  expect("REPRODUCED", "within_bounds");
  twins(made(kTrained, 1e-3), made(kTrained, 1.1e-3));
  expect("NOT_REPRODUCED", "twins_differ");
}

TEST_F(JudgeInferenceTest, ANoOpAdapterThatPassesIsSeen) {
  ToyInference same = made(kTrained);
  same.header.adapter = std::string(64, '4');
  control(same);
  EXPECT_TRUE(control_outcome().ran);
  EXPECT_FALSE(control_outcome().passed);
  refer_other();
  EXPECT_TRUE(control_outcome().passed);
  ToyInference near = made(kTrained, 1e-3);
  near.header.adapter = std::string(64, '4');
  control(near);
  EXPECT_TRUE(control_outcome().ran);
  EXPECT_FALSE(control_outcome().passed);
}

TEST_F(JudgeInferenceTest, WithoutAReferenceThatCanBeReadTheControlDidNotRun) {
  refer_other();
  std::filesystem::remove(*input_.reference);
  EXPECT_FALSE(control_outcome().ran);
  EXPECT_FALSE(control_outcome().passed);
  EXPECT_EQ(control_outcome().message, "there is no reference to hold outputs against");
}

TEST_F(JudgeInferenceTest, AControlIsNoControlUnlessItIsOfTheModelWithoutAdapter) {
  control(made(kTrained));
  EXPECT_FALSE(control_outcome().passed);
  EXPECT_NE(control_outcome().message.find("outputs_of_another_adapter"), std::string::npos);
  input_.control->file = folder_.path() / "gone";
  EXPECT_FALSE(control_outcome().ran);
  input_.control.reset();
  input_.control_missing = "verify.controls is false";
  EXPECT_FALSE(control_outcome().ran);
  EXPECT_EQ(control_outcome().message, "verify.controls is false");
}

TEST_F(JudgeInferenceTest, AFrozenReferenceCatchesTwinsThatAreWrongInTheSameWay) {
  refer(toy_inference(kTrained));
  expect("REPRODUCED", "bitwise");
  ToyInference drifted = made(kTrained);
  for (float* value : {&drifted.outputs[1].logprobs[2], &drifted.outputs[1].top[2][0].logprob}) {
    *value = std::nextafter(*value, -100.0F);
  }
  twins(drifted, drifted);
  expect("NOT_REPRODUCED", "outputs_differ");
}

TEST_F(JudgeInferenceTest, AReferenceOfAnotherAdapterIsNeverGreen) {
  for (const bool frozen : {true, false}) {
    ToyInference reference = toy_inference(kTrained);
    reference.header.adapter = std::string(64, '9');
    refer(frozen ? reference : as_other(reference), frozen ? 0 : 1e-3);
    expect("INCONCLUSIVE", "other_adapter");
    // A difference that shows is one, whoever made the mistake.
    reference = toy_inference(kOther);
    reference.header.adapter = std::string(64, '9');
    refer(frozen ? reference : as_other(reference));
    expect("NOT_REPRODUCED", frozen ? "outputs_differ" : "logprob_differs");
    EXPECT_NE(judge_inference(input_).check.message.find("made for another adapter"),
              std::string::npos);
  }
}

TEST_F(JudgeInferenceTest, OutputsHaveToBeOfTheRun) {
  const auto changed = [&](auto change, const std::string& verdict, const std::string& reason) {
    ToyInference a = made(kTrained);
    change(a.header);
    twins(a, a);
    expect(verdict, reason);
  };
  const std::string invalid = "INVALID", configured = "outputs_not_as_configured";
  changed([](auto& h) { h.adapter = std::string(64, '9'); }, "EVIDENCE_INVALID",
          "outputs_of_another_adapter");
  changed([](auto& h) { h.model["files"]["config.json"] = "0"; }, invalid, configured);
  changed([](auto& h) { h.tokenizer["files"]["tokenizer.json"] = "0"; }, invalid, configured);
  changed([](auto& h) { h.dtype = "bfloat16"; }, invalid, configured);
  changed([](auto& h) { h.numerics = "fast"; }, invalid, configured);
  changed([](auto& h) { h.arithmetic = "x/1"; }, invalid, configured);
  changed([](auto& h) { h.promise = protocol::Promise::kNone; }, invalid, configured);
  changed([](auto& h) { h.max_new_tokens = 9; }, invalid, "outputs_malformed");
  changed([](auto& h) { h.batch_size = 4; }, invalid, configured);
  changed([](auto& h) { h.top = 5; }, invalid, configured);
}

TEST_F(JudgeInferenceTest, DamagedOrMissingOutputsAreNeverGreen) {
  const std::string good = made(kTrained).text();
  input_.runs[1] = stored("b", good.substr(0, good.size() / 2));
  expect("EVIDENCE_INVALID", "outputs_damaged");
  std::string flipped = good;
  flipped[good.size() / 3] ^= 1;
  input_.runs[1] = stored("b", flipped);
  expect("EVIDENCE_INVALID", "outputs_damaged");
  input_.runs[1].file = folder_.path() / "gone";
  expect("INVALID", "outputs_missing");
  input_.runs[1].failure = "killed by SIGKILL";
  expect("INVALID", "trainer_failed");
}

TEST_F(JudgeInferenceTest, LogProbabilitiesThatAreNoNumbersAreNeverGreen) {
  ToyInference bad = made(kTrained);
  bad.outputs[1].logprobs[1] = std::numeric_limits<float>::quiet_NaN();
  twins(bad, bad);
  expect("INVALID", "outputs_malformed");
  refer_other();
  bad = made(kTrained, 1e-3);
  bad.outputs[1].forced->logprobs[1] = std::numeric_limits<float>::quiet_NaN();
  twins(bad, bad);
  expect("INVALID", "outputs_malformed");
}

TEST_F(JudgeInferenceTest, APromptLessInBothIsSeenByTheReference) {
  refer_other();
  ToyInference fewer = made(kTrained, 1e-3);
  fewer.outputs.pop_back();
  fewer.header.prompts = 2;
  twins(fewer, fewer);
  expect("INCONCLUSIVE", "other_prompts");
}

TEST_F(JudgeInferenceTest, AReferenceThatDoesNotHoldIsNamed) {
  refer_other();
  const std::string good = reference_->text();
  const auto replaced_by = [&](const std::string& text) {
    input_.reference = folder_.write("reference.jsonl", text);
  };
  replaced_by(good.substr(0, good.size() / 2));
  expect("EVIDENCE_INVALID", "reference_damaged");
  ToyInference other = *reference_;
  other.header.versions["torch"] = "2.12.0";
  replaced_by(other.text());
  expect("EVIDENCE_INVALID", "reference_replaced");
  replaced_by("{\"schema\":2,\"format\":\"twinrun-inference\"}\n");
  expect("INCONCLUSIVE", "reference_newer_schema");
  replaced_by("hello\n");
  expect("INCONCLUSIVE", "reference_malformed");
  std::filesystem::remove(*input_.reference);
  expect("INCONCLUSIVE", "reference_missing");
}

TEST_F(JudgeInferenceTest, OutputsAreForThePromptsThatWereAskedFor) {
  const auto asked = [&](const std::string& text) {
    input_.prompts = folder_.write("prompts.jsonl", text);
    input_.settings["prompts"] = protocol::to_hex(protocol::sha256(text));
  };
  const auto prompt = [](const std::string& id) {
    return "{\"id\":\"greeting/" + id + "\",\"prompt\":\"say\"}\n";
  };
  asked(prompt("0") + prompt("1") + prompt("2"));
  expect("REPRODUCED", "bitwise");
  // What both twins leave out, or answer in another order, no comparison of the two can see.
  asked(prompt("0") + prompt("1") + prompt("2") + prompt("3"));
  expect("INVALID", "outputs_not_as_configured");
  asked(prompt("0") + prompt("2") + prompt("1"));
  expect("INVALID", "outputs_not_as_configured");
  folder_.write("prompts.jsonl", prompt("0") + prompt("1") + prompt("2"));
  expect("EVIDENCE_INVALID", "prompts_replaced");
  std::filesystem::remove(*input_.prompts);
  expect("INCONCLUSIVE", "prompts_missing");
}

TEST_F(JudgeInferenceTest, OneRunWithoutReferenceProvesNothing) {
  input_.runs.pop_back();
  expect("INCONCLUSIVE", "no_reference");
}

TEST_F(JudgeInferenceTest, OutputsWithoutPromiseNeedAReference) {
  run_.summary.header->promise = protocol::Promise::kNone;
  ToyInference a = made(kTrained);
  a.header.promise = protocol::Promise::kNone;
  twins(a, a);
  expect("INCONCLUSIVE", "no_promise");
  refer_other();
  a = made(kTrained, 1e-3);
  a.header.promise = protocol::Promise::kNone;
  twins(a, a);
  expect("REPRODUCED", "within_bounds");
}

TEST_F(JudgeInferenceTest, TextsStandSideBySideUpToWhereTheyPart) {
  refer_other();
  ToyInference run = made(kOther);
  twins(run, run);
  const auto texts = judge_inference(input_).texts;
  ASSERT_EQ(texts.size(), 3u);
  EXPECT_EQ(texts[1].reference, *reference_->outputs[1].completion);
  EXPECT_EQ(texts[1].run, *run.outputs[1].completion);
  ASSERT_TRUE(texts[1].parts_at);
  EXPECT_EQ(texts[1].reference.substr(0, static_cast<std::size_t>(*texts[1].parts_at)),
            texts[1].run.substr(0, static_cast<std::size_t>(*texts[1].parts_at)));
}

}  // namespace
}  // namespace twinrun::harness
