#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "harness/protocol/append_file.h"
#include "harness/protocol/hashed_file.h"
#include "harness/protocol/record.h"
#include "harness/protocol/record_resume.h"
#include "harness/protocol/tensor_digest.h"

namespace twinrun::protocol {

/// Appends steps.jsonl of a run, one write(2) a line, so that a crash leaves at most one torn line.
///
/// A record that is continued keeps its lines: what is said again is compared with them, byte for
/// byte, and only behind the last one something is written. Where a line differs the call throws
/// ResumeDiverged and the file stays as it is.
///
/// Every call throws std::runtime_error (path and errno text) if the file cannot be written whole.
class RecordWriter {
 public:
  /// Creates `run_dir`/steps.jsonl and writes the header. Throws if the file exists.
  RecordWriter(const std::filesystem::path& run_dir, const RecordHeader& header);
  /// Continues it at `position`, or from its first line if there is none; cuts a torn last line.
  /// Throws ResumeRefused as check_continuation does.
  RecordWriter(const std::filesystem::path& run_dir, const RecordHeader& header,
               const std::optional<RecordPosition>& position);

  void step_zero(const StepZero& state);
  void step(const StepRecord& step);
  /// Writes the end line, syncs the file and returns the run's head.
  Digest end(const RecordEnd& end);

  /// Behind the last line said.
  RecordPosition position() const { return {file_.position(), chain_}; }
  /// The step that a continued record goes on behind; nullopt if it began at its first line.
  const std::optional<StepRecord>& continued_behind() const { return before_; }
  /// The chain value of the last line written.
  const Digest& chain() const { return chain_; }
  void sync() { file_.sync(); }

 private:
  void write_header(const RecordHeader& header);
  void append(const std::string& line_without_chain, const std::string& what);
  std::optional<StepRecord> before_;
  AppendFile file_;
  Digest chain_{};
};

/// Digests by tensor of one group at one step, in the order in which the trainer computes them.
struct TensorGroup {
  std::string group;  ///< adapter, grad, optimizer, base
  std::vector<NamedDigest> tensors;
};

/// Appends tensors.jsonl: `{"step":N,"group":"grad","tensors":[["name","<hex>"],...]}` a line.
/// Continued, it keeps and compares its lines as RecordWriter does.
class TensorsWriter {
 public:
  explicit TensorsWriter(const std::filesystem::path& run_dir);
  /// Continues the file at `position`; cuts a torn last line. Throws ResumeRefused if the bytes
  /// before it are not there or have another digest.
  TensorsWriter(const std::filesystem::path& run_dir, const FilePosition& position);

  void write(std::int64_t step, const TensorGroup& group);
  /// Throws ResumeDiverged if lines are left that were not said again.
  void end() const { file_.require_end("the end"); }

  /// Behind the last line said.
  FilePosition position() const { return file_.position(); }
  void sync() { file_.sync(); }

 private:
  HashedFile file_;
};

/// 128 random bits from the kernel, as 32 hex digits.
std::string random_run_id();

}  // namespace twinrun::protocol
