// Outputs of inference that lie on the disk: judged again by `compare` and from a bundle, and held
// against a reference by `infer-check`.

#include <gmock/gmock.h>

#include "tests/e2e/inference_case.h"

namespace twinrun {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using protocol::InferenceFile;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class StoredInference : public InferenceCase {};

TEST_F(StoredInference, ComparingStoredRunsJudgesTheirOutputsAgain) {
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

TEST_F(StoredInference, ThePromptsAreEvidenceToo) {
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

TEST_F(StoredInference, ABundleCarriesWhatOutputsWereHeldAgainst) {
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

TEST_F(StoredInference, StoredOutputsWithoutTheirControlAreNotGreen) {
  ASSERT_EQ(verify({"--quiet"}).exit_code, 0);
  fs::remove_all(path("out/controls/noop-adapter"));
  const ProcessResult result = twinrun({"compare", "out/a", "out/b", "--json"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(check(json::parse(result.out), "controls").at("reason"), "controls_not_run");
  EXPECT_EQ(twinrun({"compare", "out/a", "out/b", "--without-controls"}).exit_code, 0);
}

TEST_F(StoredInference, OutputsThatTheManifestDoesNotNameAreNoEvidence) {
  ASSERT_EQ(verify({"--quiet"}).exit_code, 0);
  json manifest = read_json("out/b/manifest.json");
  manifest.at("files").erase("inference.jsonl");
  write("out/b/manifest.json", manifest.dump());
  const ProcessResult result = twinrun({"compare", "out/a", "out/b", "--json"});
  EXPECT_EQ(result.exit_code, 3);
  expect_check(json::parse(result.out), "INVALID", "outputs_not_named");
}

TEST_F(StoredInference, ARunIsCheckedAgainstAReferenceLater) {
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
    second_choice(file);
    (*file.outputs[1].completion)[3] = '!';
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

TEST_F(StoredInference, WhatInferCheckCannotUseIsSaid) {
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
