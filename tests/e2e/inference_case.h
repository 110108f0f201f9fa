#pragma once

#include <gmock/gmock.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

#include "harness/protocol/inference_reader.h"
#include "tests/e2e/toy_case.h"

namespace twinrun {

inline constexpr const char* kWithoutReference =
    "{prompts: prompts.jsonl, max_new_tokens: 8, top: 5}";
inline constexpr const char* kWithReference = "{prompts: prompts.jsonl, reference: said.jsonl}";
inline constexpr const char* kNoise = "{infer_noise: 10}";

/// A toy case that asks for inference, three prompts, and references to hold its outputs against.
class InferenceCase : public ToyCase {
 protected:
  using Change = std::function<void(protocol::InferenceFile&)>;

  InferenceCase() {
    write("prompts.jsonl",
          "{\"id\":\"greeting\",\"prompt\":\"hello\"}\n{\"prompt\":\"who are you\"}\n"
          "{\"id\":\"end\",\"prompt\":\"bye\"}\n");
    ask(kWithoutReference);
  }

  void ask(const std::string& inference, const std::string& params = "{}") const {
    this->params(params);
    write("case.yaml", read("case.yaml") + "inference: " + inference + "\n");
  }

  protocol::InferenceFile outputs(const std::string& name) const {
    const auto read = protocol::read_inference(path(name));
    if (const auto* problem = std::get_if<protocol::InferenceProblem>(&read)) {
      throw std::logic_error(problem->at(name));
    }
    return std::get<protocol::InferenceFile>(read);
  }
  void store(const std::string& name, const protocol::InferenceFile& file) const {
    write(name, protocol::format_inference(file.header, file.outputs));
  }

  /// said.jsonl: what run a said, frozen, with what `change` does to it.
  void freeze(const Change& change = [](protocol::InferenceFile&) {}) const {
    if (!std::filesystem::exists(path("first"))) {
      const ProcessResult made = twinrun({"verify", "case.yaml", "--out", "first", "--quiet"});
      ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
    }
    protocol::InferenceFile file = outputs("first/a/inference.jsonl");
    change(file);
    store("said.jsonl", file);
  }
  /// The same as another implementation would have written it.
  void freeze_as_other(const Change& change = [](protocol::InferenceFile&) {}) const {
    freeze([&](protocol::InferenceFile& file) {
      file.header.program = "transformers";
      file.header.promise = protocol::Promise::kNone;
      file.header.numerics = file.header.arithmetic = "eager";
      change(file);
    });
  }

  /// The model's second choice in place of its first at position 3 of prompt 1: consistent in
  /// itself, so that only a comparison can tell.
  static void second_choice(protocol::InferenceFile& file) {
    auto& output = file.outputs[1];
    output.tokens[3] = output.top[3][1].id;
    std::swap(output.top[3][0].id, output.top[3][1].id);
  }

  /// Verifies; expects exit code, and verdict and reason of the check.
  nlohmann::json expect(int exit_code, const std::string& verdict,
                        const std::string& reason) const {
    std::filesystem::remove_all(path("out"));
    const ProcessResult result = verify({"--quiet"});
    EXPECT_EQ(result.exit_code, exit_code) << result.out << result.err;
    return expect_check(this->verdict(), verdict, reason);
  }
  static nlohmann::json expect_check(const nlohmann::json& all, const std::string& verdict,
                                     const std::string& reason) {
    const nlohmann::json check = ToyCase::check(all, "inference");
    EXPECT_EQ(check.at("verdict"), verdict) << check;
    EXPECT_EQ(check.at("reason"), reason) << check;
    return all;
  }
  /// Expects that nothing is trained: exit code 2 or 5, and `message`.
  void refused(int exit_code, const std::string& message) const {
    std::filesystem::remove_all(path("out"));
    const ProcessResult result = verify();
    EXPECT_EQ(result.exit_code, exit_code) << result.out << result.err;
    EXPECT_THAT(result.err, testing::HasSubstr(message));
    EXPECT_FALSE(std::filesystem::exists(path("out/a")));
  }
  static nlohmann::json control(const nlohmann::json& all) {
    for (const nlohmann::json& control : all.at("controls")) {
      if (control.at("name") == "noop-adapter") return control;
    }
    return nullptr;
  }
};

}  // namespace twinrun
