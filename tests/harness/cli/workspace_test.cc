#include "harness/cli/workspace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "harness/exit_code.h"
#include "tests/temp_folder.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string usage_error(const fs::path& folder) {
  return test::message_of<UsageError>([&] { claim_folder(folder, "--out"); });
}

TEST(ClaimFolder, TakesANewOrAnEmptyOne) {
  const test::TempFolder folder;
  claim_folder(folder.path() / "x" / "y", "--out");
  EXPECT_TRUE(fs::is_directory(folder.path() / "x" / "y"));
  EXPECT_EQ(usage_error(folder.path() / "x" / "y"), "");
}

TEST(ClaimFolder, RefusesWhatHoldsAnythingAndTouchesNothing) {
  const test::TempFolder folder;
  folder.write("old", "text");
  EXPECT_THAT(usage_error(folder.path()), HasSubstr("is not empty; nothing was touched"));
  EXPECT_EQ(fs::file_size(folder.path() / "old"), 4u);
}

TEST(ClaimFolder, RefusesAFile) {
  const test::TempFolder folder;
  EXPECT_THAT(usage_error(folder.write("file", "")), HasSubstr("is not a folder"));
  EXPECT_THAT(usage_error(folder.path() / "file" / "below"), HasSubstr("--out: "));
}

TEST(DefaultOutputFolder, NeverExistsAndStaysInsideItsParent) {
  const fs::path folder = default_output_folder("../odd/name");
  EXPECT_FALSE(fs::exists(folder));
  EXPECT_EQ(folder.parent_path(), "twinrun-out");
}

TEST(FindTrainer, RefusesWhatIsNotExecutable) {
  const test::TempFolder folder;
  const fs::path file = folder.write("trainer", "");
  EXPECT_THAT(test::message_of<UsageError>([&] { find_trainer(file.string()); }),
              HasSubstr("is not an executable file"));
  fs::permissions(file, fs::perms::owner_all);
  EXPECT_EQ(find_trainer(file.string()), file);
}

TEST(UtcNow, IsIso8601) {
  EXPECT_THAT(utc_now(), testing::MatchesRegex("[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+Z"));
}

TEST(SourceDate, IsSaidInUtcOrRefused) {
  ASSERT_EQ(unsetenv("SOURCE_DATE_EPOCH"), 0);
  EXPECT_EQ(source_date(), "");
  ASSERT_EQ(setenv("SOURCE_DATE_EPOCH", "1700000000", 1), 0);
  EXPECT_EQ(source_date(), "2023-11-14T22:13:20Z");
  EXPECT_EQ(stamp_now(), source_date());
  for (const char* wrong : {"yesterday", "-1", "1.5", "123456789012"}) {
    ASSERT_EQ(setenv("SOURCE_DATE_EPOCH", wrong, 1), 0);
    EXPECT_THROW(source_date(), UsageError) << wrong;
    EXPECT_THROW(stamp_now(), UsageError) << wrong;
  }
  unsetenv("SOURCE_DATE_EPOCH");
}

}  // namespace
}  // namespace twinrun::harness
