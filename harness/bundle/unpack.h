#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "harness/launch/temporary_folder.h"

namespace twinrun::harness {

/// The content of a bundle in a folder of its own, which goes away with the object.
class UnpackedBundle {
 public:
  /// Unpacks `file` below the folder for temporary files (TMPDIR), checking each digest on the way;
  /// nothing is written outside, nor under a name that is not in the list.
  ///
  /// Throws UsageError where `file` is not there, no regular file or no bundle at all, or the
  /// folder for temporary files has no room; EvidenceError where a byte, a name or the list does
  /// not hold.
  explicit UnpackedBundle(const std::filesystem::path& file);

  const std::filesystem::path& folder() const { return folder_.path(); }
  const std::vector<std::string>& names() const { return names_; }  ///< sorted, without the list
  bool holds(const std::string& name) const;

 private:
  void unpack(const std::filesystem::path& file);
  TemporaryFolder folder_;
  std::vector<std::string> names_;
};

}  // namespace twinrun::harness
