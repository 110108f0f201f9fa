// Outputs of inference as a user meets them in `verify`.

#include <gmock/gmock.h>

#include <cmath>

#include "harness/protocol/sha256.h"
#include "tests/e2e/inference_case.h"

namespace twinrun {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using protocol::InferenceFile;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class Inference : public InferenceCase {};

TEST_F(Inference, EqualOutputsOfTheTwinsAreGreen) {
  const json all = expect(0, "REPRODUCED", "bitwise");
  EXPECT_EQ(control(all).at("passed"), true);
  const json& inference = all.at("inference");
  EXPECT_EQ(inference.at("prompts"), 3);
  EXPECT_TRUE(inference.at("reference").is_null());
  EXPECT_EQ(inference.at("texts").size(), 3u);
  EXPECT_EQ(inference.at("runs").at(0).at("file"), "a/inference.jsonl");
  EXPECT_EQ(read_json("out/b/manifest.json").at("files").at("inference.jsonl"),
            protocol::to_hex(protocol::sha256_file(path("out/b/inference.jsonl"))));
  EXPECT_EQ(read("out/a/inference.jsonl"), read("out/b/inference.jsonl"));
  EXPECT_TRUE(fs::exists(path("out/a/stdout.log")));
  EXPECT_TRUE(fs::exists(path("out/a/infer-stdout.log")));
}

TEST_F(Inference, ACaseWithoutItSaysSo) {
  params("{}");
  EXPECT_EQ(verify().exit_code, 0);
  EXPECT_EQ(check(verdict(), "inference").at("message"), "no inference: in the case");
  EXPECT_TRUE(verdict().at("inference").is_null());
  EXPECT_TRUE(control(verdict()).is_null());
}

TEST_F(Inference, AnUlpInOneTwinIsFound) {
  ask("{prompts: prompts.jsonl, max_new_tokens: 8}", "{infer_fault: ulp, infer_fault_in: b}");
  const json all = expect(1, "NOT_REPRODUCED", "twins_differ");
  EXPECT_EQ(check(all, "twin").at("verdict"), "REPRODUCED");
  const json& first = all.at("inference").at("twins").at(0).at("bitwise").at("first");
  EXPECT_EQ(first.at("prompt"), 0);
  EXPECT_EQ(first.at("position"), 2);
  EXPECT_EQ(first.at("field"), "logprobs");
}

TEST_F(Inference, AFrozenReferenceIsHeldBitForBit) {
  freeze();
  ask(kWithReference);
  const json all = expect(0, "REPRODUCED", "bitwise");
  EXPECT_EQ(all.at("inference").at("reference").at("kind"), "frozen");
  EXPECT_EQ(all.at("inference").at("reference").at("sha256"),
            protocol::to_hex(protocol::sha256_file(path("said.jsonl"))));
  EXPECT_EQ(control(all).at("details").at("verdict"), "NOT_REPRODUCED");
}

TEST_F(Inference, TwinsThatAreWrongInTheSameWayAreCaughtByIt) {
  freeze();
  ask("{prompts: prompts.jsonl, max_new_tokens: 8, top: 5}", "{infer_fault: ulp}");
  expect(0, "REPRODUCED", "bitwise");
  ask(kWithReference, "{infer_fault: ulp}");
  expect(1, "NOT_REPRODUCED", "outputs_differ");
  ask(kWithReference, "{infer_shift: 0.3}");
  expect(1, "NOT_REPRODUCED", "outputs_differ");
}

TEST_F(Inference, AnotherAdapterIsNotWhatWasFrozen) {
  freeze();
  ask(kWithReference);
  write("case.yaml", [&] {
    std::string text = read("case.yaml");
    return text.replace(text.find("seed: 42"), 8, "seed: 43");
  }());
  const json all = expect(1, "NOT_REPRODUCED", "outputs_differ");
  EXPECT_THAT(check(all, "inference").at("message").get<std::string>(),
              HasSubstr("made for another adapter"));
}

TEST_F(Inference, AChangedTokenOrBitOfAFrozenReferenceIsFound) {
  freeze(second_choice);
  ask(kWithReference);
  json all = expect(1, "NOT_REPRODUCED", "outputs_differ");
  json first = all.at("inference").at("runs").at(0).at("bitwise").at("first");
  EXPECT_EQ(first.at("field"), "tokens");
  EXPECT_EQ(first.at("position"), 3);
  freeze([](InferenceFile& file) {
    auto& output = file.outputs[2];
    output.logprobs[1] = std::nextafter(output.logprobs[1], -100.0F);
    output.top[1][0].logprob = output.logprobs[1];
  });
  all = expect(1, "NOT_REPRODUCED", "outputs_differ");
  first = all.at("inference").at("runs").at(0).at("bitwise").at("first");
  EXPECT_EQ(first.at("prompt"), 2);
  EXPECT_EQ(first.at("field"), "logprobs");
}

TEST_F(Inference, AFrozenReferenceOfAnotherMachineIsNotCompared) {
  freeze([](InferenceFile& file) { file.header.platform["device.name"] = "another GPU"; });
  ask(kWithReference);
  const json all = expect(3, "INCONCLUSIVE", "not_comparable");
  EXPECT_EQ(all.at("inference").at("runs").at(0).at("key_differences").at(0).at("field"),
            "/platform/device.name");
}

TEST_F(Inference, AnotherImplementationIsHeldWithinBounds) {
  freeze_as_other();
  ask(kWithReference, kNoise);
  const json all = expect(0, "REPRODUCED", "within_bounds");
  const json& run = all.at("inference").at("runs").at(0);
  EXPECT_GT(run.at("forced").at("max_logprob_diff"), 1e-6);
  EXPECT_EQ(run.at("greedy").at("identical"), 3);
  EXPECT_EQ(all.at("inference").at("reference").at("program"), "transformers");
  EXPECT_EQ(control(all).at("passed"), true);
  fs::remove_all(path("out"));
  EXPECT_THAT(verify().out,
              AllOf(StartsWith("REPRODUCED"),
                    HasSubstr("inference    outputs are within the reference's bounds")));
}

TEST_F(Inference, WhatIsOutOfBoundsIsNot) {
  freeze_as_other();
  ask(kWithReference, "{infer_shift: 0.3}");
  expect(1, "NOT_REPRODUCED", "logprob_differs");
  ask("{reference: said.jsonl, bounds: {max_logprob_diff: 1.0e-9}}", kNoise);
  expect(1, "NOT_REPRODUCED", "logprob_differs");
  ask("{reference: said.jsonl, bounds: {mean_kl: 0}}", kNoise);
  expect(1, "NOT_REPRODUCED", "mean_kl_exceeded");
}

TEST_F(Inference, ALogProbabilityMovedByTwiceTheBoundIsFound) {
  freeze_as_other([](InferenceFile& file) {
    auto& output = file.outputs[0];
    output.logprobs[4] -= 2 * 0.002F;
    output.top[4][0].logprob = output.logprobs[4];
  });
  ask("{reference: said.jsonl, bounds: {max_logprob_diff: 0.002}}", kNoise);
  const json all = expect(1, "NOT_REPRODUCED", "logprob_differs");
  EXPECT_THAT(check(all, "inference").at("message").get<std::string>(),
              HasSubstr("token 4 of prompt 0 (greeting)"));
}

TEST_F(Inference, AChangedTokenOfAnotherImplementationIsFound) {
  freeze_as_other(second_choice);
  ask(kWithReference, kNoise);
  expect(1, "NOT_REPRODUCED", "logprob_differs");
}

TEST_F(Inference, AnswersToAnotherPromptAreFound) {
  freeze_as_other([](InferenceFile& file) {
    std::swap(file.outputs[0].tokens, file.outputs[2].tokens);
    std::swap(file.outputs[0].logprobs, file.outputs[2].logprobs);
    std::swap(file.outputs[0].top, file.outputs[2].top);
    std::swap(file.outputs[0].completion, file.outputs[2].completion);
  });
  ask(kWithReference, kNoise);
  expect(1, "NOT_REPRODUCED", "logprob_differs");
}

TEST_F(Inference, ACheckThatANoOpAdapterPassesIsInvalid) {
  ask("{prompts: prompts.jsonl}", "{infer_fault: ignore-adapter}");
  json all = expect(3, "REPRODUCED", "bitwise");
  EXPECT_EQ(all.at("verdict"), "INVALID");
  EXPECT_EQ(control(all).at("ran"), true);
  EXPECT_EQ(control(all).at("passed"), false);
  EXPECT_EQ(check(all, "controls").at("reason"), "control_failed");
  // A reference that says what the model says without the adapter, and a run that does so, too.
  EXPECT_EQ(twinrun({"verify", "case.yaml", "--out", "first", "--quiet"}).exit_code, 3);
  freeze_as_other();
  ask("{reference: said.jsonl}", "{infer_fault: ignore-adapter}");
  all = expect(3, "REPRODUCED", "within_bounds");
  EXPECT_EQ(all.at("verdict"), "INVALID");
  EXPECT_THAT(check(all, "controls").at("message").get<std::string>(),
              HasSubstr("passes the same check"));
}

TEST_F(Inference, WithoutControlsNothingIsGreen) {
  write("case.yaml", [&] {
    std::string text = read("case.yaml");
    return text.replace(text.find("step_timeout_s"), 0, "controls: false, ");
  }());
  const json all = expect(3, "REPRODUCED", "bitwise");
  EXPECT_EQ(all.at("verdict"), "INCONCLUSIVE");
  EXPECT_EQ(control(all).at("ran"), false);
}

TEST_F(Inference, OutputsThatAreWrongInBothAreNeverGreen) {
  const std::vector<std::tuple<std::string, int, std::string, std::string>> cases = {
      {"nan", 3, "INVALID", "outputs_malformed"},
      {"missing-prompt", 3, "INVALID", "outputs_malformed"},
      {"fewer-prompts", 3, "INVALID", "outputs_not_as_configured"},
      {"truncated", 5, "EVIDENCE_INVALID", "outputs_damaged"},
      {"fail", 3, "INVALID", "trainer_failed"},
      {"crash", 3, "INVALID", "trainer_failed"}};
  for (const auto& [fault, exit_code, verdict, reason] : cases) {
    ask("{prompts: prompts.jsonl}", "{infer_fault: " + fault + "}");
    expect(exit_code, verdict, reason);
  }
  ask("{prompts: prompts.jsonl}", "{infer_fault: usage}");
  fs::remove_all(path("out"));
  const ProcessResult result = verify({"--quiet"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("no such prompt"));
}

TEST_F(Inference, SwappedPromptsAreSeenByTheReference) {
  freeze();
  ask(kWithReference, "{infer_fault: swapped-prompts}");
  expect(3, "INCONCLUSIVE", "other_prompts");
}

TEST_F(Inference, OutputsOfAnotherModelThanTheReferencesAreNotCompared) {
  freeze();
  ask(kWithReference, "{infer_model: {letters: other}}");
  expect(3, "INCONCLUSIVE", "other_model");
  ask(kWithReference, "{infer_tokenizer: {letters: other}}");
  expect(3, "INCONCLUSIVE", "other_tokenizer");
}

TEST_F(Inference, ABadReferenceIsRefusedBeforeTraining) {
  freeze();
  ask(kWithReference);
  const std::string good = read("said.jsonl");
  write("said.jsonl", good.substr(0, good.size() / 2));
  refused(5, "said.jsonl:");
  std::string flipped = good;
  flipped[good.size() / 2] ^= 1;
  write("said.jsonl", flipped);
  refused(5, "SHA-256");
  write("said.jsonl", "{\"schema\":2,\"format\":\"twinrun-inference\"}\n");
  refused(2, "has schema 2, this program knows 1");
  write("said.jsonl", "hello\n");
  refused(2, "no file of inference outputs");
  freeze([](InferenceFile& file) { file.outputs[1].logprobs[0] = std::nanf(""); });
  refused(2, "said.jsonl:3: field 'logprobs[0]'");
  freeze([](InferenceFile& file) { file.outputs[1].logprobs.clear(); });
  refused(2, "said.jsonl:3: field 'logprobs'");
  freeze([](InferenceFile& file) {
    file.outputs.pop_back();
    file.header.prompts = 2;
  });
  refused(2, "has 2 prompts, inference.prompts has 3");
  fs::remove(path("said.jsonl"));
  refused(2, "no such file");
}

TEST_F(Inference, IdsThatAreNotThoseOfTheTextAreTheTrainersToRefuse) {
  freeze([](InferenceFile& file) { file.outputs[1].ids[0] += 1; });
  ask(kWithReference);
  const ProcessResult result = verify({"--quiet"});
  EXPECT_EQ(result.exit_code, 2) << result.out;
  EXPECT_THAT(result.err, HasSubstr("its ids are not those of its text"));
}

}  // namespace
}  // namespace twinrun
