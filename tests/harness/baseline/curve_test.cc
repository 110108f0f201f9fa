#include "harness/baseline/curve.h"

#include <gtest/gtest.h>

#include "tests/harness/baseline/curve_fixture.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

void expect_reason(const fs::path& file, const std::string& reason) {
  const Curve curve = read_curve(file);
  EXPECT_EQ(curve.reason, reason) << curve.problem;
  EXPECT_FALSE(curve.intact());
}

TEST(ReadCurve, WhatWasWrittenIsIntact) {
  const CurveFolder folder;
  const fs::path file = folder.freeze();
  const Curve curve = read_curve(file);
  EXPECT_TRUE(curve.intact()) << curve.problem;
  EXPECT_EQ(curve.reason, "intact");
  EXPECT_EQ(curve.summary.end->steps, 6);
  EXPECT_EQ(curve.sha256, protocol::to_hex(protocol::sha256_file(file)));
  EXPECT_EQ(described_key(file), curve.description.at("key"));
}

TEST(ReadCurve, AFlippedBitAnywhereInTheRecordIsFound) {
  const CurveFolder folder;
  const fs::path file = folder.freeze();
  const std::string good = test::read_file(file);
  for (std::size_t i = 0; i < good.size(); i += 37) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ (1 << i % 8));
    test::write_file(file, bad);
    expect_reason(file, "curve_replaced");
  }
}

TEST(ReadCurve, AFlippedBitIsFoundByTheChainToo) {
  const CurveFolder folder;
  const fs::path file = folder.freeze();
  const std::string good = test::read_file(file);
  for (std::size_t i = 0; i < good.size(); i += 97) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    test::write_file(file, bad);
    CurveFolder::describe(file, [&](auto& description) {
      description["sha256"] = protocol::to_hex(protocol::sha256(bad));
    });
    EXPECT_FALSE(read_curve(file).intact()) << "byte " << i;
  }
}

TEST(ReadCurve, AFlippedBitOfWhatADescriptionPromisesIsFound) {
  const CurveFolder folder;
  const fs::path file = folder.freeze();
  const std::string good = test::read_file(description_of(file));
  const std::size_t free_begin = good.find("\"made_by\""), free_end = good.find('}', free_begin);
  ASSERT_NE(free_begin, std::string::npos);
  for (std::size_t i = 0; i < good.size(); ++i) {
    // White space may become other white space, and who made it is for people.
    if ((i >= free_begin && i < free_end) || good[i] == ' ' || good[i] == '\n') continue;
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    test::write_file(description_of(file), bad);
    EXPECT_FALSE(read_curve(file).intact()) << "byte " << i << ": " << bad[i];
  }
}

TEST(ReadCurve, HalfACurveIsNone) {
  for (const bool record : {true, false}) {
    const CurveFolder folder;
    const fs::path file = folder.freeze();
    fs::remove(record ? file : description_of(file));
    EXPECT_TRUE(curve_exists(file));
    expect_reason(file, record ? "curve_missing" : "curve_description_missing");
  }
}

TEST(ReadCurve, AnEmptyFileIsNone) {
  const CurveFolder folder;
  const fs::path file = folder.freeze();
  const std::string description = test::read_file(description_of(file));
  test::write_file(description_of(file), "");
  expect_reason(file, "curve_description_malformed");
  test::write_file(description_of(file), description);
  test::write_file(file, "");
  expect_reason(file, "curve_replaced");
  CurveFolder::describe(file, [](auto& changed) {
    changed["sha256"] = protocol::to_hex(protocol::sha256(std::string_view()));
  });
  expect_reason(file, "curve_incomplete");
}

TEST(ReadCurve, ACutRecordIsNoneWhateverItsDescriptionSays) {
  const CurveFolder folder;
  const fs::path file = folder.freeze();
  const std::string good = test::read_file(file);
  test::write_file(file, good.substr(0, good.size() - 1));
  expect_reason(file, "curve_replaced");
  auto lines = CurveFolder::record().lines();
  lines.pop_back();
  CurveFolder::forge(file, lines);
  expect_reason(file, "curve_incomplete");
}

TEST(ReadCurve, ARecordThatEndsBeforeItsStepsIsNone) {
  const CurveFolder folder;
  const fs::path file = folder.freeze();
  auto record = CurveFolder::record();
  record.steps.resize(3);
  record.end.steps = 3;
  CurveFolder::forge(file, record.lines());
  expect_reason(file, "curve_incomplete");
  EXPECT_NE(read_curve(file).problem.find("3 of 6 steps"), std::string::npos);
}

TEST(ReadCurve, StepsThatAreNotInOrderAreNone) {
  const CurveFolder folder;
  const fs::path file = folder.freeze();
  auto record = CurveFolder::record();
  record.steps.erase(record.steps.begin() + 2);
  CurveFolder::forge(file, record.lines());
  expect_reason(file, "curve_missing_step");
  auto lines = CurveFolder::record().lines();
  std::swap(lines[3], lines[4]);
  CurveFolder::forge(file, lines);
  expect_reason(file, "curve_chain_broken");
}

TEST(ReadCurve, AnotherHeadIsFound) {
  const CurveFolder folder;
  const fs::path file = folder.freeze();
  CurveFolder::describe(file, [](auto& changed) { changed["head"] = std::string(64, '0'); });
  expect_reason(file, "curve_head_mismatch");
}

TEST(ReadCurve, TheKeyHasToBeThatOfTheName) {
  const CurveFolder folder;
  const fs::path file = folder.freeze();
  const fs::path other = folder.curves / "0123456789abcdef.jsonl";
  fs::copy_file(file, other);
  fs::copy_file(description_of(file), description_of(other));
  expect_reason(other, "curve_key_mismatch");
  EXPECT_FALSE(described_key(other));
  CurveFolder::describe(file, [](auto& changed) { changed["key"]["world_size"] = 2; });
  expect_reason(file, "curve_key_mismatch");
}

TEST(ReadCurve, TheRecordHasToBeOfTheKey) {
  const std::vector<std::function<void(protocol::RecordHeader&)>> changes = {
      [](auto& header) { header.identity = std::string(64, '5'); },
      [](auto& header) { header.arithmetic = "another/1"; },
      [](auto& header) { header.promise = protocol::Promise::kNone; }};
  for (const auto& change : changes) {
    const CurveFolder folder;
    const fs::path file = folder.freeze();
    auto record = CurveFolder::record();
    change(record.header);
    CurveFolder::forge(file, record.lines());
    expect_reason(file, "curve_key_mismatch");
  }
}

TEST(ReadCurve, ADescriptionHoldsItsFieldsAndNothingElse) {
  const json accepted = {{"who", "w"},
                         {"when", "2026-03-01T12:00:00Z"},
                         {"why", "y"},
                         {"verdict_sha256", std::string(64, 'a')}};
  const CurveFolder folder;
  const fs::path file = folder.freeze();
  const std::string good = test::read_file(description_of(file));
  CurveFolder::describe(file, [&](auto& changed) { changed["accepted"] = accepted; });
  EXPECT_TRUE(read_curve(file).intact()) << read_curve(file).problem;
  std::vector<json> bad(8, json::parse(good));
  bad[0]["extra"] = 1;
  bad[1]["schema"] = 2;
  bad[2]["schema"] = 1.0;
  bad[3]["accepted"] = {{"who", "w"}};
  bad[4]["accepted"] = accepted;
  bad[4]["accepted"]["verdict_sha256"] = "abc";
  bad[5]["sha256"] = "ABC";
  bad[6]["made_by"] = nullptr;
  bad[7] = json::array();
  for (const char* field : {"schema", "key", "sha256", "head", "made_by", "accepted"}) {
    bad.push_back(json::parse(good));
    bad.back().erase(field);
  }
  for (const json& description : bad) {
    test::write_file(description_of(file), description.dump());
    expect_reason(file, "curve_description_malformed");
  }
}

TEST(ReadCurve, WhatIsNoFileIsUnreadableButThere) {
  const CurveFolder folder;
  const fs::path file = folder.freeze();
  const fs::path elsewhere = folder.folder.path() / "nowhere";
  for (const fs::path& path : {file, description_of(file)}) {
    const std::string text = test::read_file(path);
    fs::remove(path);
    fs::create_directory(path);
    expect_reason(file, "curve_unreadable");
    fs::remove(path);
    fs::create_symlink(elsewhere, path);
    EXPECT_TRUE(curve_exists(file));
    expect_reason(file, "curve_unreadable");
    test::write_file(path, text);
  }
  EXPECT_TRUE(read_curve(file).intact());
}

TEST(CurveExists, IsFalseWhereThereIsNeitherHalf) {
  const CurveFolder folder;
  EXPECT_FALSE(curve_exists(folder.curves / "0123456789abcdef.jsonl"));
  EXPECT_FALSE(curve_exists(folder.folder.path() / "none" / "0123456789abcdef.jsonl"));
}

}  // namespace
}  // namespace twinrun::harness
