// `twinrun verify --write-curve` and `--baseline` as a user meets them.

#include <gmock/gmock.h>

#include "harness/protocol/canonical_json.h"
#include "harness/protocol/sha256.h"
#include "tests/e2e/toy_case.h"

namespace twinrun {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Baseline : public ToyCase {
 protected:
  void SetUp() override { fs::create_directory(path("curves")); }

  /// Freezes the case's curve as curves/FINGERPRINT.jsonl and returns that name.
  std::string freeze(std::vector<std::string> args = {}) const {
    args.insert(args.begin(),
                {"verify", "case.yaml", "--out", "first", "--quiet", "--write-curve", "curves/"});
    const ProcessResult result = twinrun(args);
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    return "curves/" + read_json("first/verdict.json").at("fingerprint").get<std::string>() +
           ".jsonl";
  }

  static std::string described(const std::string& curve) {
    return curve.substr(0, curve.size() - 1);
  }

  /// Verifies with --baseline and expects exit code, verdict of the check and its reason.
  json expect(int exit_code, const std::string& verdict, const std::string& reason,
              std::vector<std::string> args = {"--baseline"}) const {
    fs::remove_all(path("out"));
    const ProcessResult result = verify(args);
    EXPECT_EQ(result.exit_code, exit_code) << result.out << result.err;
    const json all = this->verdict();
    const json check = ToyCase::check(all, "baseline");
    EXPECT_EQ(check.at("verdict"), verdict) << check;
    EXPECT_EQ(check.at("reason"), reason) << check;
    return all;
  }

  int files_in_curves() const {
    return static_cast<int>(
        std::distance(fs::directory_iterator(path("curves")), fs::directory_iterator()));
  }
};

TEST_F(Baseline, ACurveIsTheRecordOfRunAAndItsDescriptionNamesTheVerdict) {
  const std::string curve = freeze();
  EXPECT_EQ(read(curve), read("first/a/steps.jsonl"));
  const json description = read_json(described(curve));
  EXPECT_EQ(description.at("key"), read_json("first/verdict.json").at("key"));
  EXPECT_EQ(description.at("head"), read_json("first/a/manifest.json").at("head"));
  EXPECT_EQ(description.at("made_by").at("verdict_sha256"),
            protocol::to_hex(protocol::sha256_file(path("first/verdict.json"))));
  EXPECT_TRUE(description.at("accepted").is_null());
}

TEST_F(Baseline, ARunThatHitsItsCurveIsGreenAndSaysSo) {
  const std::string curve = freeze();
  const json verdict = expect(0, "REPRODUCED", "bitwise");
  const json& baseline = verdict.at("baseline");
  EXPECT_EQ(baseline.at("curve"), "../" + curve);
  EXPECT_EQ(baseline.at("steps_compared"), 6);
  EXPECT_EQ(baseline.at("curve_steps"), 6);
  EXPECT_EQ(baseline.at("head"), verdict.at("runs").at(0).at("head"));
  EXPECT_EQ(baseline.at("sha256"), protocol::to_hex(protocol::sha256_file(path(curve))));
  EXPECT_EQ(baseline.at("fingerprint"), verdict.at("fingerprint"));
  EXPECT_TRUE(baseline.at("first").is_null());
  fs::remove_all(path("out"));
  const ProcessResult result = verify({"--baseline"});
  EXPECT_THAT(result.out, HasSubstr("baseline     run a equals the baseline's 6 steps"));
  EXPECT_THAT(result.out, HasSubstr(" " + curve + "\n"));
  EXPECT_THAT(result.out,
              HasSubstr("not run      inference (no inference: in the case); bench (not "
                        "asked for)\n"));
}

TEST_F(Baseline, TwinsThatAgreeOnSomethingElseAreNotReproduced) {
  freeze();
  const json verdict = expect(1, "NOT_REPRODUCED", "baseline_differs",
                              {"--baseline", "--inject", "both:loss-ulp@4"});
  EXPECT_EQ(check(verdict, "twin").at("verdict"), "REPRODUCED");
  EXPECT_EQ(verdict.at("verdict"), "NOT_REPRODUCED");
  const json& first = verdict.at("baseline").at("first");
  EXPECT_EQ(first.at("step"), 4);
  EXPECT_EQ(first.at("field"), "loss");
  EXPECT_EQ(first.at("ulps"), 1);
  EXPECT_EQ(first.at("tensors"), json::array());
  fs::remove_all(path("out"));
  const ProcessResult result = verify({"--baseline", "--inject", "both:loss-ulp@4"});
  EXPECT_THAT(result.out, StartsWith("NOT_REPRODUCED  toy: run a and the baseline first differ at "
                                     "step 4, in loss by 1 ULP\n"));
  EXPECT_THAT(result.out, HasSubstr("in curve   "));
  EXPECT_THAT(result.out, HasSubstr("not named: a curve holds"));
}

TEST_F(Baseline, ADriftOfBothTwinsIsInvisibleWithoutOne) {
  EXPECT_EQ(verify({"--inject", "both:lr@3"}).exit_code, 0);
  EXPECT_EQ(check(verdict(), "baseline").at("verdict"), "NOT_RUN");
  EXPECT_EQ(check(verdict(), "baseline").at("reason"), "not_asked");
  EXPECT_TRUE(verdict().at("baseline").is_null());
  freeze();
  const json seen =
      expect(1, "NOT_REPRODUCED", "baseline_differs", {"--baseline", "--inject", "both:lr@3"});
  EXPECT_EQ(seen.at("baseline").at("first").at("field"), "lr");
}

TEST_F(Baseline, RunAIsHeldAgainstItWhateverTheTwinsSay) {
  freeze();
  const json of_b = expect(1, "REPRODUCED", "bitwise", {"--baseline", "--inject", "b:loss-ulp@2"});
  EXPECT_EQ(check(of_b, "twin").at("verdict"), "NOT_REPRODUCED");
  expect(1, "NOT_REPRODUCED", "baseline_differs", {"--baseline", "--inject", "a:loss-ulp@2"});
  expect(3, "NOT_RUN", "run_failed", {"--baseline", "--inject", "a:crash@2"});
}

TEST_F(Baseline, ABitFlippedAnywhereInTheCurveIsFound) {
  const std::string curve = freeze();
  const std::string good = read(curve);
  for (std::size_t i = 1; i < good.size(); i += good.size() / 6) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ (1 << i % 8));
    write(curve, bad);
    const json verdict = expect(5, "EVIDENCE_INVALID", "curve_replaced");
    EXPECT_EQ(verdict.at("verdict"), "EVIDENCE_INVALID");
    EXPECT_EQ(verdict.at("baseline").at("comparisons"), 0);
  }
}

TEST_F(Baseline, ADamagedCurveIsBrokenEvidence) {
  const std::string curve = freeze();
  const std::string record = read(curve), description = read(described(curve));
  write(curve, record.substr(0, record.size() / 2));
  expect(5, "EVIDENCE_INVALID", "curve_replaced");
  write(curve, "");
  expect(5, "EVIDENCE_INVALID", "curve_replaced");
  fs::remove(path(curve));
  expect(5, "EVIDENCE_INVALID", "curve_missing");
  fs::create_symlink(path(curve).filename(), path(curve));
  const json loop = expect(5, "EVIDENCE_INVALID", "curve_unreadable");
  EXPECT_EQ(loop.at("baseline").at("curve"), "../" + curve);
  fs::remove(path(curve));
  write(curve, record);
  fs::remove(path(described(curve)));
  expect(5, "EVIDENCE_INVALID", "curve_description_missing",
         {"--baseline", "--on-missing-baseline", "warn"});
  write(described(curve), description.substr(0, 40));
  expect(5, "EVIDENCE_INVALID", "curve_description_malformed");
  json changed = json::parse(description);
  changed["head"] = std::string(64, '0');
  write(described(curve), changed.dump());
  expect(5, "EVIDENCE_INVALID", "curve_head_mismatch");
  write(described(curve), description);
  expect(0, "REPRODUCED", "bitwise");
}

TEST_F(Baseline, ACurveOfAnotherExperimentInItsPlaceIsRefused) {
  const std::string curve = freeze();
  ASSERT_EQ(twinrun({"verify", "case.yaml", "--out", "other", "--quiet", "--set", "seed=43",
                     "--write-curve", "other.jsonl"})
                .exit_code,
            0);
  fs::rename(path("other.jsonl"), path(curve));
  fs::rename(path("other.json"), path(described(curve)));
  expect(5, "EVIDENCE_INVALID", "curve_key_mismatch");
}

TEST_F(Baseline, WithoutACurveTheTwinsDecideOrNothingIsGreen) {
  fs::remove(path("curves"));
  const json warned = expect(0, "NOT_RUN", "no_baseline");
  EXPECT_EQ(warned.at("verdict"), "REPRODUCED");
  EXPECT_EQ(warned.at("baseline").at("nearest"), json::array());
  expect(0, "NOT_RUN", "no_baseline", {"--baseline", "--on-missing-baseline", "warn"});
  const json failed =
      expect(3, "INCONCLUSIVE", "no_baseline", {"--baseline", "--on-missing-baseline", "fail"});
  EXPECT_EQ(failed.at("verdict"), "INCONCLUSIVE");
  fs::remove_all(path("out"));
  const ProcessResult result = verify({"--baseline"});
  EXPECT_THAT(result.out, StartsWith("REPRODUCED"));
  EXPECT_THAT(result.out, HasSubstr("baseline     no baseline for this machine"));
}

TEST_F(Baseline, TheCurveOfAnotherMachineIsNamedWithWhatDiffers) {
  const std::string curve = freeze();
  json description = read_json(described(curve));
  description["key"]["device"]["name"] = "another GPU";
  const std::string fingerprint =
      protocol::to_hex(protocol::canonical_digest(description["key"])).substr(0, 16);
  fs::remove(path(described(curve)));
  fs::rename(path(curve), path("curves/" + fingerprint + ".jsonl"));
  write("curves/" + fingerprint + ".json", description.dump());
  const json verdict = expect(0, "NOT_RUN", "no_baseline");
  const json& nearest = verdict.at("baseline").at("nearest").at(0);
  EXPECT_EQ(nearest.at("fingerprint"), fingerprint);
  EXPECT_EQ(nearest.at("differences"),
            json::array({{{"field", "/device/name"}, {"a", nullptr}, {"b", "another GPU"}}}));
  EXPECT_THAT(check(verdict, "baseline").at("message").get<std::string>(),
              HasSubstr("/device/name (null here, \"another GPU\" there)"));
}

TEST_F(Baseline, ANamedFolderIsUsedAndHasToExist) {
  const std::string curve = freeze();
  fs::rename(path("curves"), path("elsewhere"));
  expect(0, "REPRODUCED", "bitwise", {"--baseline", "elsewhere"});
  const json verdict = expect(0, "REPRODUCED", "bitwise", {"--baseline=elsewhere"});
  EXPECT_EQ(verdict.at("baseline").at("curve"),
            "../elsewhere/" + fs::path(curve).filename().string());
  expect(0, "NOT_RUN", "no_baseline");
  fs::remove_all(path("out"));
  for (const char* wrong : {"--baseline=nowhere", "--baseline=case.yaml"}) {
    const ProcessResult result = verify({wrong});
    EXPECT_EQ(result.exit_code, 2) << wrong;
    EXPECT_THAT(result.err, HasSubstr("--baseline: '"));
    EXPECT_FALSE(fs::exists(path("out")));
  }
}

TEST_F(Baseline, TheFolderStandsBesideTheCase) {
  freeze();
  const ProcessOptions options = [&] {
    ProcessOptions from_above =
        command({"verify", (path("case.yaml")).string(), "--baseline", "--quiet", "--json"});
    fs::create_directory(path("elsewhere"));
    from_above.cwd = path("elsewhere");
    return from_above;
  }();
  const ProcessResult result = run_process(options);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(check(json::parse(result.out), "baseline").at("verdict"), "REPRODUCED");
}

TEST_F(Baseline, WrongFlagsAreRefusedBeforeTraining) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> wrong = {
      {{"--on-missing-baseline", "fail"}, "--baseline, which is not given"},
      {{"--baseline", "--on-missing-baseline", "ignore"}, "'ignore' has to be warn or fail"},
      {{"--write-curve", "curves/x.json"}, "has to end in .jsonl"},
      {{"--write-curve", "nowhere/x.jsonl"}, "there is no folder 'nowhere'"},
      {{"--write-curve", "nowhere/"}, "there is no folder 'nowhere/'"},
      {{"--write-curve", "x.jsonl", "--inject", "both:lr@2"}, "does not go with --inject"}};
  for (const auto& [args, message] : wrong) {
    const ProcessResult result = verify(args);
    EXPECT_EQ(result.exit_code, 2) << args.back();
    EXPECT_THAT(result.err, HasSubstr(message));
    EXPECT_FALSE(fs::exists(path("out"))) << args.back();
  }
  const ProcessResult eaten = twinrun({"verify", "--baseline", "case.yaml"});
  EXPECT_EQ(eaten.exit_code, 2);
  EXPECT_THAT(eaten.err, AllOf(HasSubstr("CASE.yaml is missing, and here is neither"),
                               HasSubstr("; --baseline took 'case.yaml'")));
  fs::remove(path("curves"));
  write("curves", "");
  EXPECT_EQ(verify({"--baseline"}).exit_code, 2);
}

TEST_F(Baseline, ACurveIsNeverWrittenOver) {
  write("x.json", "mine");
  EXPECT_EQ(verify({"--write-curve", "x.jsonl"}).exit_code, 2);
  EXPECT_FALSE(fs::exists(path("out")));
  const std::string curve = freeze();
  const std::string record = read(curve), description = read(described(curve));
  const ProcessResult again = verify({"--write-curve", "curves", "--quiet"});
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_THAT(again.out, StartsWith("REPRODUCED"));
  EXPECT_THAT(again.err, HasSubstr("no curve was written: "));
  EXPECT_EQ(verdict().at("verdict"), "REPRODUCED");
  EXPECT_EQ(read(curve), record);
  EXPECT_EQ(read(described(curve)), description);
  EXPECT_EQ(read("x.json"), "mine");
}

TEST_F(Baseline, OnlyAReproducedVerdictIsFrozen) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> cases = {
      {"INCONCLUSIVE", {"--set", "verify.controls=false"}},
      {"INCONCLUSIVE", {"--baseline", "--on-missing-baseline", "fail"}},
      {"INVALID", {"--set", "trainer.params={fail: out of memory}"}},
      {"INCONCLUSIVE", {"--set", "trainer.params={promise: none}"}}};
  for (auto [verdict, args] : cases) {
    args.insert(args.end(), {"--write-curve", "curves", "--quiet"});
    const ProcessResult result = verify(args);
    EXPECT_EQ(result.exit_code, 3) << result.out << result.err;
    EXPECT_EQ(result.err,
              "twinrun: no curve was written: the verdict is " + verdict + ", not REPRODUCED\n");
    EXPECT_EQ(files_in_curves(), 0);
    fs::remove_all(path("out"));
  }
}

TEST_F(Baseline, WritingOneLeavesStdoutToTheVerdict) {
  const ProcessResult result = verify({"--write-curve", "curves", "--quiet", "--json"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, read("out/verdict.json"));
  EXPECT_THAT(result.err, StartsWith("twinrun: run a is frozen as curves/"));
  EXPECT_EQ(files_in_curves(), 2);
}

TEST_F(Baseline, AForeignPortableCurveIsOneForEveryMachine) {
  write("case.yaml", [&] {
    std::string text = read("case.yaml");
    return text.replace(text.find("deterministic"), 13, "portable");
  }());
  const std::string curve = freeze();
  EXPECT_EQ(read_json(described(curve)).at("key").size(), 3u);
  expect(0, "REPRODUCED", "bitwise");
}

TEST_F(Baseline, ComparingStoredRunsAsksForNone) {
  freeze();
  const ProcessResult result = twinrun({"compare", "first/a", "first/b", "--json"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(check(json::parse(result.out), "baseline").at("reason"), "not_asked");
}

}  // namespace
}  // namespace twinrun
