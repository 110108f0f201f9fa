#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace twinrun::protocol {

/// A file of lines that only grows. One that is continued keeps what it holds: append() compares
/// with it, line by line, and writes behind its end only.
///
/// Every call throws std::runtime_error (path and errno text) if the file cannot be read or written
/// whole.
class AppendFile {
 public:
  enum class Open {
    kNew,       ///< creates the file; an error if it exists
    kContinue,  ///< takes what is there, creates it if there is none
  };
  /// With kContinue a torn last line (bytes behind the last line feed) is cut, and the first line
  /// is expected at byte `position`. REQUIRES: `position` is 0 or the end of a line.
  AppendFile(std::filesystem::path path, Open open, std::uint64_t position = 0);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  /// Appends `line` (which ends in a line feed) by one write, or passes over the same bytes where
  /// they are there already. False, and nothing done, if other bytes are there.
  [[nodiscard]] bool append(std::string_view line);

  /// Byte at which the next line begins.
  std::uint64_t position() const { return position_; }
  /// Whether nothing stands behind position().
  bool at_end() const { return position_ == size_; }
  void sync();
  const std::filesystem::path& path() const { return path_; }

 private:
  void cut_torn_line();
  bool holds(std::string_view line) const;
  std::filesystem::path path_;
  int fd_ = -1;
  std::uint64_t position_ = 0, size_ = 0;
};

/// Writes `text` to `path` by a temporary file, fsync, rename and fsync of the folder, so that a
/// reader sees the old file or the new one. Throws std::runtime_error (path and errno text).
void write_file_atomically(const std::filesystem::path& path, const std::string& text);

/// The whole file. Throws std::runtime_error (path and errno text).
std::string read_file(const std::filesystem::path& path);

/// The folder that `path` lies in: "." where it names none.
std::filesystem::path folder_of(const std::filesystem::path& path);

/// fsync of a folder: what was renamed, made or removed in it stays so. Throws std::runtime_error.
void sync_folder(const std::filesystem::path& folder);

}  // namespace twinrun::protocol
