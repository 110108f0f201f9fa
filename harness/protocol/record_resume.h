#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>

#include "harness/protocol/record.h"

namespace twinrun::protocol {

/// Why a run cannot be continued as it lies there; the caller can fix it (exit code 2).
struct ResumeRefused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A line that was computed again is not the one that stands there. The message begins with
/// `resume_diverged`; nothing was overwritten.
struct ResumeDiverged : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A place in steps.jsonl between two lines.
struct RecordPosition {
  std::uint64_t bytes = 0;  ///< of the lines before it
  Digest chain{};           ///< chain value of the last of them
};

/// A place between two lines of a file that has no chain, hence the digest.
struct FilePosition {
  std::uint64_t bytes = 0;
  Digest sha256{};  ///< of these bytes
};

/// Checks that the run of `header` can go on with `steps_file` at `position`, or, without one, from
/// its first line: the header is the same, every chain value follows, a line ends at the position
/// and has its chain value. Lines behind it are checked too; a torn last one is passed over.
/// Returns the step line that ends at the position, nullopt if there is no position.
///
/// A file that is missing or holds no whole line can be continued from its first line only.
/// Throws ResumeRefused (file, line, what is wrong).
std::optional<StepRecord> check_continuation(const std::filesystem::path& steps_file,
                                             const RecordHeader& header,
                                             const std::optional<RecordPosition>& position);

}  // namespace twinrun::protocol
