#pragma once

#include <filesystem>

#include "harness/protocol/eval.h"
#include "harness/protocol/hashed_file.h"

namespace twinrun::protocol {

/// Appends eval.jsonl of a run, one write(2) a line, so that a crash leaves a file without end line
/// (`incomplete`). Continued, it keeps and compares its lines as HashedFile does, so that no
/// evaluation stands there twice.
class EvalWriter {
 public:
  /// Creates `run_dir`/eval.jsonl and writes the header. Throws if the file exists.
  EvalWriter(const std::filesystem::path& run_dir, const EvalHeader& header);
  /// Continues it at `position`, or from its first line if that has no bytes. Throws ResumeRefused
  /// as HashedFile does, and where the file begins with another header.
  EvalWriter(const std::filesystem::path& run_dir, const EvalHeader& header,
             const FilePosition& position);

  void item(const EvalItem& item);
  /// Writes the end line and syncs the file. Throws ResumeDiverged if lines are left. REQUIRES: all
  /// that the header announces has been said, in this or an earlier part of the run.
  void end();

  /// Behind the last line said.
  FilePosition position() const { return file_.position(); }
  void sync() { file_.sync(); }

 private:
  EvalHeader header_;
  HashedFile file_;
};

}  // namespace twinrun::protocol
