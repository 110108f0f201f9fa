#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "harness/protocol/sha256.h"

namespace twinrun::harness {

// The one form of tar (POSIX.1-1988, ustar) that a bundle has: regular files only, mode 0644, owner
// 0, one time stamp for all, two blocks of zeros at the end and nothing behind them. A header
// follows from name and size alone, so the reader makes it again and compares: links, devices,
// other owners and any flipped bit are refused by the same rule.

inline constexpr std::uint64_t kTarBlock = 512;
/// 1980-01-01T00:00:00Z, which every archive format can hold.
inline constexpr std::uint64_t kTarTime_s = 315532800;

/// Why `name` cannot be that of a member: empty, absolute, leaves the bundle, control characters,
/// longer than the format holds. Empty if it can.
std::string tar_name_problem(std::string_view name);

/// The header of a member. REQUIRES: tar_name_problem(name) is empty; bytes < 8 GiB.
std::string tar_header(std::string_view name, std::uint64_t bytes);

/// Writes an archive; its file counts only once finish() has returned. Throws std::runtime_error
/// (path and errno text).
class TarWriter {
 public:
  explicit TarWriter(const std::filesystem::path& file);
  ~TarWriter();  ///< removes the file unless it was finished
  TarWriter(const TarWriter&) = delete;
  TarWriter& operator=(const TarWriter&) = delete;

  void add_text(std::string_view name, std::string_view text);
  /// Streams `source`, which has to have `bytes` bytes still; the SHA-256 of what was written.
  protocol::Digest add_file(std::string_view name, const std::filesystem::path& source,
                            std::uint64_t bytes);
  void finish();

 private:
  void write(std::string_view bytes);
  void pad(std::uint64_t bytes);
  std::filesystem::path file_;
  int fd_ = -1;
  bool finished_ = false;
};

/// Reads one. What is not exactly of the form above throws EvidenceError with the byte; a file that
/// cannot be read std::runtime_error.
class TarReader {
 public:
  explicit TarReader(const std::filesystem::path& file);
  ~TarReader();
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;

  struct Member {
    std::string name;
    std::uint64_t bytes = 0;
  };
  /// The next member, whose data read() gives; nullopt at the end of a whole archive. REQUIRES:
  /// the data of the one before was read.
  std::optional<Member> next();
  /// Gives the data of the member to `sink`, in pieces.
  void read(const std::function<void(std::string_view)>& sink);

 private:
  std::string take(std::uint64_t bytes);
  void end();
  [[noreturn]] void fail(const std::string& what) const;
  std::filesystem::path file_;
  int fd_ = -1;
  std::uint64_t offset_ = 0;
  std::optional<Member> member_;
};

}  // namespace twinrun::harness
