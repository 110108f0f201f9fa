// Outputs of inference as a user meets them: in `verify`, in `compare`, and by `infer-check`.

#include <gmock/gmock.h>

#include <cmath>
#include <functional>

#include "harness/protocol/inference_reader.h"
#include "harness/protocol/sha256.h"
#include "tests/e2e/toy_case.h"

namespace twinrun {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using protocol::InferenceFile;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class Inference : public ToyCase {
 protected:
  Inference() {
    write("prompts.jsonl",
          "{\"id\":\"greeting\",\"prompt\":\"hello\"}\n{\"prompt\":\"who are you\"}\n"
          "{\"id\":\"end\",\"prompt\":\"bye\"}\n");
    ask("{prompts: prompts.jsonl, max_new_tokens: 8, top: 5}");
  }

  void ask(const std::string& inference, const std::string& params = "{}") const {
    this->params(params);
    write("case.yaml", read("case.yaml") + "inference: " + inference + "\n");
  }

  InferenceFile outputs(const std::string& name) const {
    const auto read = protocol::read_inference(path(name));
    if (const auto* problem = std::get_if<protocol::InferenceProblem>(&read)) {
      throw std::logic_error(problem->at(name));
    }
    return std::get<InferenceFile>(read);
  }
  void store(const std::string& name, const InferenceFile& file) const {
    write(name, protocol::format_inference(file.header, file.outputs));
  }

  /// said.jsonl: what run a said, frozen, with what `change` does to it.
  void freeze(const std::function<void(InferenceFile&)>& change = [](InferenceFile&) {}) const {
    if (!fs::exists(path("first"))) {
      const ProcessResult made = twinrun({"verify", "case.yaml", "--out", "first", "--quiet"});
      ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
    }
    InferenceFile file = outputs("first/a/inference.jsonl");
    change(file);
    store("said.jsonl", file);
  }
  /// The same as another implementation would have written it.
  void freeze_as_other(const std::function<void(InferenceFile&)>& change = [](InferenceFile&) {
  }) const {
    freeze([&](InferenceFile& file) {
      file.header.program = "transformers";
      file.header.promise = protocol::Promise::kNone;
      file.header.numerics = file.header.arithmetic = "eager";
      change(file);
    });
  }

  /// Verifies; expects exit code, and verdict and reason of the check.
  json expect(int exit_code, const std::string& verdict, const std::string& reason) const {
    fs::remove_all(path("out"));
    const ProcessResult result = verify({"--quiet"});
    EXPECT_EQ(result.exit_code, exit_code) << result.out << result.err;
    return expect_check(this->verdict(), verdict, reason);
  }
  static json expect_check(const json& all, const std::string& verdict, const std::string& reason) {
    const json check = ToyCase::check(all, "inference");
    EXPECT_EQ(check.at("verdict"), verdict) << check;
    EXPECT_EQ(check.at("reason"), reason) << check;
    return all;
  }
  /// Expects that nothing is trained: exit code 2 or 5, and `message`.
  void refused(int exit_code, const std::string& message) const {
    fs::remove_all(path("out"));
    const ProcessResult result = verify();
    EXPECT_EQ(result.exit_code, exit_code) << result.out << result.err;
    EXPECT_THAT(result.err, HasSubstr(message));
    EXPECT_FALSE(fs::exists(path("out/a")));
  }
  static json control(const json& all) {
    for (const json& control : all.at("controls")) {
      if (control.at("name") == "noop-adapter") return control;
    }
    return nullptr;
  }
};

constexpr const char* kWithReference = "{prompts: prompts.jsonl, reference: said.jsonl}";
constexpr const char* kNoise = "{infer_noise: 10}";

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
  // Consistent in itself, so that only the comparison can tell.
  freeze([](InferenceFile& file) {
    auto& output = file.outputs[1];
    output.tokens[3] = output.top[3][1].id;
    std::swap(output.top[3][0].id, output.top[3][1].id);
  });
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
  ask("{reference: said.jsonl, bounds: {mean_kl: 0}}", "{infer_noise: 1000}");
  fs::remove_all(path("out"));
  EXPECT_EQ(verify().exit_code, 1);
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
  freeze_as_other([](InferenceFile& file) {
    auto& output = file.outputs[1];
    output.tokens[3] = output.top[3][1].id;
    std::swap(output.top[3][0].id, output.top[3][1].id);
  });
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

TEST_F(Inference, ComparingStoredRunsJudgesTheirOutputsAgain) {
  freeze_as_other();
  ask(kWithReference, kNoise);
  ASSERT_EQ(verify({"--quiet"}).exit_code, 0);
  const auto compare = [&] { return twinrun({"compare", "out/a", "out/b", "--json"}); };
  // The copy in the output folder is what counts.
  fs::remove(path("said.jsonl"));
  ProcessResult result = compare();
  EXPECT_EQ(result.exit_code, 0) << result.out;
  expect_check(json::parse(result.out), "REPRODUCED", "within_bounds");
  EXPECT_EQ(control(json::parse(result.out)).at("passed"), true);

  const std::string outputs = read("out/b/inference.jsonl");
  std::string changed = outputs;
  changed[outputs.size() / 2] ^= 1;
  write("out/b/inference.jsonl", changed);
  result = compare();
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_EQ(json::parse(result.out).at("runs").at(1).at("reason"), "file_replaced");
  fs::remove(path("out/b/inference.jsonl"));
  EXPECT_EQ(compare().exit_code, 5);
  write("out/b/inference.jsonl", outputs);
  EXPECT_EQ(compare().exit_code, 0);

  // Another file in the reference's place, good by itself.
  write("out/reference.jsonl", read("first/a/inference.jsonl"));
  result = compare();
  EXPECT_EQ(result.exit_code, 5);
  expect_check(json::parse(result.out), "EVIDENCE_INVALID", "reference_replaced");
  fs::remove(path("out/reference.jsonl"));
  EXPECT_EQ(compare().exit_code, 3);
}

TEST_F(Inference, ThePromptsAreEvidenceToo) {
  ASSERT_EQ(verify({"--quiet"}).exit_code, 0);
  write("out/prompts.jsonl", read("out/prompts.jsonl") + "{\"prompt\":\"more\"}\n");
  ProcessResult result = twinrun({"compare", "out/a", "out/b", "--json"});
  EXPECT_EQ(result.exit_code, 5);
  expect_check(json::parse(result.out), "EVIDENCE_INVALID", "prompts_replaced");
  fs::remove(path("out/prompts.jsonl"));
  result = twinrun({"compare", "out/a", "out/b", "--json"});
  EXPECT_EQ(result.exit_code, 3);
  expect_check(json::parse(result.out), "INCONCLUSIVE", "prompts_missing");
}

TEST_F(Inference, ABundleCarriesWhatOutputsWereHeldAgainst) {
  freeze_as_other();
  ask(kWithReference, kNoise);
  ASSERT_EQ(verify({"--quiet"}).exit_code, 0);
  ProcessResult result = twinrun({"bundle", "out", "--out", "out.tar"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  fs::remove_all(path("out"));
  fs::remove(path("said.jsonl"));
  result = twinrun({"bundle", "--check", "out.tar"});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
}

TEST_F(Inference, StoredOutputsWithoutTheirControlAreNotGreen) {
  ASSERT_EQ(verify({"--quiet"}).exit_code, 0);
  fs::remove_all(path("out/controls/noop-adapter"));
  const ProcessResult result = twinrun({"compare", "out/a", "out/b", "--json"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(check(json::parse(result.out), "controls").at("reason"), "controls_not_run");
  EXPECT_EQ(twinrun({"compare", "out/a", "out/b", "--without-controls"}).exit_code, 0);
}

TEST_F(Inference, OutputsThatTheManifestDoesNotNameAreNoEvidence) {
  ASSERT_EQ(verify({"--quiet"}).exit_code, 0);
  json manifest = read_json("out/b/manifest.json");
  manifest.at("files").erase("inference.jsonl");
  write("out/b/manifest.json", manifest.dump());
  const ProcessResult result = twinrun({"compare", "out/a", "out/b", "--json"});
  EXPECT_EQ(result.exit_code, 3);
  expect_check(json::parse(result.out), "INVALID", "outputs_not_named");
}

TEST_F(Inference, ARunIsCheckedAgainstAReferenceLater) {
  freeze_as_other();
  const std::string manifest = read("first/a/manifest.json");
  const auto infer_check = [&](const std::string& run, std::vector<std::string> more = {}) {
    fs::remove_all(path("later"));
    more.insert(more.begin(), {"infer-check", run, "--reference", "said.jsonl", "--out", "later",
                               "--case", "case.yaml"});
    return twinrun(more);
  };
  ProcessResult result = infer_check("first/a");
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.out,
              AllOf(StartsWith("REPRODUCED  toy: outputs are within the reference's bounds"),
                    HasSubstr("1 of 1 passed: noop-adapter"),
                    HasSubstr("evidence     later/verdict.json")));
  expect_check(read_json("later/verdict.json"), "REPRODUCED", "within_bounds");
  EXPECT_EQ(read("first/a/manifest.json"), manifest) << "the run itself is only read";

  freeze();
  result = infer_check("first/b", {"--json"});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_EQ(result.out, read("later/verdict.json"));
  expect_check(read_json("later/verdict.json"), "REPRODUCED", "bitwise");

  freeze_as_other([](InferenceFile& file) {
    auto& output = file.outputs[1];
    output.tokens[3] = output.top[3][1].id;
    std::swap(output.top[3][0].id, output.top[3][1].id);
    (*output.completion)[3] = '!';
  });
  result = infer_check("first/a");
  EXPECT_EQ(result.exit_code, 1) << result.out << result.err;
  EXPECT_THAT(result.out,
              AllOf(StartsWith("NOT_REPRODUCED"), HasSubstr("parts at token 3"), HasSubstr(">>!")));

  // The adapter of another run in its place.
  fs::copy(path("first/controls/seed-plus-one/adapter"), path("first/a/adapter"),
           fs::copy_options::overwrite_existing | fs::copy_options::recursive);
  result = infer_check("first/a");
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_THAT(result.out, HasSubstr("adapter_model.safetensors"));
}

TEST_F(Inference, WhatInferCheckCannotUseIsSaid) {
  freeze();
  const std::vector<std::pair<std::vector<std::string>, std::string>> wrong = {
      {{"first/a"}, "--reference FILE is missing"},
      {{"first/a", "--reference", "gone.jsonl"}, "gone.jsonl: is not there"},
      {{"first/a", "--reference", "case.yaml"}, "no file of inference outputs"},
      {{"nowhere", "--reference", "said.jsonl"}, "is not a run folder"},
      {{"first/a", "--reference", "said.jsonl"}, "name its case with --case"},
      {{"first/a", "--reference", "said.jsonl", "--case", "case.yaml", "--out", "first"}, "--out"}};
  for (auto [args, message] : wrong) {
    args.insert(args.begin(), "infer-check");
    const ProcessResult result = twinrun(args);
    EXPECT_EQ(result.exit_code, 2) << message;
    EXPECT_THAT(result.err, HasSubstr(message));
  }
  write("said.jsonl", read("said.jsonl").substr(0, 900));
  EXPECT_EQ(twinrun({"infer-check", "first/a", "--reference", "said.jsonl"}).exit_code, 5);
}

}  // namespace
}  // namespace twinrun
