// Every model family that twinrun-train builds is judged end to end, small and random on the CPU;
// a model that it does not build is refused with file and field.

#include <gmock/gmock.h>

#include "tests/e2e/tiny_case.h"

namespace twinrun {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// The tiny Llama with the fields of `change` replaced; null takes a field out.
class Models : public TinyCase {
 protected:
  void change_model(const json& change) const {
    json model = read_json("model.json");
    model.merge_patch(change);
    write("model.json", model.dump());
  }

  /// REPRODUCED in `mode`, and on two threads in portable with the bits of one.
  void expect_reproduced(const std::string& mode) const {
    const auto result = verify({"--set", "numerics=" + mode, "--quiet"});
    ASSERT_EQ(result.exit_code, 0) << mode << "\n" << result.out << result.err;
    EXPECT_EQ(verdict().at("verdict"), "REPRODUCED") << mode;
  }

  /// Steps of a portable run on `threads` threads with `isa`.
  std::string steps(const std::string& run, int threads, const std::string& isa) const {
    const auto result =
        twinrun({"train", "case.yaml", "--run-dir", run, "--set", "numerics=portable", "--set",
                 "threads=" + std::to_string(threads), "--set", "isa=" + isa});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return read(run + "/steps.jsonl");
  }

  void expect_judged() const {
    expect_reproduced("deterministic");
    std::filesystem::remove_all(path("out"));
    expect_reproduced("portable");
    EXPECT_EQ(steps("two", 2, "auto"), steps("plain", 1, "plain"));
  }

  /// `twinrun train` ends with 2 and names model.json and `field`.
  void expect_refused(const json& change, const std::string& field) {
    const std::string before = read("model.json");
    change_model(change);
    std::filesystem::remove_all(path("refused"));
    const auto result = twinrun({"train", "case.yaml", "--run-dir", "refused"});
    EXPECT_EQ(result.exit_code, 2) << change << "\n" << result.err;
    EXPECT_THAT(result.err, AllOf(HasSubstr("model.json"), HasSubstr("field '" + field + "'")));
    write("model.json", before);
  }
};

const json kLlama3Rope = {{"rope_type", "llama3"},
                          {"factor", 8.0},
                          {"low_freq_factor", 1.0},
                          {"high_freq_factor", 4.0},
                          {"original_max_position_embeddings", 64}};
// Shorter than the rows of twelve.
const json kMistral = {
    {"model_type", "mistral"}, {"architectures", {"MistralForCausalLM"}}, {"sliding_window", 5}};

TEST_F(Models, LlamaWithRopeScalingIsJudged) {
  change_model({{"rope_scaling", kLlama3Rope}});
  expect_judged();
}

TEST_F(Models, MistralWithAWindowIsJudged) {
  change_model(kMistral);
  expect_judged();
}

TEST_F(Models, AWindowAndAScalingReachTheLosses) {
  const auto losses = [&](const std::string& run) {
    steps(run, 1, "auto");
    std::vector<std::string> bits;
    for (const auto& line : lines(run + "/steps.jsonl")) {
      const json step = json::parse(line);
      if (step.contains("loss")) bits.push_back(step.at("loss").at("bits"));
    }
    EXPECT_EQ(bits.size(), 3u);
    return bits;
  };
  const auto plain = losses("plain-model");
  change_model({{"rope_scaling", kLlama3Rope}});
  EXPECT_NE(losses("scaled"), plain);
  change_model({{"rope_scaling", nullptr}});
  change_model(kMistral);
  EXPECT_NE(losses("window"), plain);
  change_model({{"sliding_window", 12}});  // not shorter than a row: none
  EXPECT_EQ(losses("wide"), plain);
}

TEST_F(Models, WhatIsNotBuiltIsRefusedByFileAndField) {
  expect_refused({{"model_type", "qwen2"}}, "model_type");
  expect_refused({{"model_type", "mistral"}}, "architectures");
  expect_refused({{"attention_bias", true}}, "attention_bias");
  expect_refused({{"sliding_window", 4}}, "sliding_window");
  for (const char* type : {"linear", "dynamic", "yarn"}) {
    expect_refused({{"rope_scaling", {{"rope_type", type}, {"factor", 2.0}}}},
                   "rope_scaling.rope_type");
  }
  expect_refused({{"rope_scaling", {{"rope_type", "llama3"}, {"factor", 8.0}}}},
                 "rope_scaling.low_freq_factor");
  change_model(kMistral);
  expect_refused({{"sliding_window", 0}}, "sliding_window");
}

}  // namespace
}  // namespace twinrun
