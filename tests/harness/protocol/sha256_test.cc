#include "harness/protocol/sha256.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/temp_folder.h"

namespace twinrun::protocol {
namespace {

// FIPS 180-4 example values.
constexpr char kEmpty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr char kAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr char kMillionA[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

TEST(Sha256Test, EqualsThePublishedValues) {
  EXPECT_EQ(to_hex(sha256(std::string_view())), kEmpty);
  EXPECT_EQ(to_hex(sha256(std::string_view("abc"))), kAbc);
}

TEST(Sha256Test, PiecesAddUpAndFinishStartsOver) {
  Sha256 hasher;
  for (int i = 0; i < 1000; ++i) hasher.update(std::string(1000, 'a'));
  EXPECT_EQ(to_hex(hasher.finish()), kMillionA);
  EXPECT_EQ(to_hex(hasher.update("a").update("bc").finish()), kAbc);
  EXPECT_EQ(to_hex(hasher.finish()), kEmpty);
}

TEST(Sha256Test, AMovedHasherKeepsItsState) {
  Sha256 first;
  first.update("ab");
  Sha256 second = std::move(first);
  EXPECT_EQ(to_hex(second.update("c").finish()), kAbc);
}

TEST(Sha256Test, ThreadsDoNotDisturbEachOther) {
  std::vector<std::string> found(4);
  {
    std::vector<std::jthread> threads;
    for (std::string& text : found) {
      threads.emplace_back([&text] {
        for (int i = 0; i < 1000; ++i) text = to_hex(sha256(std::string_view("abc")));
      });
    }
  }
  for (const std::string& text : found) EXPECT_EQ(text, kAbc);
}

TEST(Sha256Test, FileDigestIsThatOfItsBytes) {
  const test::TempFolder folder;
  const auto path = folder.path() / "file";
  test::write_file(path, std::string(3000000, 'x'));
  EXPECT_EQ(sha256_file(path), sha256(std::string(3000000, 'x')));
}

TEST(Sha256Test, SoFarTellsWithoutStartingOver) {
  Sha256 hasher;
  EXPECT_EQ(hasher.so_far(), sha256(std::string_view()));
  hasher.update(std::string_view("a"));
  EXPECT_EQ(hasher.so_far(), sha256(std::string_view("a")));
  hasher.update(std::string_view("bc"));
  EXPECT_EQ(hasher.so_far(), sha256(std::string_view("abc")));
  EXPECT_EQ(hasher.finish(), sha256(std::string_view("abc")));
}

TEST(Sha256Test, UnreadableFileIsNamed) {
  try {
    sha256_file("/nowhere/file");
    FAIL() << "no exception";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("/nowhere/file"), std::string::npos);
  }
  EXPECT_THROW(sha256_file("/"), std::runtime_error);
}

TEST(DigestFromHexTest, IsTheInverseOfToHex) {
  EXPECT_EQ(digest_from_hex(kAbc), sha256(std::string_view("abc")));
}

TEST(DigestFromHexTest, RefusesAllButSixtyFourLowerCaseDigits) {
  const std::string good = kAbc;
  EXPECT_FALSE(digest_from_hex(good.substr(1)));
  EXPECT_FALSE(digest_from_hex(good + "0"));
  for (const char bad : {'A', 'g', ' ', '/', ':', '`', '\0', '\xff'}) {
    std::string text = good;
    text[17] = bad;
    EXPECT_FALSE(digest_from_hex(text)) << bad;
  }
}

}  // namespace
}  // namespace twinrun::protocol
