#include "harness/protocol/append_file.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/temp_folder.h"

namespace twinrun::protocol {
namespace {

using Open = AppendFile::Open;

TEST(AppendFile, ANewOneMustNotExist) {
  const test::TempFolder folder;
  AppendFile file(folder.path() / "lines", Open::kNew);
  EXPECT_TRUE(file.append("one\n"));
  EXPECT_EQ(file.position(), 4u);
  EXPECT_THROW(AppendFile(folder.path() / "lines", Open::kNew), std::runtime_error);
}

TEST(AppendFile, ContinuedPassesOverEqualLinesAndWritesBehindThem) {
  const test::TempFolder folder;
  const auto path = folder.write("lines", "one\ntwo\n");
  AppendFile file(path, Open::kContinue, 4);
  EXPECT_FALSE(file.at_end());
  EXPECT_TRUE(file.append("two\n"));
  EXPECT_TRUE(file.at_end());
  EXPECT_TRUE(file.append("three\n"));
  EXPECT_EQ(test::read_file(path), "one\ntwo\nthree\n");
}

TEST(AppendFile, AnotherLineIsSaidAndNothingIsTouched) {
  const test::TempFolder folder;
  const auto path = folder.write("lines", "one\ntwo\n");
  AppendFile file(path, Open::kContinue);
  EXPECT_FALSE(file.append("onE\n"));
  EXPECT_FALSE(file.append("one\ntwo\nthree\n"));
  EXPECT_EQ(file.position(), 0u);
  EXPECT_EQ(test::read_file(path), "one\ntwo\n");
  EXPECT_TRUE(file.append("one\n"));
}

TEST(AppendFile, CutsATornLastLineAndNoMore) {
  const test::TempFolder folder;
  const std::string torn(200'000, 'x');  // longer than one window of the search
  const auto path = folder.write("lines", "one\ntwo\n" + torn);
  AppendFile file(path, Open::kContinue, 8);
  EXPECT_EQ(test::read_file(path), "one\ntwo\n");
  EXPECT_TRUE(file.at_end());
  const auto only_torn = folder.write("torn", torn);
  AppendFile other(only_torn, Open::kContinue);
  EXPECT_TRUE(other.append("one\n"));
  EXPECT_EQ(test::read_file(only_torn), "one\n");
}

TEST(AppendFile, TheSearchForTheLastLineFeedCrossesWindows) {
  const test::TempFolder folder;
  for (const std::size_t torn : {65'534, 65'535, 65'536, 65'537}) {
    const auto path = folder.write("lines", "a\n" + std::string(torn, 'x'));
    AppendFile file(path, Open::kContinue);
    EXPECT_EQ(test::read_file(path), "a\n") << torn;
  }
}

}  // namespace
}  // namespace twinrun::protocol
