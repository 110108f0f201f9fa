// `twinrun-train infer` on a tiny random Llama, which has no tokenizer: prompts are ids.

#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>

#include "harness/protocol/inference_reader.h"
#include "tests/e2e/tiny_case.h"

namespace twinrun {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using protocol::InferenceFile;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

class TrainerInferTest : public TinyCase {
 protected:
  TrainerInferTest() {
    write("prompts.jsonl", "{\"ids\":[1,2,3]}\n{\"id\":\"b\",\"ids\":[4]}\n{\"ids\":[5,6,7,8]}\n");
  }

  void train(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> args = {"train", "case.yaml", "--run-dir", "run"};
    args.insert(args.end(), more.begin(), more.end());
    const auto result = twinrun(args);
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }

  ProcessResult infer(std::vector<std::string> flags, const std::string& config = "run/config.json",
                      const std::string& run = "run") const {
    auto options = command({});
    options.command = {TWINRUN_BIN_DIR "/twinrun-train", "infer", config, "--run-dir", run};
    options.command.insert(options.command.end(), flags.begin(), flags.end());
    return run_process(options);
  }

  InferenceFile outputs(const std::string& name = "run/inference.jsonl") const {
    auto found = protocol::read_inference(path(name));
    const auto* problem = std::get_if<protocol::InferenceProblem>(&found);
    if (problem != nullptr) throw std::runtime_error(problem->at(path(name)));
    return std::get<InferenceFile>(found);
  }

  void expect_refusal(const std::vector<std::string>& flags, const std::string& what,
                      int exit_code = 2) const {
    const auto before = read("run/manifest.json");
    const auto result = infer(flags);
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    EXPECT_THAT(result.err, HasSubstr(what));
    EXPECT_THAT(result.err, Not(HasSubstr("terminate")));
    EXPECT_EQ(read("run/manifest.json"), before) << what;
    EXPECT_FALSE(fs::exists(path("run/inference.jsonl"))) << what;
  }

  void edit_config(const json& launch) const {
    auto config = read_json("run/config.json");
    config["launch"].update(launch);
    write("run/config.json", config.dump());
  }
};

TEST_F(TrainerInferTest, AnswersAndTheManifestNamesThem) {
  train();
  const auto result = infer({"--prompts", "prompts.jsonl"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto file = outputs();
  EXPECT_EQ(read_json("run/manifest.json").at("files").at("inference.jsonl"),
            protocol::to_hex(file.sha256));
  EXPECT_EQ(read_json("run/manifest.json").at("status"), "complete");
  EXPECT_EQ(file.header.adapter, json::parse(lines("run/steps.jsonl")[4]).at("adapter"));
  EXPECT_EQ(file.header.max_new_tokens, protocol::kInferenceNewTokens);
  EXPECT_EQ(file.header.promise, protocol::Promise::kBitwise);
  EXPECT_EQ(file.header.platform.at("cpu.threads"), 1);
  ASSERT_EQ(file.outputs.size(), 3U);
  EXPECT_EQ(file.outputs[1].id, protocol::SampleId("b"));
  EXPECT_EQ(file.outputs[2].ids, (std::vector<std::int64_t>{5, 6, 7, 8}));
  EXPECT_FALSE(file.outputs[0].completion);
  // The judge of the run still takes it.
  ASSERT_EQ(twinrun({"train", "case.yaml", "--run-dir", "other"}).exit_code, 0);
  const auto compared = twinrun({"compare", "run", "other", "--without-controls"});
  EXPECT_EQ(compared.exit_code, 0) << compared.out << compared.err;
}

TEST_F(TrainerInferTest, ASecondProcessWritesTheSameBytes) {
  train();
  ASSERT_EQ(infer({"--prompts", "prompts.jsonl"}).exit_code, 0);
  const auto first = read("run/inference.jsonl"), manifest = read("run/manifest.json");
  ASSERT_EQ(infer({"--prompts", "prompts.jsonl"}).exit_code, 0);
  EXPECT_EQ(read("run/inference.jsonl"), first);
  EXPECT_EQ(read("run/manifest.json"), manifest);
}

TEST_F(TrainerInferTest, ForcesTheTokensOfAReferenceAndAnswersItsPrompts) {
  train();
  ASSERT_EQ(infer({"--prompts", "prompts.jsonl"}).exit_code, 0);
  const auto reference = outputs();
  fs::rename(path("run/inference.jsonl"), path("reference.jsonl"));
  for (const bool with_prompts : {false, true}) {
    std::vector<std::string> flags = {"--reference", "reference.jsonl"};
    if (with_prompts) flags.insert(flags.end(), {"--prompts", "prompts.jsonl"});
    const auto result = infer(flags);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const auto file = outputs();
    EXPECT_EQ(file.header.reference, protocol::to_hex(reference.sha256));
    for (std::size_t i = 0; i < 3; ++i) {
      const auto &now = file.outputs[i], &then = reference.outputs[i];
      EXPECT_EQ(now.id, then.id);
      EXPECT_EQ(now.tokens, then.tokens);
      EXPECT_EQ(now.logprobs, then.logprobs);
      ASSERT_EQ(now.forced->logprobs.size(), then.tokens.size());
      ASSERT_EQ(now.forced->top[0].size(), then.top[0].size());
      // Without cache: another order of the same float32 sums.
      EXPECT_NEAR(now.forced->logprobs[3], then.logprobs[3], 2e-5);
      EXPECT_NEAR(now.forced->top[3][5], then.top[3][5].logprob, 2e-5);
    }
  }
}

TEST_F(TrainerInferTest, TheBaseModelHasTheInitialAdapterAndSaysOtherThings) {
  train();
  ASSERT_EQ(infer({"--prompts", "prompts.jsonl"}).exit_code, 0);
  const auto with = outputs();
  ASSERT_EQ(infer({"--prompts", "prompts.jsonl", "--adapter", "none"}).exit_code, 0);
  const auto without = outputs();
  EXPECT_EQ(without.header.adapter, json::parse(lines("run/steps.jsonl")[1]).at("adapter"));
  EXPECT_NE(without.header.adapter, with.header.adapter);
  EXPECT_NE(without.outputs[0].logprobs, with.outputs[0].logprobs);
}

TEST_F(TrainerInferTest, TakesAnAdapterFromElsewhereAndNeedsNoRun) {
  train();
  fs::create_directory(path("empty"));
  const auto result =
      infer({"--prompts", "prompts.jsonl", "--adapter", "run/adapter"}, "run/config.json", "empty");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_FALSE(fs::exists(path("empty/manifest.json")));
  ASSERT_EQ(infer({"--prompts", "prompts.jsonl"}).exit_code, 0);
  EXPECT_EQ(read("run/inference.jsonl"), read("empty/inference.jsonl"));
}

TEST_F(TrainerInferTest, PortableHasTheSameBytesOnAnyThreadsAndInstructions) {
  train({"--set", "numerics=portable"});
  std::vector<std::string> isas = {"plain"};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) isas.push_back("avx2");
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) {
    isas.push_back("avx512");
  }
  std::string first;
  for (const auto& isa : isas) {
    for (const int threads : {1, 2, 3}) {
      edit_config({{"isa", isa}, {"threads", threads}});
      const auto result = infer({"--prompts", "prompts.jsonl"});
      ASSERT_EQ(result.exit_code, 0) << result.err;
      if (first.empty()) first = read("run/inference.jsonl");
      EXPECT_EQ(read("run/inference.jsonl"), first) << isa << ", " << threads;
    }
  }
  EXPECT_TRUE(outputs().header.platform.empty());
}

TEST_F(TrainerInferTest, RefusesBadFlags) {
  train();
  expect_refusal({}, "at least one of the last two");
  expect_refusal({"--prompts"}, "infer takes CONFIG.json");
  expect_refusal({"--prompt", "prompts.jsonl"}, "knows no '--prompt'");
  expect_refusal({"--prompts", "a", "--prompts", "b"}, "--prompts is there twice");
  EXPECT_THAT(infer({"--prompts", "prompts.jsonl"}, "run/config.json", "nowhere").err,
              HasSubstr("nowhere is not a folder"));
  EXPECT_EQ(infer({"--prompts", "prompts.jsonl"}, "none.json").exit_code, 2);
}

TEST_F(TrainerInferTest, RefusesBadPrompts) {
  train();
  const std::pair<const char*, const char*> wrong[] = {
      {"", "has no prompts"},
      {"{\"ids\":[1]}\n{\"prompt\":\"a\"}\n", "bad.jsonl:2: is text, but the model has no token"},
      {"{\"ids\":[61]}\n", "id 61 lies outside the model's vocab_size 61"},
      {"{\"ids\":[]}\n", "has no token"},
      {"{\"ids\":[1]", "not JSON"},
  };
  for (const auto& [text, what] : wrong) {
    write("bad.jsonl", text);
    expect_refusal({"--prompts", "bad.jsonl"}, what);
  }
  expect_refusal({"--prompts", "none.jsonl"}, "No such file");
  expect_refusal({"--prompts", "run"}, "is a folder");
}

TEST_F(TrainerInferTest, TheMessageIsOneLine) {
  train();
  const auto result = infer({"--prompts", "none\n.jsonl"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, AllOf(HasSubstr("twinrun-train: none .jsonl: "), EndsWith("\n")));
  EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
}

TEST_F(TrainerInferTest, RefusesMoreThanTheModelHasPositionsFor) {
  auto model = read_json("model.json");
  model["max_position_embeddings"] = 35;
  write("model.json", model.dump());
  train();
  expect_refusal({"--prompts", "prompts.jsonl"},
                 "prompt 2 has 4 tokens, which with 32 new ones are more than the model's "
                 "max_position_embeddings 35");
}

TEST_F(TrainerInferTest, RefusesBadReferences) {
  train();
  ASSERT_EQ(infer({"--prompts", "prompts.jsonl"}).exit_code, 0);
  const auto good = read("run/inference.jsonl");
  fs::remove(path("run/inference.jsonl"));
  write("cut.jsonl", good.substr(0, good.size() / 2));
  expect_refusal({"--reference", "cut.jsonl"}, "cut.jsonl");
  auto changed = good;
  changed.replace(changed.find("\"ids\":[1,2,3]"), 13, "\"ids\":[1,2,9]");
  write("changed.jsonl", changed);
  expect_refusal({"--reference", "changed.jsonl"}, "changed.jsonl");
  write("good.jsonl", good);
  write("other.jsonl", "{\"ids\":[1,2,3]}\n{\"ids\":[9]}\n{\"ids\":[5,6,7,8]}\n");
  expect_refusal({"--reference", "good.jsonl", "--prompts", "other.jsonl"},
                 "prompt 1 ('b'): is another prompt than that of other.jsonl");
  write("fewer.jsonl", "{\"ids\":[1,2,3]}\n");
  expect_refusal({"--reference", "good.jsonl", "--prompts", "fewer.jsonl"},
                 "has 3 prompts, fewer.jsonl has 1");
  expect_refusal({"--reference", "none.jsonl"}, "none.jsonl");
}

TEST_F(TrainerInferTest, RefusesBadAdapters) {
  train();
  expect_refusal({"--prompts", "prompts.jsonl", "--adapter", "nowhere"}, "no such folder");
  fs::copy(path("run/adapter"), path("cut"));
  fs::resize_file(path("cut/adapter_model.safetensors"), 3000);
  expect_refusal({"--prompts", "prompts.jsonl", "--adapter", "cut"}, "adapter_model.safetensors");
  fs::copy(path("run/adapter"), path("scaled"));
  auto config = read_json("scaled/adapter_config.json");
  config["lora_alpha"] = 16;
  write("scaled/adapter_config.json", config.dump());
  expect_refusal({"--prompts", "prompts.jsonl", "--adapter", "scaled"},
                 "lora_alpha is 16, the configuration needs 8");
}

TEST_F(TrainerInferTest, RefusesTheConfigurationOfAnotherRun) {
  train();
  auto config = read_json("run/config.json");
  config["identity"]["seed"] = 43;
  write("other.json", config.dump());
  const auto before = read("run/manifest.json");
  const auto result = infer({"--prompts", "prompts.jsonl"}, "other.json");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("the run is of identity"));
  EXPECT_EQ(read("run/manifest.json"), before);
  edit_config({{"inference", {{"top", 62}}}});
  expect_refusal({"--prompts", "prompts.jsonl"}, "top is 62, more than the model's vocab_size 61");
  edit_config({{"inference", {{"batch_size", 0}}}});
  expect_refusal({"--prompts", "prompts.jsonl"}, "/inference/batch_size must be at least 1");
}

TEST_F(TrainerInferTest, FailsOnOutputsThatAreNotFinite) {
  train();
  // The last tensor of the file becomes NaN.
  std::fstream file(path("run/adapter/adapter_model.safetensors"),
                    std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(-64, std::ios::end);
  for (int i = 0; i < 16; ++i) file.write("\x00\x00\xC0\x7F", 4);
  file.close();
  expect_refusal({"--prompts", "prompts.jsonl"}, "log-probabilities are not finite", 3);
}

}  // namespace
}  // namespace twinrun
