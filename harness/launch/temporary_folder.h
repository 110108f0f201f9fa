#pragma once

#include <filesystem>

namespace twinrun::harness {

/// A new folder in the system's temporary one (TMPDIR) that is gone at the end of its scope.
class TemporaryFolder {
 public:
  /// Throws UsageError if it cannot be made.
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace twinrun::harness
