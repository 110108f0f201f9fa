#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "harness/protocol/record_reader.h"
#include "harness/protocol/run_config.h"
#include "tests/harness/synthetic_record.h"
#include "tests/temp_folder.h"

namespace twinrun::test {

/// A made-up run folder; a test alters its parts, then writes them.
struct SyntheticRun {
  protocol::RunConfig config;
  SyntheticRecord record;
  nlohmann::json manifest;

  explicit SyntheticRun(std::int64_t steps, const std::string& run_id = "run-a") : record(steps) {
    config.identity = {{"schema", 1},
                       {"seed", 42},
                       {"seeds", {{"lora_init", 42}, {"dropout", 1}, {"shuffle", 2}}},
                       {"numerics", "deterministic"},
                       {"train", {{"steps", steps}}}};
    config.judgement = {{"schema", 1}};
    config.launch = {{"stop_after", nullptr}};
    manifest = {{"schema", 1},
                {"run_id", run_id},
                {"status", "complete"},
                {"numerics", "deterministic"},
                {"seeds", config.identity["seeds"]},
                {"versions", {{"torch", "2.11.0"}, {"driver", "1"}}},
                {"device", {{"type", "cpu"}, {"name", "cpu"}}},
                {"cpu", {{"model", "m"}, {"isa", "avx2"}, {"threads", 2}}},
                {"world_size", 1},
                {"files", nlohmann::json::object()}};
  }

  /// Writes the folder, identity and head being those of its parts unless the manifest has others.
  const SyntheticRun& write(const std::filesystem::path& dir) {
    std::filesystem::create_directories(dir);
    const std::string identity = protocol::to_hex(config.identity_digest());
    record.header.identity = identity;
    const auto lines = record.lines();
    if (!manifest.contains("identity")) manifest["identity"] = identity;
    if (!manifest.contains("head")) {
      manifest["head"] = protocol::to_hex(protocol::split_chain(lines.back())->chain);
    }
    write_file(dir / "config.json", config.to_text());
    write_file(dir / "steps.jsonl", SyntheticRecord::join(lines));
    write_file(dir / "manifest.json", manifest.dump());
    return *this;
  }
};

/// Changes the text of a file by a function.
template <typename Change>
void change_file(const std::filesystem::path& path, Change change) {
  write_file(path, change(read_file(path)));
}

}  // namespace twinrun::test
