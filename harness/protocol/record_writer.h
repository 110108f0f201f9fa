#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/protocol/record.h"
#include "harness/protocol/tensor_digest.h"

namespace twinrun::protocol {

/// Appends steps.jsonl of a run, one write(2) a line, so that a crash leaves at most one torn line.
///
/// Every call throws std::runtime_error (path and errno text) if the file cannot be written whole.
class RecordWriter {
 public:
  /// Creates `run_dir`/steps.jsonl and writes the header. Throws if the file exists.
  RecordWriter(const std::filesystem::path& run_dir, const RecordHeader& header);
  ~RecordWriter();
  RecordWriter(const RecordWriter&) = delete;
  RecordWriter& operator=(const RecordWriter&) = delete;

  void step_zero(const StepZero& state);
  void step(const StepRecord& step);
  /// Writes the end line, syncs the file and returns the run's head.
  Digest end(const RecordEnd& end);

  /// The chain value of the last line written.
  const Digest& chain() const { return chain_; }

 private:
  void append(const std::string& line_without_chain);
  std::filesystem::path path_;
  int fd_ = -1;
  Digest chain_{};
};

/// Digests by tensor of one group at one step, in the order in which the trainer computes them.
struct TensorGroup {
  std::string group;  ///< adapter, grad, optimizer, base
  std::vector<NamedDigest> tensors;
};

/// Appends tensors.jsonl: `{"step":N,"group":"grad","tensors":[["name","<hex>"],...]}` a line.
class TensorsWriter {
 public:
  explicit TensorsWriter(const std::filesystem::path& run_dir);
  ~TensorsWriter();
  TensorsWriter(const TensorsWriter&) = delete;
  TensorsWriter& operator=(const TensorsWriter&) = delete;
  void write(std::int64_t step, const TensorGroup& group);

 private:
  std::filesystem::path path_;
  int fd_ = -1;
};

/// Writes `text` to `path` by a temporary file, fsync, rename and fsync of the folder, so that a
/// reader sees the old file or the new one. Throws std::runtime_error (path and errno text).
void write_file_atomically(const std::filesystem::path& path, const std::string& text);

/// 128 random bits from the kernel, as 32 hex digits.
std::string random_run_id();

}  // namespace twinrun::protocol
