// The arrows of the rooms, read from the #include lines: an arrow means "may include", and there is
// no way back. And: no source file that no build file names.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const fs::path kRoot = TWINRUN_SOURCE_DIR;

struct Include {
  std::string file;  ///< from the root, with '/'
  int line = 0;
  std::string target;  ///< as written between the quotes or brackets
};

bool starts_with(const std::string& text, const std::string& prefix) {
  return text.rfind(prefix, 0) == 0;
}

std::string read(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// Files below `folder` with one of `extensions`, from the root.
std::vector<std::string> files(const std::string& folder, const std::set<std::string>& extensions) {
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
    if (entry.is_regular_file() && extensions.count(entry.path().extension().string()) > 0) {
      found.push_back(fs::relative(entry.path(), kRoot).generic_string());
    }
  }
  return found;
}

std::vector<std::string> sources(const std::string& folder) {
  return files(folder, {".cc", ".cu", ".h", ".cuh"});
}

std::vector<Include> includes(const std::string& folder) {
  static const std::regex pattern(R"re(^\s*#\s*include\s*[<"]([^>"]+)[>"])re");
  std::vector<Include> found;
  for (const std::string& file : sources(folder)) {
    std::istringstream text(read(kRoot / file));
    int number = 0;
    for (std::string line; std::getline(text, line);) {
      ++number;
      std::smatch match;
      if (std::regex_search(line, match, pattern)) found.push_back({file, number, match[1]});
    }
  }
  return found;
}

/// Why `include` is a reversed arrow; empty if it is none. design: rooms, docs/protocol.md.
std::string reversed(const Include& include) {
  const std::string& to = include.target;
  static const std::regex accelerator(R"(^(torch/|ATen/|c10/|cuda|cublas|cudnn|nccl|nvtx|nvml).*)");
  static const std::regex judge_only(R"(^(yaml-cpp/|boost/).*)");
  const auto in = [&](const char* room) { return starts_with(include.file, room); };
  if (in("harness/")) {
    if (starts_with(to, "trainer/")) return "the judge includes the trainer";
    if (std::regex_match(to, accelerator)) return "the judge includes LibTorch or CUDA";
    if (starts_with(to, "tests/") || starts_with(to, "bench/")) return "a product includes a test";
  }
  if (in("harness/protocol/")) {
    if (starts_with(to, "harness/") && !starts_with(to, "harness/protocol/")) {
      return "the protocol includes the judge";
    }
    if (std::regex_match(to, judge_only)) return "the protocol knows YAML or Boost";
  }
  if (in("trainer/")) {
    if (starts_with(to, "harness/") && !starts_with(to, "harness/protocol/")) {
      return "the trainer includes the judge";
    }
    if (std::regex_match(to, judge_only)) return "the trainer reads YAML or flags of the judge";
    if (starts_with(to, "tests/") || starts_with(to, "bench/")) return "a product includes a test";
  }
  return {};
}

TEST(Layering, NoIncludeGoesAgainstAnArrow) {
  int seen = 0;
  for (const char* folder : {"harness", "trainer"}) {
    for (const Include& include : includes(folder)) {
      ++seen;
      EXPECT_EQ(reversed(include), "")
          << include.file << ":" << include.line << ": #include \"" << include.target << "\"";
    }
  }
  EXPECT_GT(seen, 100) << "the tree was not read";
}

TEST(Layering, AReversedArrowWouldBeFound) {
  EXPECT_NE(reversed({"harness/cli/a.cc", 1, "trainer/model/safetensors.h"}), "");
  EXPECT_NE(reversed({"harness/cli/a.cc", 1, "torch/torch.h"}), "");
  EXPECT_NE(reversed({"harness/cli/a.cc", 1, "cuda_runtime.h"}), "");
  EXPECT_NE(reversed({"harness/protocol/a.cc", 1, "harness/compare/compare.h"}), "");
  EXPECT_NE(reversed({"harness/protocol/a.h", 1, "yaml-cpp/yaml.h"}), "");
  EXPECT_NE(reversed({"trainer/train/a.cu", 1, "harness/config/case.h"}), "");
  EXPECT_NE(reversed({"trainer/train/a.cc", 1, "harness/exit_code.h"}), "");
  EXPECT_EQ(reversed({"trainer/train/a.cc", 1, "harness/protocol/record.h"}), "");
  EXPECT_EQ(reversed({"trainer/ops/a.cu", 1, "cuda_runtime.h"}), "");
  EXPECT_EQ(reversed({"harness/cli/a.cc", 1, "boost/program_options.hpp"}), "");
}

TEST(Layering, ProjectIncludesNameTheirRoomAndExist) {
  for (const char* folder : {"harness", "trainer", "tests", "bench"}) {
    for (const Include& include : includes(folder)) {
      for (const char* room : {"harness/", "trainer/", "tests/", "bench/"}) {
        if (!starts_with(include.target, room)) continue;
        EXPECT_TRUE(fs::exists(kRoot / include.target))
            << include.file << ":" << include.line << ": no " << include.target;
      }
    }
  }
}

/// Words of all CMakeLists.txt of `folder`, each as a path from the root.
std::set<std::string> named_in_build_files(const std::string& folder) {
  static const std::regex word(R"([A-Za-z0-9_./-]+\.(cc|cu))");
  std::set<std::string> named;
  for (const std::string& file : files(folder, {".txt"})) {
    if (fs::path(file).filename() != "CMakeLists.txt") continue;
    const std::string text = std::regex_replace(read(kRoot / file), std::regex("#[^\n]*"), "");
    for (std::sregex_iterator match(text.begin(), text.end(), word), end; match != end; ++match) {
      const fs::path path = fs::path(file).parent_path() / match->str();
      named.insert(path.lexically_normal().generic_string());
    }
  }
  return named;
}

TEST(BuildFiles, NameEverySource) {
  for (const char* folder : {"harness", "trainer", "tests", "bench"}) {
    const std::set<std::string> named = named_in_build_files(folder);
    for (const std::string& file : files(folder, {".cc", ".cu"})) {
      EXPECT_TRUE(named.count(file) > 0)
          << file << " is named by no CMakeLists.txt below " << folder;
    }
  }
}

TEST(BuildFiles, EveryHeaderIsIncludedSomewhere) {
  std::set<std::string> included;
  for (const char* folder : {"harness", "trainer", "tests", "bench"}) {
    for (const Include& include : includes(folder)) included.insert(include.target);
  }
  for (const char* folder : {"harness", "trainer", "tests", "bench"}) {
    for (const std::string& file : files(folder, {".h", ".cuh"})) {
      EXPECT_TRUE(included.count(file) > 0) << file << " is included by nothing";
    }
  }
}

}  // namespace
