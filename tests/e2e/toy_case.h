#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/e2e/process.h"
#include "tests/temp_folder.h"

namespace twinrun {

/// A folder with a case of six steps for tests/e2e/fake_trainer.py, and the real `twinrun` to run
/// it.
class ToyCase : public testing::Test {
 protected:
  ToyCase();

  /// Runs `twinrun ARGS...` in the folder.
  ProcessResult twinrun(const std::vector<std::string>& args) const;
  ProcessOptions command(const std::vector<std::string>& args) const;

  /// `twinrun verify case.yaml --out out ARGS...`.
  ProcessResult verify(const std::vector<std::string>& args = {}) const;
  /// out/verdict.json, parsed.
  nlohmann::json verdict() const;
  /// The check `name` of a verdict.
  static nlohmann::json check(const nlohmann::json& verdict, const std::string& name);

  /// Sets trainer.params of the case: a YAML flow mapping.
  void params(const std::string& flow_mapping) const;
  /// Gives the case a copy of the fake trainer, trainer.py, that the test may change.
  void own_trainer() const;
  /// Puts `to` where that copy has `from`; throws std::logic_error if it does not.
  void change_trainer(const std::string& from, const std::string& to) const;

  std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }
  std::string read(const std::string& name) const;
  nlohmann::json read_json(const std::string& name) const;
  void write(const std::string& name, const std::string& text) const;
  std::vector<std::string> lines(const std::string& name) const;
  /// Writes `lines` to a file that exists, each with its line feed.
  void write_lines(const std::string& name, const std::vector<std::string>& lines) const;

  test::TempFolder folder_;
};

}  // namespace twinrun
