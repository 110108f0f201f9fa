#include "harness/config/case.h"

#include <gmock/gmock.h>

#include "harness/config/cores.h"
#include "harness/protocol/canonical_json.h"
#include "tests/harness/config/case_fixture.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ResolveCase : public CaseFixture {};

TEST_F(ResolveCase, FillsInTheDocumentedDefaults) {
  const ResolvedCase resolved = resolve(valid());
  const json expected = json::parse(R"({
    "schema": 1, "seed": 42, "numerics": "deterministic",
    "lora": {"rank": 8, "alpha": 16, "dropout": 0, "target_modules": "all-linear"},
    "train": {"steps": 10, "batch_size": 4, "gradient_accumulation": 1, "max_grad_norm": 1,
      "optimizer": {"name": "adamw", "lr": 0.0002, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8,
                    "weight_decay": 0},
      "schedule": {"name": "constant", "warmup_steps": 0}}})");
  json identity = resolved.config.identity;
  for (const char* computed : {"model", "data", "tokenizer", "seeds"}) identity.erase(computed);
  EXPECT_EQ(protocol::canonical_json(identity), protocol::canonical_json(expected));
  EXPECT_EQ(
      resolved.config.judgement,
      json::parse(R"({"schema":1,"verify":{"runs":2,"controls":true,"step_timeout_s":600}})"));
  EXPECT_EQ(resolved.runs, 2);
  EXPECT_TRUE(resolved.controls);
  EXPECT_EQ(resolved.step_timeout_s, 600);
}

TEST_F(ResolveCase, LaunchHoldsWhatTheResultMustNotDependOn) {
  const ResolvedCase resolved = resolve(valid());
  const json expected = {
      {"name", "small"},
      {"case", (folder_ / "case.yaml").string()},
      {"run", "a"},
      {"command", {"/opt/bin/twinrun-train"}},
      {"command_files", json::object()},  // there is no such program
      {"paths",
       {{"model", (folder_ / "model").string()}, {"data", (folder_ / "data.jsonl").string()}}},
      {"device", "auto"},
      {"threads", physical_cores()},
      {"isa", "auto"},
      {"record", {{"tensors_every", 1}}},
      {"eval_every", 0},
      {"checkpoint_every", 0},
      {"activation_checkpointing", false},
      {"stop_after", nullptr},
      {"inject", json::array()},
      {"nuisance", json::object()}};
  EXPECT_EQ(resolved.config.launch, expected);
  EXPECT_EQ(resolved.name, "small");
  EXPECT_FALSE(resolved.foreign_trainer);
}

TEST_F(ResolveCase, CheckpointsAreNoPartOfTheIdentity) {
  const ResolvedCase with = resolve(valid(), {"train.checkpoint_every=5"});
  EXPECT_EQ(with.config.launch.at("checkpoint_every"), 5);
  EXPECT_EQ(with.config.identity_digest(), resolve(valid()).config.identity_digest());
  EXPECT_THAT(error_of(valid(), {"train.checkpoint_every=-1"}), HasSubstr("checkpoint_every"));
}

TEST_F(ResolveCase, ActivationCheckpointingIsNoPartOfTheIdentity) {
  const ResolvedCase with = resolve(valid(), {"train.activation_checkpointing=true"});
  EXPECT_EQ(with.config.launch.at("activation_checkpointing"), true);
  EXPECT_EQ(with.config.identity_digest(), resolve(valid()).config.identity_digest());
  EXPECT_THAT(error_of(valid(), {"train.activation_checkpointing=1"}),
              HasSubstr("activation_checkpointing"));
}

TEST_F(ResolveCase, NoiseForTestsGoesWithFastOnlyAndIsNoPartOfTheIdentity) {
  const std::string fast = valid_with("deterministic", "fast");
  const ResolvedCase with = resolve(fast, {"shuffle_reductions=7"});
  EXPECT_EQ(with.config.launch.at("shuffle_reductions"), 7);
  EXPECT_EQ(with.config.identity_digest(), resolve(fast).config.identity_digest());
  for (const char* mode : {"deterministic", "portable"}) {
    EXPECT_THAT(error_of(valid_with("deterministic", mode) + "shuffle_reductions: 7\n"),
                AllOf(StartsWith("case.yaml:12:21: shuffle_reductions: "),
                      HasSubstr("goes with numerics: fast only"), HasSubstr(mode)));
  }
  EXPECT_THAT(error_of(fast, {"shuffle_reductions=-1"}), HasSubstr("shuffle_reductions"));
  EXPECT_THAT(error_of(fast, {"shuffle_reductions=true"}), HasSubstr("shuffle_reductions"));
}

TEST_F(ResolveCase, FilesEnterTheIdentityByDigestAndNoPathDoes) {
  const json identity = resolve(valid()).config.identity;
  // printf weights | sha256sum, and so on
  EXPECT_EQ(identity.at("model"), json::parse(R"({"dtype":"float32","files":{
      "config.json":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
      "model.safetensors":"9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c"}})"));
  EXPECT_EQ(identity.at("tokenizer").at("files").size(), 1u);
  EXPECT_EQ(identity.at("data").at("loss_on"), "response");
  EXPECT_EQ(identity.dump().find(folder_.string()), std::string::npos);
}

TEST_F(ResolveCase, ChangedWeightsChangeTheIdentityAndARenamedFolderDoesNot) {
  const protocol::Digest before = resolve(valid()).config.identity_digest();
  std::filesystem::rename(folder_ / "model", folder_ / "other");
  const std::string moved = valid_with("path: model", "path: ./other/");
  EXPECT_EQ(resolve(moved).config.identity_digest(), before);
  write("other/model.safetensors", "weighty");
  EXPECT_NE(resolve(moved).config.identity_digest(), before);
}

TEST_F(ResolveCase, AnIntegerAndAnEqualFloatAreOneIdentity) {
  const std::string as_float = valid_with("alpha: 16", "alpha: 16.0");
  EXPECT_EQ(resolve(as_float).config.identity_digest(), resolve(valid()).config.identity_digest());
}

TEST_F(ResolveCase, NeitherNameNorDeviceNorRunsChangeTheIdentity) {
  const auto before = resolve(valid()).config.identity_digest();
  const ResolvedCase other = resolve(
      valid(), {"name=renamed", "device=cuda:1", "threads=3", "isa=plain", "verify.runs=5",
                "verify.controls=false", "verify.step_timeout_s=1.5", "record.tensors_every=0"});
  EXPECT_EQ(other.config.identity_digest(), before);
  EXPECT_EQ(other.runs, 5);
  EXPECT_FALSE(other.controls);
  EXPECT_EQ(other.step_timeout_s, 1.5);
  EXPECT_EQ(other.config.launch.at("device"), "cuda:1");
  EXPECT_EQ(other.config.launch.at("threads"), 3);
}

TEST_F(ResolveCase, SeedsDeriveFromTheSeedUnlessGiven) {
  const json derived = resolve(valid()).config.identity.at("seeds");
  // printf twinrun/1/dropout/42 | sha256sum | head -c 14, shifted right by 3 bits
  EXPECT_EQ(derived.at("lora_init"), 42);
  EXPECT_EQ(derived.at("dropout"), 5188745413195191);
  EXPECT_EQ(derived.at("shuffle"), protocol::derive_seed("shuffle", 42));
  EXPECT_NE(derived.at("dropout"), derived.at("shuffle"));
  const json given = resolve(valid(), {"seeds.shuffle=7"}).config.identity.at("seeds");
  EXPECT_EQ(given.at("shuffle"), 7);
  EXPECT_EQ(given.at("dropout"), derived.at("dropout"));
}

TEST_F(ResolveCase, TargetModulesAreSorted) {
  const ResolvedCase one = resolve(valid_with("all-linear", "[v_proj, q_proj]"));
  EXPECT_EQ(one.config.identity.at("lora").at("target_modules"), (json{"q_proj", "v_proj"}));
  EXPECT_THAT(error_of(valid_with("all-linear", "[v_proj, q_proj, v_proj]")),
              AllOf(HasSubstr("lora.target_modules[2]"), HasSubstr("listed twice")));
  EXPECT_THAT(error_of(valid_with("all-linear", "[v_prj]")), HasSubstr("did you mean 'v_proj'?"));
  EXPECT_THAT(error_of(valid_with("all-linear", "[]")), HasSubstr("expected all-linear"));
  EXPECT_THAT(error_of(valid_with("all-linear", "v_proj")), HasSubstr("expected all-linear"));
}

TEST_F(ResolveCase, SyntheticDataTakesNoTemplate) {
  const std::string text =
      valid_with("{path: data.jsonl, template: chatml, max_length: 128}",
                 "{synthetic: {samples: 9, length: 8, vocab_size: 7, seed: 1}}");
  const ResolvedCase resolved = resolve(text);
  EXPECT_EQ(resolved.config.identity.at("data"),
            json::parse(R"({"synthetic":{"samples":9,"length":8,"vocab_size":7,"seed":1}})"));
  EXPECT_FALSE(resolved.config.identity.contains("tokenizer"));
  EXPECT_FALSE(resolved.config.launch.at("paths").contains("data"));
  for (const char* extra :
       {"template=chatml", "max_length=9", "loss_on=all", "packing=false", "path=data.jsonl"}) {
    EXPECT_THAT(error_of(text, {std::string("data.") + extra}),
                HasSubstr("does not go with data.synthetic"));
  }
}

// Cases that were there before a switch keep their identity.
TEST_F(ResolveCase, ASwitchStandsInTheIdentityOnlyWhereItIsOn) {
  const auto before = resolve(valid()).config.identity_digest();
  const std::pair<const char*, const char*> switches[] = {{"data", "packing"},
                                                          {"lora", "use_rslora"}};
  for (const auto& [section, key] : switches) {
    const std::string set = std::string(section) + "." + key + "=";
    EXPECT_EQ(resolve(valid(), {set + "false"}).config.identity_digest(), before);
    EXPECT_EQ(resolve(valid(), {set + "true"}).config.identity.at(section).at(key), true);
    EXPECT_THAT(error_of(valid(), {set + "1"}), HasSubstr(key));
  }
}

TEST_F(ResolveCase, AnInitialAdapterEntersTheIdentityByItsTwoFiles) {
  std::filesystem::create_directory(folder_ / "adapter");
  EXPECT_THAT(error_of(valid(), {"lora.init=adapter"}),
              AllOf(HasSubstr("no such file"), HasSubstr("adapter_config.json")));
  write("adapter/adapter_config.json", "{}");
  write("adapter/adapter_model.safetensors", "weights");
  const ResolvedCase resolved = resolve(valid(), {"lora.init=adapter"});
  EXPECT_EQ(resolved.config.identity.at("lora").at("init"), json::parse(R"({
      "adapter_config.json":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
      "adapter_model.safetensors":
          "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c"})"));
  EXPECT_EQ(resolved.config.launch.at("paths").at("adapter"), (folder_ / "adapter").string());
  std::filesystem::rename(folder_ / "adapter", folder_ / "moved");
  EXPECT_EQ(resolve(valid(), {"lora.init=moved"}).config.identity_digest(),
            resolved.config.identity_digest());
  EXPECT_THAT(error_of(valid(), {"lora.init=adapter"}), HasSubstr("no such folder"));
  write("moved/adapter_model.safetensors", "");
  EXPECT_THAT(error_of(valid(), {"lora.init=moved"}), HasSubstr("is empty"));
}

TEST_F(ResolveCase, RandomModelIsItsConfigurationFileAndSeed) {
  const std::string text = valid_with("{path: model, dtype: float32}",
                                      "{config: model/config.json, init: random, seed: 3}");
  const ResolvedCase resolved = resolve(text);
  EXPECT_EQ(resolved.config.identity.at("model"), json::parse(R"({"dtype":"float32",
    "init":"random","seed":3,
    "config":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"})"));
  EXPECT_EQ(resolved.config.launch.at("paths").at("model"),
            (folder_ / "model/config.json").string());
  EXPECT_THAT(error_of(text, {"model.path=model"}), HasSubstr("give either path"));
  EXPECT_THAT(error_of(valid(), {"model.seed=1"}), HasSubstr("only goes with model.config"));
  EXPECT_THAT(error_of(valid_with("path: model", "config: model/config.json")),
              AllOf(StartsWith("case.yaml:3:8: model: "), HasSubstr("'init' is missing")));
}

TEST_F(ResolveCase, RequiredSectionsAreNamedWhenTheyAreMissing) {
  for (const char* section : {"schema", "name", "model", "data", "lora", "seed", "numerics"}) {
    std::string text = valid();
    const std::size_t start = text.find("\n" + std::string(section) + ":") + 1;
    text.erase(start, text.find('\n', start) + 1 - start);
    EXPECT_THAT(error_of(text), HasSubstr("the key '" + std::string(section) + "' is missing"));
  }
  EXPECT_THAT(error_of(valid_with("  batch_size: 4\n", "")),
              AllOf(StartsWith("case.yaml:7:3: train: "), HasSubstr("'batch_size' is missing")));
}

TEST_F(ResolveCase, WhatIsNotBuiltYetIsSaid) {
  const auto expect = [&](const std::string& set, const std::string& what) {
    EXPECT_THAT(error_of(valid(), {set}),
                AllOf(StartsWith("--set " + set), HasSubstr("not built yet"), HasSubstr(what)));
  };
  expect("data.template=llama2", "chatml, llama3, mistral, alpaca, text");
  expect("train.optimizer.name=sgd", "adamw");
}

TEST_F(ResolveCase, PortableIsFloat32Only) {
  EXPECT_EQ(resolve(valid(), {"numerics=portable"}).config.identity.at("numerics"), "portable");
  std::string text = valid_with("dtype: float32", "dtype: bfloat16");
  EXPECT_EQ(error_of(text), "no error");
  text.replace(text.find("deterministic"), 13, "portable");
  EXPECT_THAT(error_of(text),
              AllOf(StartsWith("case.yaml:11:11: numerics: "),
                    HasSubstr("portable is float32 only so far"), HasSubstr("bfloat16")));
  EXPECT_THAT(error_of(valid(), {"model.dtype=bfloat16", "numerics=portable"}),
              AllOf(StartsWith("--set numerics=portable: "), HasSubstr("float32 only so far")));
  EXPECT_THAT(error_of(valid(), {"numerics=portabel"}), HasSubstr("did you mean 'portable'?"));
}

TEST_F(ResolveCase, OverridesReplaceAddAndNameThemselvesInErrors) {
  const ResolvedCase resolved =
      resolve(valid(), {"lora.rank=16", "train.schedule={name: cosine, warmup_steps: 2}"});
  EXPECT_EQ(resolved.config.identity.at("lora").at("rank"), 16);
  EXPECT_EQ(resolved.config.identity.at("train").at("schedule"),
            json::parse(R"({"name":"cosine","warmup_steps":2})"));
  EXPECT_THAT(error_of(valid(), {"lora.rnak=1"}),
              AllOf(StartsWith("--set lora.rnak=1: "), HasSubstr("did you mean 'rank'?")));
  EXPECT_THAT(error_of(valid(), {"lora.rank=eight"}), StartsWith("--set lora.rank=eight: "));
  EXPECT_THAT(error_of(valid(), {"seed.x=1"}), HasSubstr("'seed' is no mapping"));
  for (const char* broken : {"seed", "=1", "seed=", "lora..rank=1", "lora.=1", ".=1", "seed=[1"}) {
    EXPECT_THAT(error_of(valid(), {broken}), StartsWith(std::string("--set ") + broken));
  }
}

TEST_F(ResolveCase, NameFitsIntoAFolderName) {
  EXPECT_EQ(error_of(valid(), {"name=" + std::string(100, 'x')}), "no error");
  EXPECT_THAT(error_of(valid(), {"name=" + std::string(101, 'x')}), HasSubstr("longer than 100"));
}

TEST_F(ResolveCase, NoSuchCaseFileIsAUsageError) {
  EXPECT_THROW(resolve_case(folder_ / "none.yaml", {}), UsageError);
  EXPECT_THROW(resolve_case(folder_, {}), UsageError);
}

TEST(SeedPlusOne, ChangesSeedsAndStopAfterOnly) {
  protocol::RunConfig config;
  config.identity = json::parse(R"({"seed": 9007199254740991, "numerics": "fast",
    "model": {"seed": 3}, "train": {"steps": 10},
    "seeds": {"lora_init": 1, "dropout": 2, "shuffle": 9007199254740991}})");
  config.launch = json::parse(R"({"stop_after": null, "run": "a"})");
  const protocol::RunConfig control = seed_plus_one(config);
  EXPECT_EQ(control.identity, json::parse(R"({"seed": 0, "numerics": "fast",
    "model": {"seed": 3}, "train": {"steps": 10},
    "seeds": {"lora_init": 2, "dropout": 3, "shuffle": 0}})"));
  EXPECT_EQ(control.launch, json::parse(R"({"stop_after": 2, "run": "a"})"));
  config.launch = json::parse(R"({"run": "a", "eval_every": 5, "evaluation": {"path": "x"}})");
  EXPECT_EQ(seed_plus_one(config).launch,
            json::parse(R"({"stop_after": 2, "run": "a", "eval_every": 0})"));
  config.identity["train"]["steps"] = 1;
  EXPECT_EQ(seed_plus_one(config).launch.at("stop_after"), 1);
}

TEST(NearestWord, FindsSlipsAndLeavesStrangersAlone) {
  const std::vector<std::string> known = {"rank", "alpha", "dropout", "target_modules"};
  EXPECT_EQ(nearest_word("rnak", known), "rank");
  EXPECT_EQ(nearest_word("aplha", known), "alpha");
  EXPECT_EQ(nearest_word("target_module", known), "target_modules");
  EXPECT_EQ(nearest_word("learning_rate", known), "");
  EXPECT_EQ(nearest_word("", known), "");
  EXPECT_EQ(nearest_word(std::string(1000, 'r'), known), "");
}

}  // namespace
}  // namespace twinrun::harness
