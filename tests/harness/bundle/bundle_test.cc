#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "harness/bundle/pack.h"
#include "harness/bundle/tar.h"
#include "harness/bundle/unpack.h"
#include "harness/cli/cli.h"
#include "harness/cli/rejudge.h"
#include "harness/exit_code.h"
#include "harness/protocol/sha256.h"
#include "tests/harness/report/judged_folder.h"
#include "tests/harness/report/noisy_folder.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using test::JudgedFolder;
using testing::Contains;
using testing::HasSubstr;

using Members = std::vector<std::pair<std::string, std::string>>;

class Bundle : public testing::Test {
 protected:
  /// Packs the folder as it lies there.
  template <typename Folder>
  void pack(const Folder& out) const {
    pack_bundle(bundle_files(out.verdict(), out.evidence()), path());
  }
  std::filesystem::path path() const { return folder_.path() / "x.tar"; }

  /// Members without the list, their names without the bundle's folder.
  Members members() const {
    Members list;
    TarReader tar(path());
    while (const auto member = tar.next()) {
      list.push_back({member->name.substr(std::string(kBundleFolder).size()), ""});
      tar.read([&](std::string_view piece) { list.back().second += piece; });
    }
    list.erase(list.begin());
    return list;
  }
  /// Writes a bundle by hand, with a list that fits.
  void write(const Members& list) const {
    std::string digests;
    for (const auto& [name, text] : list) {
      digests += protocol::to_hex(protocol::sha256(text)) + "  " + name + "\n";
    }
    TarWriter tar(path());
    tar.add_text(std::string(kBundleFolder) + kBundleList, digests);
    for (const auto& [name, text] : list) tar.add_text(kBundleFolder + name, text);
    tar.finish();
  }
  /// Alters the text of the member `name`, list included.
  template <typename Change>
  void forge(const std::string& name, Change change) const {
    Members list = members();
    for (auto& [member, text] : list) {
      if (member == name) text = change(text);
    }
    write(list);
  }
  /// What is wrong with the bundle, as the command says it; empty if nothing.
  std::string broken() const {
    return test::message_of<EvidenceError>([&] { check(); });
  }
  int check() const {
    testing::internal::CaptureStdout();
    struct Capture {
      ~Capture() { testing::internal::GetCapturedStdout(); }
    } capture;
    return run_command_line({"bundle", "--check", path().string()});
  }
  test::TempFolder folder_;
};

TEST_F(Bundle, HoldsWhatTheVerdictWasGivenFor) {
  JudgedFolder out;
  out.write();
  pack(out);
  std::vector<std::string> names;
  for (const auto& [name, text] : members()) names.push_back(name);
  EXPECT_THAT(names, testing::ElementsAre(
                         "a/config.json", "a/manifest.json", "a/steps.jsonl", "b/config.json",
                         "b/manifest.json", "b/steps.jsonl", "controls/seed-plus-one/config.json",
                         "controls/seed-plus-one/manifest.json",
                         "controls/seed-plus-one/steps.jsonl", "report.html", "verdict.json"));
  EXPECT_EQ(check(), 0);
}

TEST_F(Bundle, SameFilesGiveTheSameBytes) {
  JudgedFolder out;
  out.write();
  pack(out);
  const std::string first = test::read_file(path());
  std::filesystem::last_write_time(out.path(), std::filesystem::file_time_type::clock::now());
  std::filesystem::permissions(out.path("a/config.json"), std::filesystem::perms::owner_read);
  pack(out);
  EXPECT_EQ(test::read_file(path()), first);
}

TEST_F(Bundle, TheExitCodeIsThatOfTheVerdict) {
  JudgedFolder red;
  red.b.record.steps[4].loss = std::nextafter(red.b.record.steps[4].loss, 9.0f);
  EXPECT_EQ(red.write()["verdict"], "NOT_REPRODUCED");
  pack(red);
  EXPECT_EQ(check(), 1);
  JudgedFolder invalid;
  invalid.b.manifest["status"] = "failed";
  EXPECT_EQ(invalid.write()["verdict"], "INVALID");
  pack(invalid);
  EXPECT_EQ(check(), 3);
}

TEST_F(Bundle, AnyFlippedByteIsFound) {
  JudgedFolder out(2);
  out.write();
  pack(out);
  const std::string good = test::read_file(path());
  for (std::size_t i = 0; i < good.size(); i += 97) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x20);
    test::write_file(path(), bad);
    EXPECT_NE(test::message_of<EvidenceError>([&] { UnpackedBundle bundle(path()); }), "")
        << "byte " << i;
  }
}

TEST_F(Bundle, AFileThatIsMissingAddedOrTwiceIsFound) {
  JudgedFolder out;
  out.write();
  pack(out);
  const Members good = members();
  std::string list;
  for (const auto& [name, text] : good) {
    list += protocol::to_hex(protocol::sha256(text)) + "  " + name + "\n";
  }
  const auto rewrite = [&](const Members& with) {
    TarWriter tar(path());
    tar.add_text(std::string(kBundleFolder) + kBundleList, list);
    for (const auto& [name, text] : with) tar.add_text(kBundleFolder + name, text);
    tar.finish();
  };
  Members with = good;
  with.erase(with.begin() + 1);
  rewrite(with);
  EXPECT_THAT(broken(), HasSubstr("'a/manifest.json' is listed, but missing"));
  with = good;
  with.pop_back();
  rewrite(with);
  EXPECT_THAT(broken(), HasSubstr("'verdict.json' is listed, but missing"));
  with = good;
  with.push_back({"zzz", "more"});
  rewrite(with);
  EXPECT_THAT(broken(), HasSubstr("'zzz' is in it, but not in its list"));
  with = good;
  with.insert(with.begin(), good.front());
  rewrite(with);
  EXPECT_THAT(broken(), HasSubstr("'a/config.json' is in it twice or out of order"));
}

TEST_F(Bundle, AListThatLeavesTheBundleIsRefused) {
  write({{"../evil", "x"}});
  EXPECT_THAT(broken(), HasSubstr("the path leaves the bundle"));
  write({{"a", "x"}, {"a/b", "x"}});
  EXPECT_THAT(broken(), HasSubstr("below what it has as a file"));
  write({{"b", "x"}, {"a", "x"}});
  EXPECT_THAT(broken(), HasSubstr("out of order"));
}

TEST_F(Bundle, AVerdictMadeGreenByHandIsFoundByJudgingAgain) {
  JudgedFolder red;
  red.b.record.steps[4].loss = std::nextafter(red.b.record.steps[4].loss, 9.0f);
  red.write();
  pack(red);
  forge("verdict.json", [](const std::string& text) {
    json value = json::parse(text);
    value["verdict"] = "REPRODUCED";
    value["exit_code"] = 0;
    value["checks"][0]["verdict"] = "REPRODUCED";
    value["checks"][0]["reason"] = "bitwise";
    json& pair = value["comparisons"][0];
    pair["verdict"] = "REPRODUCED";
    pair["reason"] = "bitwise";
    pair["first"] = nullptr;
    pair["steps_compared"] = 10;
    return json_text(value);
  });
  EXPECT_THAT(broken(), HasSubstr("its records do not give its verdict. the verdict's verdict is "
                                  "REPRODUCED, judged again NOT_REPRODUCED"));
}

TEST_F(Bundle, ARecordMadeEqualByHandIsFound) {
  JudgedFolder red;
  red.b.record.steps[4].loss = std::nextafter(red.b.record.steps[4].loss, 9.0f);
  red.write();
  pack(red);
  std::string a;
  for (const auto& [name, text] : members()) {
    if (name == "a/steps.jsonl") a = text;
  }
  forge("b/steps.jsonl", [&](const std::string&) { return a; });
  EXPECT_THAT(broken(), HasSubstr("do not give its verdict"));
}

TEST_F(Bundle, AnythingElseThatWasSaidOtherwiseIsFound) {
  const std::vector<std::pair<std::string, json>> changes = {
      {"/case/name", "other"},
      {"/tensors_covered", 99},
      {"/fingerprint", "0000000000000000"},
      {"/runs/1/head", std::string(64, '0')},
      {"/runs/1/run_id", "x"},
      {"/runs/0/steps", 9},
      {"/comparisons/0/steps_compared", 11},
      {"/controls/0/details/planted_step", 1000},
      {"/control_runs/0/head", std::string(64, '0')}};
  for (const auto& [pointer, to] : changes) {
    JudgedFolder out;
    out.write();
    pack(out);
    forge("verdict.json", [&](const std::string& text) {
      json value = json::parse(text);
      value[json::json_pointer(pointer)] = to;
      return json_text(value);
    });
    EXPECT_THAT(broken(), HasSubstr("do not give its verdict")) << pointer;
  }
}

TEST_F(Bundle, ARunThatIsNotInTheBundleIsNotJudgedFromSomewhereElse) {
  JudgedFolder out;
  out.write();
  pack(out);
  for (const std::string& dir : {out.path("b").string(), std::string("../b"), std::string(".")}) {
    forge("verdict.json", [&](const std::string& text) {
      json value = json::parse(text);
      value["runs"][1]["dir"] = dir;
      return json_text(value);
    });
    EXPECT_THAT(broken(), HasSubstr("no such record is in it")) << dir;
  }
}

TEST_F(Bundle, AVerdictWithoutRunsIsJudgedAndDoesNotHold) {
  JudgedFolder out;
  out.write();
  pack(out);
  forge("verdict.json", [](const std::string& text) {
    json value = json::parse(text);
    value["runs"] = value["control_runs"] = value["comparisons"] = json::array();
    value["comparisons_made"] = 0;
    value["verdict"] = "INCONCLUSIVE";
    value["exit_code"] = 3;
    value["checks"][0]["verdict"] = "INCONCLUSIVE";
    return json_text(value);
  });
  EXPECT_THAT(broken(), HasSubstr("judged again INVALID"));
}

TEST_F(Bundle, AFileThatChangesWhileItIsPackedGivesNoBundle) {
  JudgedFolder out;
  out.write();
  std::vector<BundleFile> files = bundle_files(out.verdict(), out.evidence());
  // A device gives other bytes each time, as a file does that somebody writes to.
  files.push_back({"zzz", "/proc/sys/kernel/random/uuid", ""});
  EXPECT_THAT(test::message_of<std::runtime_error>([&] { pack_bundle(files, path()); }),
              HasSubstr("changed meanwhile"));
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(Bundle, AReportThatSaysSomethingElseIsFoundOrSaidToBeUnchecked) {
  JudgedFolder out;
  out.write();
  pack(out);
  forge("report.html", [](const std::string& text) { return text + " "; });
  if (program_version().git_dirty) {
    EXPECT_EQ(check(), 0) << "programs with local changes cannot be told apart";
  } else {
    EXPECT_THAT(broken(), HasSubstr("report.html is not the report of its verdict"));
  }
}

TEST_F(Bundle, WhatNoRecordShowsIsTakenOverWhereItIsWorse) {
  JudgedFolder out;
  json value = out.write();
  value["verdict"] = "INVALID";
  value["exit_code"] = 3;
  value["checks"][0]["verdict"] = "INVALID";
  value["checks"][0]["reason"] = "trainer_failed";
  value["checks"][1]["verdict"] = "NOT_RUN";
  value["checks"][1]["reason"] = "run_failed";
  value["runs"][1]["verdict"] = "INVALID";
  value["runs"][1]["reason"] = "trainer_failed";
  value["runs"][1]["problem"] = "exit code 1";
  value["runs"][1]["outcome"] = "exited with 1";
  out.write_verdict(value);
  const Rejudgement again = rejudge(out.verdict(), out.path("baseline"));
  EXPECT_EQ(again.report.verdict, Verdict::kInvalid);
  EXPECT_THAT(again.taken_over, Contains(HasSubstr("run b ended (trainer_failed)")));
}

TEST_F(Bundle, PackingRefusesWhatWouldNotHold) {
  JudgedFolder out;
  out.write();
  std::filesystem::remove_all(out.path("b"));
  EXPECT_THAT(test::message_of<UsageError>([&] { pack(out); }), HasSubstr("needs the records"));
  test::SyntheticRun(9, "run-b").write(out.path("b"));
  EXPECT_THAT(test::message_of<EvidenceError>([&] { pack(out); }), HasSubstr("was not packed"));
  JudgedFolder outside;
  json value = outside.write();
  value["runs"][0]["dir"] = outside.path("a").string();
  outside.write_verdict(value);
  EXPECT_THAT(test::message_of<UsageError>([&] { pack(outside); }),
              HasSubstr("not below the folder of verdict.json"));
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(Bundle, RunsWithoutEqualBitsAreJudgedAgainByCalibrationAndShortRuns) {
  test::NoisyFolder out;
  ASSERT_EQ(out.write()["verdict"], "REPRODUCED");
  pack(out);
  std::vector<std::string> names;
  for (const auto& [name, text] : members()) names.push_back(name);
  const std::string calibration = "calibration/" + out.calibration().filename().string();
  EXPECT_THAT(names, Contains(calibration));
  for (const char* file : {"config.json", "manifest.json", "steps.jsonl"}) {
    EXPECT_THAT(names, Contains(std::string("windows/b-restored-6/") + file));
  }
  EXPECT_EQ(check(), 0);
  test::NoisyFolder red;
  for (auto& step : red.b_short.record.steps) step.loss *= 1.001f;
  ASSERT_EQ(red.write()["verdict"], "NOT_REPRODUCED");
  pack(red);
  EXPECT_EQ(check(), 1);
}

TEST_F(Bundle, ACalibrationOrAShortRunThatWasChangedIsFoundByJudgingAgain) {
  test::NoisyFolder out;
  out.write();
  const std::string calibration = "calibration/" + out.calibration().filename().string();
  for (const std::string& name : {calibration, std::string("windows/a-restored-6/steps.jsonl")}) {
    pack(out);
    forge(name, [](std::string text) {
      const std::size_t digit = text.find_last_of("0123456789");
      text[digit] = text[digit] == '1' ? '2' : '1';
      return text;
    });
    EXPECT_THAT(broken(), HasSubstr("do not give its verdict")) << name;
    Members without = members();
    std::erase_if(without, [&](const auto& member) { return member.first == name; });
    write(without);
    EXPECT_THAT(broken(), HasSubstr("do not give its verdict")) << name;
  }
}

TEST_F(Bundle, StatisticsThatWereSaidOtherwiseAreFound) {
  test::NoisyFolder out;
  out.write();
  for (const auto& [pointer, to] :
       std::vector<std::pair<std::string, json>>{{"/statistics/scores/0", 0.001},
                                                 {"/statistics/settings/alpha", 0.05},
                                                 {"/statistics/candidates/0/p", 0.9},
                                                 {"/statistics/windows/0/centre/0", 1.0},
                                                 {"/statistics/equivalences/0/low", 0.0}}) {
    pack(out);
    forge("verdict.json", [&](const std::string& text) {
      json value = json::parse(text);
      value[json::json_pointer(pointer)] = to;
      return json_text(value);
    });
    EXPECT_THAT(broken(), HasSubstr("do not give its verdict. the statistics'")) << pointer;
  }
}

TEST_F(Bundle, WhatIsNoBundleIsSaid) {
  const auto usage = [&](const std::filesystem::path& file) {
    return test::message_of<UsageError>([&] { UnpackedBundle bundle(file); });
  };
  EXPECT_THAT(usage(folder_.path() / "none"), HasSubstr("does not exist"));
  EXPECT_THAT(usage(folder_.path()), HasSubstr("is a folder"));
  EXPECT_THAT(usage(folder_.write("e", "")), HasSubstr("is empty"));
  EXPECT_THAT(usage(folder_.write("t", "some text")), HasSubstr("is no bundle"));
}

}  // namespace
}  // namespace twinrun::harness
