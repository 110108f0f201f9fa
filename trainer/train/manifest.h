#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "harness/protocol/run_config.h"

namespace twinrun::trainer {

/// manifest.json of a run (docs/protocol.md section 5) from the first write to the last.
class Manifest {
 public:
  /// A new run: a run id of its own, `running`. Throws std::runtime_error if it cannot be written.
  static Manifest begin(const std::filesystem::path& run_dir, const protocol::RunConfig& config);

  /// The manifest of the run in `run_dir`, `running` again (on disk from the next write() on);
  /// a new one if that run was killed before it had any.
  /// Throws protocol::ResumeRefused: the run is complete, of another identity, its manifest cannot
  /// be read, or there is a record without one.
  static Manifest resume(const std::filesystem::path& run_dir, const protocol::RunConfig& config);

  nlohmann::json& fields() { return json_; }
  std::string run_id() const { return json_.at("run_id"); }

  /// Adds to `resumed` that the run goes on behind `step`, now.
  void add_resumed(std::int64_t step);
  void write() const;

  /// The last write: `status`, its message, the time, digests of the files beside it. The message
  /// goes to stderr too. Returns `exit_code`.
  int end(const char* status, const std::string& message, int exit_code);

 private:
  explicit Manifest(std::filesystem::path run_dir) : run_dir_(std::move(run_dir)) {}
  std::filesystem::path run_dir_;
  nlohmann::json json_;
};

/// The fields of the comparability key (docs/protocol.md section 6) that describe_machine() knows:
/// {"device.type": ..., "cpu.threads": ...}.
nlohmann::json platform_of(const nlohmann::json& machine);

/// What of the comparability key (docs/protocol.md section 6) differs between the manifest of a run
/// before it was resumed and `now`, for people; empty if nothing does. What one of them does not
/// say differs from nothing.
std::string platform_difference(const nlohmann::json& before, const nlohmann::json& now);

/// Keeps a second trainer out of a run folder for as long as the object, or its process, lives.
/// Where the file system knows no locks it keeps nobody out.
class RunLock {
 public:
  /// Waits up to 10 s for a process that is just ending. Throws protocol::ResumeRefused if the
  /// folder is still locked then.
  explicit RunLock(const std::filesystem::path& run_dir);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int fd_ = -1;
};

}  // namespace twinrun::trainer
