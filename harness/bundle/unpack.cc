#include "harness/bundle/unpack.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include "harness/bundle/pack.h"
#include "harness/bundle/tar.h"
#include "harness/exit_code.h"
#include "harness/protocol/sha256.h"
#include "harness/report/open_file.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;

// Of the list: some 100,000 files.
constexpr std::uint64_t kListBytesMax = 16 << 20;

struct Listed {
  std::string digest, name;
};

[[noreturn]] void broken(const fs::path& file, const std::string& what) {
  throw EvidenceError("the bundle '" + one_line(file.string()) +
                      "' does not hold: " + one_line(what));
}

bool is_listed(const std::vector<Listed>& list, const std::string& name) {
  return std::binary_search(list.begin(), list.end(), Listed{{}, name},
                            [](const Listed& x, const Listed& y) { return x.name < y.name; });
}

/// Lines of `<sha256>  <name>`, each name once and in order.
std::vector<Listed> parse_list(const fs::path& file, std::string_view text) {
  std::vector<Listed> list;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (end == std::string_view::npos || line.size() < 67 || line.substr(64, 2) != "  " ||
        !protocol::digest_from_hex(line.substr(0, 64))) {
      broken(file, "its list " + std::string(kBundleList) + " is damaged");
    }
    Listed entry{std::string(line.substr(0, 64)), std::string(line.substr(66))};
    if (const std::string problem = tar_name_problem(kBundleFolder + entry.name);
        !problem.empty()) {
      broken(file, "its list has '" + entry.name + "': " + problem);
    }
    if (!list.empty() && list.back().name >= entry.name) {
      broken(file, "its list is out of order at '" + entry.name + "'");
    }
    list.push_back(std::move(entry));
    text.remove_prefix(end + 1);
  }
  for (const Listed& entry : list) {
    for (std::size_t slash = 0; (slash = entry.name.find('/', slash)) != std::string::npos;
         ++slash) {
      if (!is_listed(list, entry.name.substr(0, slash))) continue;
      broken(file, "its list has '" + entry.name + "' below what it has as a file");
    }
  }
  return list;
}

std::string read_list(const fs::path& file, TarReader& tar) {
  const auto first = tar.next();
  if (!first || first->name != std::string(kBundleFolder) + kBundleList) {
    broken(file, "it does not begin with " + std::string(kBundleFolder) + kBundleList);
  }
  if (first->bytes > kListBytesMax) broken(file, "its list is too long");
  std::string text;
  tar.read([&text](std::string_view piece) { text += piece; });
  return text;
}

[[noreturn]] void no_room(const fs::path& path) {
  throw UsageError("cannot unpack to " + path.string() + ": " + std::strerror(errno) +
                   "; TMPDIR names another folder for temporary files");
}

/// Writes the data of the member; its SHA-256.
std::string write_member(TarReader& tar, const fs::path& path) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  errno = 0;
  std::ofstream out(path, std::ios::binary);
  protocol::Sha256 hasher;
  tar.read([&](std::string_view piece) {
    hasher.update(piece);
    if (!out.write(piece.data(), static_cast<std::streamsize>(piece.size()))) no_room(path);
  });
  out.close();
  if (!out) no_room(path);
  return protocol::to_hex(hasher.finish());
}

/// A tar archive begins with a header that says so; anything else was never a bundle.
void require_tar(const fs::path& file) {
  const std::string name = "'" + one_line(file.string()) + "'";
  std::ifstream in = open_regular_file(file, "name the file that `twinrun bundle` wrote");
  std::string head(kTarBlock, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  if (in.gcount() == 0) throw UsageError(name + " is empty");
  const bool ours = head.starts_with(kBundleFolder);
  if (!ours && head.compare(257, 5, "ustar") != 0) throw UsageError(name + " is no bundle");
}

}  // namespace

UnpackedBundle::UnpackedBundle(const fs::path& file) {
  require_tar(file);
  unpack(file);
}

bool UnpackedBundle::holds(const std::string& name) const {
  return std::binary_search(names_.begin(), names_.end(), name);
}

void UnpackedBundle::unpack(const fs::path& file) {
  TarReader tar(file);
  const std::vector<Listed> list = parse_list(file, read_list(file, tar));
  for (std::size_t i = 0;; ++i) {
    const auto member = tar.next();
    if (!member && i < list.size()) broken(file, "'" + list[i].name + "' is listed, but missing");
    if (!member) break;
    const bool ours = member->name.starts_with(kBundleFolder);
    const std::string name = member->name.substr(ours ? std::string_view(kBundleFolder).size() : 0);
    if (!ours || !is_listed(list, name)) {
      broken(file, "'" + name + "' is in it, but not in its list");
    }
    if (i >= list.size() || list[i].name != name) {
      const bool missing = i < list.size() && list[i].name < name;
      broken(file, missing ? "'" + list[i].name + "' is listed, but missing"
                           : "'" + name + "' is in it twice or out of order");
    }
    // The list was checked: no name leaves the folder, and none stands in it twice.
    if (write_member(tar, folder() / name) != list[i].digest) {
      broken(file, "'" + name + "' has another SHA-256 than listed");
    }
    names_.push_back(name);
  }
}

}  // namespace twinrun::harness
