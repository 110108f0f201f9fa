#include "harness/compare/same_bytes.h"

#include <gtest/gtest.h>

#include "tests/temp_folder.h"

namespace twinrun::harness {
namespace {

TEST(CommonPrefixTest, EndsAtTheFirstByteThatDiffersOrAtTheShorterEnd) {
  const test::TempFolder folder;
  const auto a = folder.path() / "a", b = folder.path() / "b";
  const std::string text(700000, 'x');
  test::write_file(a, text);
  for (const std::size_t at : {0, 1, 262143, 262144, 262145, 524288, 699999}) {
    std::string other = text;
    other[at] = 'y';
    test::write_file(b, other);
    EXPECT_EQ(common_prefix(a, b), at);
    test::write_file(b, text.substr(0, at));
    EXPECT_EQ(common_prefix(a, b), at);
    EXPECT_EQ(common_prefix(b, a), at);
  }
  EXPECT_EQ(common_prefix(a, a), text.size());
  EXPECT_THROW(common_prefix(a, folder.path() / "none"), std::runtime_error);
}

TEST(LineBeginTest, IsTheLastLineStartUpToAByte) {
  const test::TempFolder folder;
  const auto file = folder.path() / "lines";
  test::write_file(file, "ab\n\n" + std::string(600000, 'x') + "\nc");
  EXPECT_EQ(line_begin(file, 0), 0u);
  EXPECT_EQ(line_begin(file, 2), 0u);
  EXPECT_EQ(line_begin(file, 3), 3u);
  EXPECT_EQ(line_begin(file, 4), 4u);
  EXPECT_EQ(line_begin(file, 600004), 4u);
  EXPECT_EQ(line_begin(file, 600005), 600005u);
  EXPECT_EQ(line_begin(file, 600006), 600005u);
}

}  // namespace
}  // namespace twinrun::harness
