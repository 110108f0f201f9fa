#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/protocol/sha256.h"

namespace twinrun::protocol {

/// config.json of a run: docs/protocol.md section 2.
struct RunConfig {
  nlohmann::json identity, judgement, launch;

  /// SHA-256 of the canonical form of `identity`.
  Digest identity_digest() const;
  /// The whole file, canonical, ending in a line feed.
  std::string to_text() const;
};

/// Throws std::runtime_error naming the file and what is wrong: no such file, not JSON, a part
/// missing, a schema newer than this program.
RunConfig read_run_config(const std::filesystem::path& path);

/// The first 53 bits of SHA-256("twinrun/1/<name>/<decimal seed>").
std::uint64_t derive_seed(const std::string& name, std::uint64_t seed);

/// A planted fault: `KIND@STEP`. Documented in docs/faults.md, for testing.
struct Injection {
  std::string kind;
  std::int64_t step = 0;
};

/// The kinds that twinrun-train knows, in the order of docs/faults.md.
const std::vector<std::string>& injection_kinds();

/// Parses `KIND@STEP`; throws std::runtime_error naming the nearest kind or the bad step.
Injection parse_injection(const std::string& text);

}  // namespace twinrun::protocol
