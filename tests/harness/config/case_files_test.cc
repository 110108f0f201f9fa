#include <gmock/gmock.h>

#include "harness/config/cores.h"
#include "tests/harness/config/case_fixture.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kPointer =
    "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";

class CaseFiles : public CaseFixture {
 protected:
  void expect_refused(const std::string& place, const std::string& file,
                      const std::string& what) const {
    EXPECT_THAT(error_of(valid()),
                AllOf(StartsWith("case.yaml:" + place + ": "), HasSubstr(file), HasSubstr(what)));
  }
};

TEST_F(CaseFiles, MissingModelFolderIsNamed) {
  fs::remove_all(folder_ / "model");
  expect_refused("3:15", "model", "no such folder");
  write("model", "a file");
  expect_refused("3:15", "model", "not a folder");
}

TEST_F(CaseFiles, ModelFolderWithoutConfigOrWeightsIsRefused) {
  fs::remove(folder_ / "model/model.safetensors");
  expect_refused("3:15", "model", "holds no *.safetensors");
  fs::remove(folder_ / "model/config.json");
  expect_refused("3:15", "model", "holds no config.json");
}

TEST_F(CaseFiles, LfsPointerInsteadOfAFileIsRefused) {
  for (const char* file : {"model/model.safetensors", "model/config.json", "model/tokenizer.json",
                           "model/tokenizer_config.json", "data.jsonl"}) {
    const fs::path kept = folder_ / "kept";
    if (fs::exists(folder_ / file)) fs::copy_file(folder_ / file, kept);
    write(file, kPointer);
    EXPECT_THAT(error_of(valid()),
                AllOf(HasSubstr(file), HasSubstr("Git LFS pointer"), HasSubstr("git lfs pull")));
    fs::remove(folder_ / file);
    if (fs::exists(kept)) fs::rename(kept, folder_ / file);
  }
  EXPECT_EQ(error_of(valid()), "no error");
}

TEST_F(CaseFiles, MissingEmptyOrStrangeDataIsRefused) {
  write("data.jsonl", "");
  expect_refused("4:14", "data.jsonl", "is empty");
  fs::remove(folder_ / "data.jsonl");
  expect_refused("4:14", "data.jsonl", "no such file");
  fs::create_directory(folder_ / "data.jsonl");
  expect_refused("4:14", "data.jsonl", "not a regular file");
}

TEST_F(CaseFiles, DanglingLinkAmongTheWeightsIsRefused) {
  fs::create_symlink("blobs/gone", folder_ / "model/model-00002-of-00002.safetensors");
  expect_refused("3:15", "model-00002-of-00002.safetensors", "leads nowhere");
}

TEST_F(CaseFiles, EveryShardAndTheIndexAreHashedAndNothingElseIs) {
  write("model/model-00001-of-00002.safetensors", "one");
  write("model/model.safetensors.index.json", "{}");
  write("model/README.md", "text");
  const nlohmann::json files = resolve(valid()).config.identity.at("model").at("files");
  std::vector<std::string> names;
  for (const auto& [name, digest] : files.items()) names.push_back(name);
  EXPECT_THAT(names, ::testing::ElementsAre("config.json", "model-00001-of-00002.safetensors",
                                            "model.safetensors", "model.safetensors.index.json"));
}

TEST_F(CaseFiles, DataWithoutATokenizerIsRefused) {
  fs::rename(folder_ / "model/tokenizer.json", folder_ / "model/tokenizer.model");
  const nlohmann::json files = resolve(valid()).config.identity.at("tokenizer").at("files");
  EXPECT_TRUE(files.contains("tokenizer.model"));
  fs::remove(folder_ / "model/tokenizer.model");
  expect_refused("3:8", "model", "holds neither a tokenizer.json nor a tokenizer.model");
}

TEST_F(CaseFiles, AbsolutePathsStayAbsolute) {
  const std::string text =
      valid_with("path: data.jsonl", "path: \"" + (folder_ / "data.jsonl").string() + "\"");
  EXPECT_EQ(resolve(text).config.launch.at("paths").at("data"), (folder_ / "data.jsonl").string());
}

TEST_F(CaseFiles, HardwareThreadsOfOneCoreCountOnce) {
  const int cpus = allowed_cpus();
  EXPECT_EQ(physical_cores(folder_), cpus) << "without a topology each CPU is a core";
  constexpr int kCpusMax = 256;
  for (int cpu = 0; cpu < kCpusMax; ++cpu) {
    const std::string topology = "cpu" + std::to_string(cpu) + "/topology";
    fs::create_directories(folder_ / topology);
    write(topology + "/thread_siblings_list", "0-255\n");
  }
  EXPECT_EQ(physical_cores(folder_), 1);
}

}  // namespace
}  // namespace twinrun::harness
