#pragma once

#include <filesystem>

namespace twinrun::harness {

/// Holds a folder for one process that changes what lies in it, by an advisory lock on the folder
/// itself: nothing is left behind, and a process that dies lets go.
class FolderLock {
 public:
  enum class IfHeld { kWait, kGiveUp };
  /// Throws std::runtime_error (path and errno text) if the folder cannot be opened or locked.
  explicit FolderLock(const std::filesystem::path& folder, IfHeld if_held = IfHeld::kWait);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  /// False only with kGiveUp, where another process holds it.
  bool held() const { return held_; }

 private:
  int fd_ = -1;
  bool held_ = false;
};

}  // namespace twinrun::harness
