#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "harness/bench/session.h"
#include "harness/launch/folder_lock.h"
#include "harness/protocol/append_file.h"

namespace twinrun::harness {

/// FOLDER/windows.jsonl: everything that was measured, a line each, appended as it happens.
///
/// Line 1 says of what: {"schema":1,"kind":"session","seed":N,...}. Then {"kind":"process",...} for
/// each arm that was started, {"kind":"window",...} for each window, {"kind":"failed",...} for an
/// arm that could not run: one of an attribution is not tried again, any other is. A last line
/// without line feed is torn and does not count; a block of which windows are missing does not
/// either.
class SessionFile {
 public:
  /// Opens the session of `folder`, or begins one with `seed`. `header` says what is measured.
  ///
  /// Throws UsageError if the folder holds a session of something else (names the first field that
  /// differs) or one that is going on, EvidenceError naming the line if a line is not one of ours,
  /// std::runtime_error if the file cannot be read or written.
  SessionFile(const std::filesystem::path& folder, const nlohmann::json& header,
              const BenchSettings& settings, std::uint64_t seed);

  /// What stood there, ready to go on.
  SessionState state;
  /// Whether there was a session.
  bool resumed() const { return resumed_; }
  /// Appends a line. Throws std::runtime_error.
  void append(const nlohmann::json& fact);

 private:
  void restore(const std::filesystem::path& folder, const std::string& text,
               const nlohmann::json& header);

  FolderLock lock_;
  bool resumed_ = false;
  std::unique_ptr<protocol::AppendFile> file_;
};

}  // namespace twinrun::harness
