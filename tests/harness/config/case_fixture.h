#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "harness/config/case.h"
#include "harness/exit_code.h"
#include "tests/temp_folder.h"

namespace twinrun::harness {

/// A folder with a small model, data and a valid case that the tests bend.
class CaseFixture : public ::testing::Test {
 protected:
  CaseFixture() {
    std::filesystem::create_directory(folder_ / "model");
    write("model/config.json", "{}");
    write("model/model.safetensors", "weights");
    write("model/tokenizer.json", "tokens");
    write("data.jsonl", "{\"prompt\":\"a\",\"response\":\"b\"}\n");
  }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }

  static std::string valid() {
    return "schema: 1\n"
           "name: small\n"
           "model: {path: model, dtype: float32}\n"
           "data: {path: data.jsonl, template: chatml, max_length: 128}\n"
           "lora: {rank: 8, alpha: 16, target_modules: all-linear}\n"
           "train:\n"
           "  steps: 10\n"
           "  batch_size: 4\n"
           "  optimizer: {lr: 2.0e-4}\n"
           "seed: 42\n"
           "numerics: deterministic\n";
  }

  /// valid() with the one occurrence of `from` replaced.
  static std::string valid_with(const std::string& from, const std::string& to) {
    std::string text = valid();
    const std::size_t at = text.find(from);
    if (at == std::string::npos) throw std::logic_error("not in the valid case: " + from);
    return text.replace(at, from.size(), to);
  }

  ResolvedCase resolve(const std::string& text, std::vector<std::string> overrides = {}) const {
    write("case.yaml", text);
    return resolve_case(folder_ / "case.yaml", {.overrides = std::move(overrides),
                                                .default_trainer = "/opt/bin/twinrun-train"});
  }

  /// The message of the UsageError without the folder's name, or "no error".
  std::string error_of(const std::string& text, std::vector<std::string> overrides = {}) const {
    try {
      resolve(text, std::move(overrides));
    } catch (const UsageError& error) {
      std::string message = error.what();
      const std::string prefix = folder_.string() + "/";
      for (std::size_t at; (at = message.find(prefix)) != std::string::npos;) {
        message.erase(at, prefix.size());
      }
      return message;
    }
    return "no error";
  }

  const test::TempFolder temp_;
  const std::filesystem::path folder_ = temp_.path();
};

}  // namespace twinrun::harness
