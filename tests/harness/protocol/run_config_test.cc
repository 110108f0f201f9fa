#include "harness/protocol/run_config.h"

#include <gtest/gtest.h>

#include "harness/protocol/canonical_json.h"
#include "tests/temp_folder.h"

namespace twinrun::protocol {
namespace {

std::string problem_of(const std::string& text) {
  const test::TempFolder folder;
  test::write_file(folder.path() / "config.json", text);
  try {
    read_run_config(folder.path() / "config.json");
    return "";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("config.json"), std::string::npos);
    return error.what();
  }
}

TEST(RunConfigTest, ReadsWhatItWrites) {
  const RunConfig config{{{"schema", 1}, {"seed", 42}}, {{"schema", 1}}, {{"name", "x"}}};
  const test::TempFolder folder;
  test::write_file(folder.path() / "config.json", config.to_text());
  const RunConfig back = read_run_config(folder.path() / "config.json");
  EXPECT_EQ(back.to_text(), config.to_text());
  EXPECT_EQ(back.to_text(),
            "{\"identity\":{\"schema\":1,\"seed\":42},\"judgement\":{\"schema\":1},"
            "\"launch\":{\"name\":\"x\"}}\n");
  EXPECT_EQ(back.identity_digest(), sha256(std::string_view("{\"schema\":1,\"seed\":42}")));
}

TEST(RunConfigTest, SaysWhatIsWrong) {
  const std::string rest = ",\"judgement\":{},\"launch\":{}}";
  EXPECT_EQ(problem_of("{\"identity\":{\"schema\":1}" + rest), "");
  EXPECT_NE(problem_of("").find("not JSON"), std::string::npos);
  EXPECT_NE(problem_of("[]").find("'identity'"), std::string::npos);
  EXPECT_NE(problem_of("{\"identity\":{\"schema\":1},\"judgement\":{}}").find("'launch'"),
            std::string::npos);
  EXPECT_NE(problem_of("{\"identity\":{\"schema\":2}" + rest).find("schema is 2"),
            std::string::npos);
  EXPECT_NE(problem_of("{\"identity\":{}" + rest).find("identity.schema"), std::string::npos);
  EXPECT_NE(problem_of("{\"x\":1,\"identity\":{\"schema\":1}" + rest).find("unknown part 'x'"),
            std::string::npos);
  EXPECT_NE(problem_of("{\"identity\":{\"schema\":1,\"schema\":1}" + rest).find("twice"),
            std::string::npos);
  EXPECT_NE(
      problem_of("{\"identity\":{\"schema\":1,\"seed\":9007199254740992}" + rest).find("beyond"),
      std::string::npos);
  EXPECT_THROW(read_run_config("/nowhere/config.json"), std::runtime_error);
}

// Values from Python's hashlib.
TEST(DeriveSeedTest, IsTheFirst53BitsOfTheDigest) {
  EXPECT_EQ(derive_seed("dropout", 42), 5188745413195191u);
  EXPECT_EQ(derive_seed("shuffle", 42), 2052059902934323u);
  EXPECT_NE(derive_seed("dropout", 43), derive_seed("dropout", 42));
}

TEST(InjectionTest, EveryKindParses) {
  EXPECT_EQ(injection_kinds().size(), 29u);
  for (const std::string& kind : injection_kinds()) {
    const Injection injection = parse_injection(kind + "@12");
    EXPECT_EQ(injection.kind, kind);
    EXPECT_EQ(injection.step, 12);
  }
}

TEST(InjectionTest, NamesTheNearestKindOrTheBadStep) {
  const auto problem = [](const std::string& text) -> std::string {
    try {
      parse_injection(text);
      return "";
    } catch (const std::runtime_error& error) {
      return error.what();
    }
  };
  EXPECT_NE(problem("los-ulp@3").find("'loss-ulp'"), std::string::npos);
  EXPECT_NE(problem("cras@3").find("'crash'"), std::string::npos);
  for (const char* bad :
       {"nan", "nan@", "nan@x", "nan@3x", "nan@-1", "nan@1.5", "nan@99999999999999999999"}) {
    EXPECT_NE(problem(bad).find("step"), std::string::npos) << bad;
  }
}

}  // namespace
}  // namespace twinrun::protocol
