#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "harness/baseline/baseline.h"
#include "harness/baseline/curve.h"
#include "harness/baseline/write_curve.h"
#include "tests/harness/synthetic_run.h"

namespace twinrun::harness {

using RunChange = std::function<void(test::SyntheticRun&)>;

/// A folder with made-up runs and the curves made of them.
class CurveFolder {
 public:
  CurveFolder() { std::filesystem::create_directory(curves); }

  /// A run of `steps` steps, altered by `change`, as the judge reads it.
  RunView run(const std::string& name, const RunChange& change = {}, std::int64_t steps = 6) const {
    test::SyntheticRun made(steps, "run-" + name);
    if (change) change(made);
    made.write(folder.path() / name);
    return read_run(folder.path() / name);
  }

  /// The curve of that run, named by its fingerprint.
  std::filesystem::path freeze(const RunChange& change = {}, std::int64_t steps = 6) const {
    return write_curve({curves, true}, run("frozen", change, steps), "{}\n",
                       "2026-03-01T12:00:00Z");
  }

  /// Holds a new run against the curves.
  BaselineReport check(const RunChange& change = {}, bool missing_fails = false) const {
    return check_baseline(run("a", change), {curves, missing_fails});
  }

  /// Alters the description of a curve.
  static void describe(const std::filesystem::path& file,
                       const std::function<void(nlohmann::json&)>& change) {
    test::change_file(description_of(file), [&change](const std::string& text) {
      auto description = nlohmann::json::parse(text);
      change(description);
      return description.dump();
    });
  }

  /// Puts another record in the place of a curve and makes its description agree with it, as
  /// somebody would who forges one.
  static void forge(const std::filesystem::path& file, const std::vector<std::string>& lines) {
    const std::string text = test::SyntheticRecord::join(lines);
    test::write_file(file, text);
    const auto last = protocol::split_chain(lines.back());
    describe(file, [&](auto& description) {
      description["sha256"] = protocol::to_hex(protocol::sha256(text));
      if (last) description["head"] = protocol::to_hex(last->chain);
    });
  }

  /// The record that freeze() freezes, to be altered and forged.
  static test::SyntheticRecord record(std::int64_t steps = 6) {
    const test::SyntheticRun run(steps);
    test::SyntheticRecord record = run.record;
    record.header.identity = protocol::to_hex(run.config.identity_digest());
    return record;
  }

  const test::TempFolder folder;
  const std::filesystem::path curves = folder.path() / "curves";
};

}  // namespace twinrun::harness
