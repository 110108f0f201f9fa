// Runs of one `verify` share the trainer's files; a trainer that changes in between gives no
// verdict.

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/e2e/toy_case.h"

namespace twinrun {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class Binary : public ToyCase {
 protected:
  /// Gives the case a copy of the fake trainer that runs `code`, Python, at the end of run `name`.
  void trainer_that(const std::string& name, const std::string& code) const {
    own_trainer();
    change_trainer("    return code\n", "    if config[\"launch\"][\"run\"] == \"" + name +
                                            "\":\n        " + code + "\n    return code\n");
  }

  json command_files(const std::string& run) const {
    return read_json("out/" + run + "/config.json").at("launch").at("command_files");
  }
};

constexpr const char* kAppendComment = "open(__file__, 'a').write('# built again')";
// The next run of it gives other bits.
constexpr const char* kDoubleRate =
    "text = open(__file__).read(); open(__file__, 'w').write(text.replace('lr = 0.01', 'lr = "
    "0.02'))";

TEST_F(Binary, ATrainerThatStaysIsHashedAndReproduces) {
  trainer_that("a", "pass");
  EXPECT_EQ(verify().exit_code, 0);
  const json files = command_files("a");
  ASSERT_EQ(files.size(), 2u);
  EXPECT_TRUE(files.contains(path("trainer.py").string())) << files;
  EXPECT_EQ(files, command_files("b"));
  EXPECT_EQ(files, command_files("controls/seed-plus-one"));
}

TEST_F(Binary, ATrainerThatChangedBetweenRunsIsInvalid) {
  trainer_that("a", kAppendComment);
  const ProcessResult result = verify();
  EXPECT_EQ(result.exit_code, 3) << result.out << result.err;
  const json twin = check(verdict(), "twin");
  EXPECT_EQ(twin.at("verdict"), "INVALID");
  EXPECT_EQ(twin.at("reason"), "binary_changed");
  EXPECT_THAT(twin.at("message").get<std::string>(),
              HasSubstr(path("trainer.py").string() + " has changed"));
  EXPECT_THAT(result.out, HasSubstr("trainer.py has changed"));
}

TEST_F(Binary, BitsOfTwoProgramsAreNotCompared) {
  trainer_that("a", kDoubleRate);
  EXPECT_EQ(verify().exit_code, 3);
  const json pair = verdict().at("comparisons").at(0);
  EXPECT_EQ(pair.at("reason"), "binary_changed");
  EXPECT_EQ(pair.at("steps_compared"), 0);
  EXPECT_TRUE(pair.at("first").is_null());
}

TEST_F(Binary, AComparisonOfStoredRunsNamesTheTrainerAsASuspect) {
  trainer_that("a", kDoubleRate);
  verify();
  const ProcessResult result =
      twinrun({"compare", "out/a", "out/b", "--without-controls", "--json"});
  EXPECT_EQ(result.exit_code, 1) << result.out << result.err;
  const json suspects = json::parse(result.out).at("comparisons").at(0).at("suspects");
  const auto names_trainer = [](const json& suspect) {
    const std::string field = suspect.at("field");
    return field.rfind("/launch/command_files/", 0) == 0 &&
           field.find("trainer.py") != std::string::npos && suspect.at("a") != suspect.at("b");
  };
  EXPECT_EQ(std::count_if(suspects.begin(), suspects.end(), names_trainer), 1) << suspects;
}

TEST_F(Binary, ATrainerThatChangedBeforeTheControlEndedFailsTheControls) {
  trainer_that("seed-plus-one", kAppendComment);
  EXPECT_EQ(verify().exit_code, 3);
  EXPECT_EQ(check(verdict(), "twin").at("verdict"), "REPRODUCED");
  EXPECT_EQ(check(verdict(), "controls").at("verdict"), "INVALID");
  EXPECT_EQ(verdict().at("control_runs").at(0).at("reason"), "binary_changed");
}

TEST_F(Binary, ATrainerThatIsGoneIsInvalid) {
  trainer_that("a", "os.remove(__file__)");
  EXPECT_EQ(verify().exit_code, 3);
  const json verdict = this->verdict();
  for (const json& run : verdict.at("runs")) {
    EXPECT_EQ(run.at("reason"), "binary_changed") << run;
    EXPECT_THAT(run.at("problem").get<std::string>(), HasSubstr("trainer.py is gone"));
  }
}

}  // namespace
}  // namespace twinrun
