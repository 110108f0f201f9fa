#include "harness/config/trainer_command.h"

#include <gmock/gmock.h>

#include "harness/protocol/sha256.h"
#include "tests/harness/config/case_fixture.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ForeignTrainer : public CaseFixture {
 protected:
  ForeignTrainer() {
    write("train.sh", "#!/bin/sh\n");
    fs::permissions(folder_ / "train.sh", fs::perms::owner_all);
    write("plain.py", "");
  }

  /// The shortest case with `trainer`, a flow mapping.
  static std::string shortest(const std::string& trainer) {
    return "schema: 1\nname: foreign\nseed: 1\nnumerics: portable\ntrain: {steps: 3}\ntrainer: " +
           trainer + "\n";
  }
};

TEST_F(ForeignTrainer, NeedsNoMoreThanSchemaNameSeedStepsAndNumerics) {
  const ResolvedCase resolved = resolve(shortest("{command: [./train.sh]}"));
  EXPECT_TRUE(resolved.foreign_trainer);
  json identity = resolved.config.identity;
  identity.erase("seeds");
  EXPECT_EQ(identity, json::parse(R"({"schema":1,"seed":1,"numerics":"portable",
    "train":{"steps":3},"trainer":{"params":{}}})"));
  EXPECT_EQ(resolved.config.launch.at("command"), json(resolved.command));
}

TEST_F(ForeignTrainer, ProgramAndFilesBecomeAbsoluteAndOtherArgumentsStay) {
  const std::vector<std::string> beside =
      resolve(shortest("{command: [train.sh, plain.py, --steps, 4, nosuch.py, '']}")).command;
  EXPECT_EQ(beside, (std::vector<std::string>{(folder_ / "train.sh").string(),
                                              (folder_ / "plain.py").string(), "--steps", "4",
                                              "nosuch.py", ""}));
  const std::vector<std::string> in_path = resolve(shortest("{command: [sh, model]}")).command;
  EXPECT_TRUE(fs::path(in_path[0]).is_absolute());
  EXPECT_EQ(fs::path(in_path[0]).filename(), "sh");
  EXPECT_EQ(in_path[1], "model") << "a folder is no file";
}

TEST_F(ForeignTrainer, FilesOfTheCommandAreHashedByTheirPaths) {
  const auto hash = [](const std::string& text) {
    return protocol::to_hex(protocol::sha256(std::string_view(text)));
  };
  write("plain.py", "print()");
  const std::string data = (folder_ / "data.jsonl").string();
  const ResolvedCase resolved =
      resolve(shortest("{command: [./train.sh, plain.py, model, nosuch.py, '', " + data + "]}"));
  EXPECT_EQ(resolved.config.launch.at("command_files"),
            (json{{(folder_ / "train.sh").string(), hash("#!/bin/sh\n")},
                  {(folder_ / "plain.py").string(), hash("print()")},
                  {data, hash("{\"prompt\":\"a\",\"response\":\"b\"}\n")}}));
}

TEST_F(ForeignTrainer, TheDefaultTrainerIsHashedToo) {
  write("case.yaml", valid());
  const std::string program = (folder_ / "train.sh").string();
  const ResolvedCase resolved =
      resolve_case(folder_ / "case.yaml", {.overrides = {}, .default_trainer = program});
  EXPECT_EQ(resolved.config.launch.at("command_files"),
            (json{{program, protocol::to_hex(protocol::sha256_file(program))}}));
}

TEST_F(ForeignTrainer, WordsThatArePathsOnlyByTheCurrentFolderAreNotHashed) {
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  EXPECT_EQ(digest_command_files({"plain.py"}), json::object());
  fs::current_path(before);
}

TEST_F(ForeignTrainer, ProgramThatCannotRunIsRefused) {
  EXPECT_THAT(error_of(shortest("{command: [nosuch-program]}")),
              AllOf(StartsWith("case.yaml:6:21: trainer.command[0]: "),
                    HasSubstr("no such program: 'nosuch-program'")));
  EXPECT_THAT(error_of(shortest("{command: [./plain.py]}")), HasSubstr("is not executable"));
  EXPECT_THAT(error_of(shortest("{command: [./model]}")), HasSubstr("no such program"));
  EXPECT_THAT(error_of(shortest("{command: []}")), HasSubstr("expected a list of strings"));
  EXPECT_THAT(error_of(shortest("{command: sh}")), HasSubstr("expected a list of strings"));
  EXPECT_THAT(error_of(shortest("{command: [sh, [x]]}")), HasSubstr("expected a string"));
  EXPECT_THAT(error_of(shortest("{params: {}}")), HasSubstr("trainer.command is missing"));
}

TEST_F(ForeignTrainer, ParamsAreAFreeMapWithTypes) {
  const json params = resolve(shortest("{command: [sh], params: {a: 1, b: 1.5, c: true, d: text, "
                                       "e: '017', f: [1, {g: null}], h: 2e3, i: -3}}"))
                          .config.identity.at("trainer")
                          .at("params");
  EXPECT_EQ(params, json::parse(R"({"a":1,"b":1.5,"c":true,"d":"text","e":"017",
    "f":[1,{"g":null}],"h":2000,"i":-3})"));
  EXPECT_TRUE(params.at("a").is_number_integer());
  EXPECT_TRUE(params.at("h").is_number_float());
}

TEST_F(ForeignTrainer, AmbiguousParamsAreRefused) {
  for (const char* value :
       {"017", "1_000", "yes", "Off", "0x10", ".nan", "1e999", "9007199254740992", "+1"}) {
    EXPECT_THAT(error_of(shortest("{command: [sh], params: {a: " + std::string(value) + "}}")),
                StartsWith("case.yaml:6:"))
        << value;
  }
  EXPECT_THAT(error_of(shortest("{command: [sh], params: [1]}")), HasSubstr("expected a mapping"));
}

TEST_F(ForeignTrainer, GivenSectionsAreReadButNotFilledUp) {
  const json identity = resolve(shortest("{command: [sh]}") +
                                "lora: {rank: 4, target_modules: [attn.c_proj]}\n"
                                "data: {path: data.jsonl, template: own}\n")
                            .config.identity;
  EXPECT_EQ(identity.at("lora"), json::parse(R"({"rank":4,"target_modules":["attn.c_proj"]})"));
  EXPECT_EQ(identity.at("data").at("template"), "own");
  EXPECT_EQ(identity.at("data").size(), 2u);
  EXPECT_THAT(error_of(shortest("{command: [sh]}") + "lora: {rnak: 4}\n"),
              HasSubstr("did you mean 'rank'?"));
}

}  // namespace
}  // namespace twinrun::harness
