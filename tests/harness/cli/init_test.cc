#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/cli/cli.h"
#include "harness/cli/init_find.h"
#include "harness/config/case.h"
#include "harness/exit_code.h"
#include "harness/report/verdict_json.h"
#include "tests/temp_folder.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kMessages = "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}\n";

/// A repository with a model folder and a data file, as far as init looks at them.
class Repository : public testing::Test {
 protected:
  Repository() {
    write("models/llama/config.json", "{\"model_type\":\"llama\",\"max_position_embeddings\":256}");
    write("models/llama/model.safetensors", "weights");
    write("models/llama/tokenizer.json", "{}");
    write("data/train.jsonl", "{\"prompt\":\"a\",\"response\":\"b\"}\n{}\n");
    fs::create_directory(root() / ".git");
  }
  fs::path root() const { return folder_.path() / "my repo"; }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((root() / name).parent_path());
    test::write_file(root() / name, text);
  }
  std::string read(const std::string& name) const { return test::read_file(root() / name); }
  /// `twinrun init ROOT ARGS...`, what it printed.
  std::string init(std::vector<std::string> args = {}) const {
    args.insert(args.begin(), {"init", root().string()});
    testing::internal::CaptureStdout();
    int code = -1;
    try {
      code = run_command_line(args);
    } catch (...) {
      testing::internal::GetCapturedStdout();
      throw;
    }
    EXPECT_EQ(code, 0);
    return testing::internal::GetCapturedStdout();
  }
  std::string refused(const std::vector<std::string>& args = {}) const {
    return test::message_of<UsageError>([&] { init(args); });
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(root())) {
      names.push_back(fs::relative(entry.path(), root()).string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  test::TempFolder folder_;
};

TEST_F(Repository, GetsACaseThatResolvesTheWorkflowAndALineInGitignore) {
  const std::string said = init();
  EXPECT_THAT(said, AllOf(HasSubstr("models/llama"), HasSubstr("data/train.jsonl, 2 samples"),
                          HasSubstr("machine  "), HasSubstr("template text (guessed"),
                          HasSubstr("fill in TWINRUN_REPOSITORY"), HasSubstr("twinrun doctor")));
  const ResolvedCase resolved = resolve_case(root() / "twinrun.yaml", {});
  EXPECT_EQ(resolved.name, "my repo");
  EXPECT_EQ(resolved.config.identity.at("train").at("batch_size"), 2);
  EXPECT_EQ(resolved.config.identity.at("data").at("max_length"), 256);
  const std::string workflow = read(".github/workflows/twinrun.yml");
  EXPECT_THAT(workflow, AllOf(HasSubstr("  CASE: \"twinrun.yaml\"\n"),
                              HasSubstr("TWINRUN_REPOSITORY: OWNER/twinrun"),
                              Not(HasSubstr("CASE: case.yaml"))));
  EXPECT_EQ(read(".gitignore"), "/twinrun-out/\n");
}

TEST_F(Repository, WritesOverNothing) {
  for (const char* name : {"twinrun.yaml", ".github/workflows/twinrun.yml"}) {
    write(name, "mine");
    const auto before = files();
    EXPECT_THAT(refused(), HasSubstr("exists; nothing was written"));
    EXPECT_EQ(files(), before);
    EXPECT_EQ(read(name), "mine");
    fs::remove_all(root() / name);
    fs::remove_all(root() / ".github");
  }
  init();
  EXPECT_THAT(refused(), HasSubstr("twinrun.yaml' exists"));
}

TEST_F(Repository, AddsItsLineToAGitignoreThatIsThereOnce) {
  write(".gitignore", "*.o");
  EXPECT_THAT(init(), HasSubstr("added    /twinrun-out/"));
  EXPECT_EQ(read(".gitignore"), "*.o\n/twinrun-out/\n");
  fs::remove(root() / "twinrun.yaml");
  fs::remove_all(root() / ".github");
  EXPECT_THAT(init(), Not(HasSubstr("added")));
  EXPECT_EQ(read(".gitignore"), "*.o\n/twinrun-out/\n");
}

TEST_F(Repository, WhatFailsHalfwayIsTakenBack) {
  write(".github", "a file where a folder has to be");
  const auto before = files();
  EXPECT_ANY_THROW(init());
  EXPECT_EQ(files(), before);
  fs::remove(root() / ".github");
  // A pointer of Git LFS: what cannot be trained is not left behind as a case.
  write("models/llama/model.safetensors",
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
  const auto with_pointer = files();
  EXPECT_THAT(refused(), AllOf(HasSubstr("LFS"), HasSubstr("nothing was written")));
  EXPECT_EQ(files(), with_pointer);
}

TEST_F(Repository, SaysWhatItLookedForAndDidNotFind) {
  fs::remove(root() / "data/train.jsonl");
  EXPECT_THAT(refused(), AllOf(HasSubstr("no data file"), HasSubstr("--data")));
  write("data/other.jsonl", "{\"text\":\"neither\"}\n");
  EXPECT_THAT(refused(), HasSubstr("no data file"));
  fs::remove(root() / "models/llama/model.safetensors");
  EXPECT_THAT(refused(), AllOf(HasSubstr("no model folder"), HasSubstr("--model")));
  EXPECT_THAT(refused({"--model", (root() / "models").string()}), HasSubstr("is no model folder"));
  EXPECT_THAT(test::message_of<UsageError>([] {
                run_command_line({"init", "/nonexistent"});
              }),
              HasSubstr("is no folder"));
}

TEST_F(Repository, NamesWhatItChoseFromAndTakesWhatIsNamed) {
  write("data/also.jsonl", kMessages);
  write("models/zephyr/config.json", "{\"model_type\":\"mistral\"}");
  write("models/zephyr/model.safetensors", "weights");
  write("models/zephyr/tokenizer.json", "{}");
  const std::string said = init();
  EXPECT_THAT(said, HasSubstr("models/llama (guessed; here are also"));
  EXPECT_THAT(said, HasSubstr("data/train.jsonl, 2 samples (guessed; here are also"));
  fs::remove(root() / "twinrun.yaml");
  fs::remove_all(root() / ".github");
  init({"--data", (root() / "data/also.jsonl").string(), "--model",
        (root() / "models/zephyr").string()});
  EXPECT_THAT(read("twinrun.yaml"), AllOf(HasSubstr("models/zephyr"), HasSubstr("data/also.jsonl"),
                                          HasSubstr("template: chatml")));
}

TEST_F(Repository, ChoosesTheTemplateByDataAndTokens) {
  const auto chosen = [&] {
    fs::remove(root() / "twinrun.yaml");
    fs::remove_all(root() / ".github");
    const std::string said = init();
    const std::string text = read("twinrun.yaml");
    const std::size_t begin = text.find("template: ") + 10;
    const std::string name = text.substr(begin, text.find('\n', begin) - begin);
    EXPECT_THAT(said, HasSubstr("template " + name + " ("));
    return name;
  };
  EXPECT_EQ(chosen(), "text");
  write("models/llama/tokenizer.json", "{\"a\":\"<|start_header_id|>\"}");
  EXPECT_EQ(chosen(), "llama3");
  write("models/llama/tokenizer.json", "{\"a\":\"<|im_start|>\"}");
  EXPECT_EQ(chosen(), "chatml");
  write("models/llama/tokenizer.json", "{}");
  write("models/llama/chat_template.jinja", "[INST]");
  EXPECT_EQ(chosen(), "text");  // Llama 2's
  write("models/llama/config.json", "{\"model_type\":\"mistral\"}");
  EXPECT_EQ(chosen(), "mistral");
  write("data/train.jsonl", kMessages);
  EXPECT_EQ(chosen(), "mistral");
  write("data/train.jsonl", "{\"instruction\":\"a\",\"output\":\"b\"}\n");
  EXPECT_EQ(chosen(), "alpaca");
}

TEST_F(Repository, ALinkStaysOneInTheCase) {
  fs::rename(root() / "models/llama", folder_.path() / "elsewhere");
  fs::create_directory_symlink(folder_.path() / "elsewhere", root() / "models/llama");
  init();
  EXPECT_THAT(read("twinrun.yaml"), HasSubstr("path: \"models/llama\""));
}

TEST_F(Repository, OfASubfolderTheWorkflowStandsInTheRootOfTheRepository) {
  write("sub/models/m/config.json", "{\"model_type\":\"llama\"}");
  write("sub/models/m/model.safetensors", "weights");
  write("sub/models/m/tokenizer.json", "{}");
  write("sub/d.jsonl", kMessages);
  testing::internal::CaptureStdout();
  EXPECT_EQ(run_command_line({"init", (root() / "sub").string()}), 0);
  testing::internal::GetCapturedStdout();
  EXPECT_THAT(read(".github/workflows/twinrun.yml"), HasSubstr("CASE: \"sub/twinrun.yaml\""));
  EXPECT_TRUE(fs::exists(root() / "sub/.gitignore"));
}

TEST_F(Repository, TheWorkflowIsTwinrunsOwnWithCaseAndCommitFilledIn) {
  std::string text = test::read_file(TWINRUN_SOURCE_DIR "/ci/workflows/pull-request.yml");
  const auto fill_in = [&text](const std::string& place, const std::string& with) {
    ASSERT_THAT(text, HasSubstr(place));
    text.replace(text.find(place), place.size(), with);
  };
  const ProgramVersion program = program_version();
  const bool pinned = program.git_commit.size() == 40 && !program.git_dirty;
  fill_in("CASE: case.yaml", "CASE: \"twinrun.yaml\"");
  fill_in("FULL-COMMIT-HASH", pinned ? program.git_commit : "FULL-COMMIT-HASH");
  EXPECT_THAT(text, HasSubstr("TWINRUN_REPOSITORY: OWNER/"));
  init();
  EXPECT_EQ(read(".github/workflows/twinrun.yml"), text);
}

TEST(FindModels, PassesOverHiddenAndBuildFolders) {
  const test::TempFolder folder;
  for (const char* name : {".hidden/m", "build/m", "a/b/c/d/m", ".cache/m"}) {
    fs::create_directories(folder.path() / name);
    test::write_file(folder.path() / name / "config.json", "{\"model_type\":\"llama\"}");
    test::write_file(folder.path() / name / "model.safetensors", "weights");
  }
  const auto found = find_models(folder.path());
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].folder, folder.path() / ".cache/m");
  EXPECT_EQ(found[1].folder, folder.path() / "a/b/c/d/m");
}

TEST(FindModels, AnAdapterOrABrokenConfigIsNoModel) {
  const test::TempFolder folder;
  test::write_file(folder.path() / "adapter_model.safetensors", "weights");
  test::write_file(folder.path() / "config.json", "{\"model_type\":\"llama\"}");
  EXPECT_FALSE(look_at_model(folder.path()));
  test::write_file(folder.path() / "model.safetensors", "weights");
  EXPECT_TRUE(look_at_model(folder.path()));
  test::write_file(folder.path() / "config.json", "{");
  EXPECT_FALSE(look_at_model(folder.path()));
}

TEST(FindGpus, ReadsTheNamesThatTheDriverTells) {
  const test::TempFolder folder;
  EXPECT_TRUE(find_gpus(folder.path() / "none").empty());
  fs::create_directory(folder.path() / "0000:01:00.0");
  test::write_file(folder.path() / "0000:01:00.0/information",
                   "Model: \t\t NVIDIA H200\nIRQ:   1\n");
  EXPECT_EQ(find_gpus(folder.path()), std::vector<std::string>{"NVIDIA H200"});
}

}  // namespace
}  // namespace twinrun::harness
