#include "harness/protocol/hashed_file.h"

#include <algorithm>
#include <fstream>
#include <string_view>
#include <vector>

namespace twinrun::protocol {
namespace {

namespace fs = std::filesystem;
using Open = AppendFile::Open;

/// A hasher that has taken the first `position.bytes` bytes of `file`.
Sha256 hash_prefix(const fs::path& file, const FilePosition& position) {
  Sha256 hasher;
  std::ifstream stream(file, std::ios::binary);
  std::vector<char> window(std::size_t{1} << 20);
  for (std::uint64_t left = position.bytes; left > 0;) {
    stream.read(window.data(),
                static_cast<std::streamsize>(std::min<std::uint64_t>(left, window.size())));
    const auto got = static_cast<std::size_t>(stream.gcount());
    if (got == 0) {
      throw ResumeRefused(file.string() + ": has fewer than the " + std::to_string(position.bytes) +
                          " bytes that it had at the checkpoint");
    }
    hasher.update(std::string_view(window.data(), got));
    left -= got;
  }
  if (position.bytes > 0 && hasher.so_far() != position.sha256) {
    throw ResumeRefused(file.string() + ": its first " + std::to_string(position.bytes) +
                        " bytes are not those that it had at the checkpoint");
  }
  return hasher;
}

}  // namespace

void diverge(const std::string& what, const AppendFile& file) {
  throw ResumeDiverged(
      "resume_diverged: " + what +
      ", computed again, is not what the run wrote before: " + file.path().filename().string() +
      ", byte " + std::to_string(file.position()) + "; nothing was overwritten");
}

HashedFile::HashedFile(const fs::path& path) : file_(path, Open::kNew) {}

HashedFile::HashedFile(const fs::path& path, const FilePosition& position)
    : hasher_(hash_prefix(path, position)), file_(path, Open::kContinue, position.bytes) {}

void HashedFile::append(const std::string& line, const std::string& what) {
  if (!file_.append(line)) diverge(what, file_);
  hasher_.update(line);
}

void HashedFile::require_end(const std::string& what) const {
  if (!file_.at_end()) diverge(what, file_);
}

}  // namespace twinrun::protocol
