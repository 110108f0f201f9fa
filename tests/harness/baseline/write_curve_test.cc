#include "harness/baseline/write_curve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/exit_code.h"
#include "tests/harness/baseline/curve_fixture.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

const std::string kVerdict = "{\"verdict\":\"REPRODUCED\"}\n";

std::string refused(const std::string& target) {
  return test::message_of<UsageError>([&] { curve_target(target, "--write-curve"); });
}

TEST(WriteCurve, FreezesTheRecordVerbatimAndDescribesIt) {
  const CurveFolder folder;
  const RunView run = folder.run("a");
  const fs::path file = write_curve({folder.curves, true}, run, kVerdict, "2026-03-01T12:00:00Z");
  const json key = comparability_key(run);
  EXPECT_EQ(file, folder.curves / (fingerprint(key) + ".jsonl"));
  EXPECT_EQ(test::read_file(file), test::read_file(run.dir / "steps.jsonl"));
  const json description = json::parse(test::read_file(description_of(file)));
  EXPECT_EQ(description.at("schema"), 1);
  EXPECT_EQ(description.at("key"), key);
  EXPECT_EQ(description.at("head"), run.manifest.at("head"));
  EXPECT_TRUE(description.at("accepted").is_null());
  const json& maker = description.at("made_by");
  EXPECT_EQ(maker.at("date"), "2026-03-01T12:00:00Z");
  EXPECT_EQ(maker.at("verdict_sha256"), protocol::to_hex(protocol::sha256(kVerdict)));
  EXPECT_EQ(maker.at("device_name"), "cpu");
  EXPECT_EQ(maker.at("driver"), "1");
  EXPECT_EQ(maker.at("cpu_model"), "m");
  EXPECT_TRUE(maker.at("trainer_binary").is_null());
  EXPECT_FALSE(maker.at("twinrun_version").get<std::string>().empty());
  EXPECT_TRUE(maker.at("git_commit").is_string());
  EXPECT_TRUE(maker.at("git_dirty").is_boolean());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.curves), fs::directory_iterator()), 2);
}

TEST(WriteCurve, TakesANameOfTheCallers) {
  const CurveFolder folder;
  const fs::path wanted = folder.curves / "mine.jsonl";
  const CurveTarget target = curve_target(wanted.string(), "--write-curve");
  EXPECT_FALSE(target.folder);
  EXPECT_EQ(write_curve(target, folder.run("a"), kVerdict, ""), wanted);
  EXPECT_TRUE(fs::exists(folder.curves / "mine.json"));
}

TEST(WriteCurve, NeverWritesOverACurveOrHalfOfOne) {
  for (const bool record : {true, false}) {
    const CurveFolder folder;
    const fs::path file = folder.freeze();
    const fs::path half = record ? file : description_of(file);
    fs::remove(record ? description_of(file) : file);
    const std::string before = test::read_file(half);
    EXPECT_THROW(folder.freeze(), UsageError);
    EXPECT_EQ(test::read_file(half), before);
    EXPECT_THAT(refused(file.string()), HasSubstr("not written over"));
  }
}

TEST(WriteCurve, RefusesARunThatStoppedEarly) {
  const CurveFolder folder;
  const RunChange early = [](auto& run) {
    run.config.launch["stop_after"] = 2;
    run.record.steps.resize(2);
    run.record.end.steps = 2;
  };
  EXPECT_THAT(test::message_of<UsageError>([&] { folder.freeze(early); }),
              HasSubstr("2 of 6 steps"));
  EXPECT_TRUE(fs::is_empty(folder.curves));
}

TEST(WriteCurve, LeavesNothingIfTheDescriptionCannotBeWritten) {
  const CurveFolder folder;
  // The temporary file of the description is in the way as a folder.
  fs::create_directory(folder.curves / "mine.json.new.tmp");
  test::write_file(folder.curves / "mine.json.new.tmp" / "full", "");
  EXPECT_THROW(write_curve({folder.curves / "mine.jsonl", false}, folder.run("a"), kVerdict, ""),
               std::runtime_error);
  EXPECT_FALSE(curve_exists(folder.curves / "mine.jsonl"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.curves), fs::directory_iterator()), 1);
}

TEST(CurveTargetTest, IsAFolderOrAFileInOne) {
  const CurveFolder folder;
  EXPECT_TRUE(curve_target(folder.curves.string(), "--write-curve").folder);
  EXPECT_TRUE(curve_target(folder.curves.string() + "/", "--write-curve").folder);
  EXPECT_FALSE(curve_target((folder.curves / "x.jsonl").string(), "--write-curve").folder);
}

TEST(CurveTargetTest, WhatCannotBecomeACurveIsRefusedByName) {
  const CurveFolder folder;
  const std::string none = (folder.folder.path() / "none").string();
  EXPECT_THAT(refused(none + "/"), HasSubstr("--write-curve: there is no folder"));
  EXPECT_THAT(refused(none + "/x.jsonl"), HasSubstr("there is no folder"));
  EXPECT_THAT(refused((folder.curves / "x.json").string()), HasSubstr("has to end in .jsonl"));
  EXPECT_THAT(refused((folder.curves / "x").string()), HasSubstr("has to end in .jsonl"));
  EXPECT_THAT(refused((folder.curves / ".jsonl").string()), HasSubstr("has to end in .jsonl"));
  EXPECT_THAT(refused(""), HasSubstr("has to end in .jsonl"));
}

}  // namespace
}  // namespace twinrun::harness
