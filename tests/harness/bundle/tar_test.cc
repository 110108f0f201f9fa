#include "harness/bundle/tar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/exit_code.h"
#include "tests/temp_folder.h"

namespace twinrun::harness {
namespace {

using testing::HasSubstr;

class Tar : public testing::Test {
 protected:
  std::filesystem::path path() const { return folder_.path() / "x.tar"; }

  void write(const std::vector<std::pair<std::string, std::string>>& members) const {
    TarWriter tar(path());
    for (const auto& [name, text] : members) tar.add_text(name, text);
    tar.finish();
  }

  /// Names and texts of all members.
  std::vector<std::pair<std::string, std::string>> read() const {
    std::vector<std::pair<std::string, std::string>> members;
    TarReader tar(path());
    while (const auto member = tar.next()) {
      members.push_back({member->name, ""});
      tar.read([&](std::string_view piece) { members.back().second += piece; });
    }
    return members;
  }
  std::string problem() const {
    return test::message_of<EvidenceError>([&] { read(); });
  }
  test::TempFolder folder_;
};

TEST_F(Tar, ReadsWhatItWrites) {
  const std::vector<std::pair<std::string, std::string>> members = {
      {"d/a", "text"},
      {"d/empty", ""},
      {"d/block", std::string(512, 'x')},
      {"d/long", std::string(3'000'000, 'y')},
      {"d/" + std::string(90, 'p') + "/" + std::string(95, 'n'), "split"}};
  write(members);
  EXPECT_EQ(read(), members);
  EXPECT_EQ(std::filesystem::file_size(path()) % kTarBlock, 0u);
}

TEST_F(Tar, AFileIsStreamedAndHasToKeepItsLength) {
  const auto source = folder_.write("source", std::string(1'500'000, 'z'));
  {
    TarWriter tar(path());
    tar.add_file("f", source, 1'500'000);
    tar.finish();
  }
  EXPECT_EQ(read().front().second.size(), 1'500'000u);
  TarWriter tar(folder_.path() / "y.tar");
  EXPECT_THROW(tar.add_file("f", source, 1'500'001), std::runtime_error);
}

TEST_F(Tar, NothingIsLeftOfOneThatWasNotFinished) {
  { TarWriter tar(path()); }
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(Tar, AnyFlippedBitOfAHeaderOrOfThePaddingIsFound) {
  write({{"d/a", "text"}, {"d/b", "more"}});
  const std::string good = test::read_file(path());
  for (std::size_t i = 0; i < good.size(); ++i) {
    const bool data = (i >= 512 && i < 516) || (i >= 1536 && i < 1540);  // digests look after that
    if (data) continue;
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    test::write_file(path(), bad);
    // A name that reads as another one is a whole header only with its own checksum.
    EXPECT_NE(problem(), "") << "byte " << i;
  }
}

TEST_F(Tar, OneThatIsCutIsFoundWhereverItIs) {
  write({{"d/a", "text"}, {"d/b", std::string(700, 'x')}});
  const std::string good = test::read_file(path());
  for (std::size_t bytes = 0; bytes < good.size(); bytes += 61) {
    test::write_file(path(), good.substr(0, bytes));
    EXPECT_THAT(problem(), HasSubstr("cut short")) << bytes;
  }
  test::write_file(path(), good + '\0');
  EXPECT_THAT(problem(), HasSubstr("behind the end"));
}

/// A header with its checksum made right again.
std::string signed_header(std::string header) {
  header.replace(148, 8, 8, ' ');
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  char text[8];
  std::snprintf(text, sizeof text, "%06o", sum);
  header.replace(148, 7, text, 7);
  return header;
}

TEST_F(Tar, LinksFoldersDevicesAndOtherOwnersAreRefused) {
  const std::string end(1024, '\0');
  for (const char type : {'1', '2', '3', '4', '5', '6', 'x', 'g', 'L', '\0'}) {
    std::string header = tar_header("d/a", 0);
    header[156] = type;
    header.replace(157, 11, "/etc/passwd");
    test::write_file(path(), signed_header(header) + end);
    EXPECT_THAT(problem(), HasSubstr("is no regular file")) << type;
  }
  for (const auto& [at, text] : std::vector<std::pair<std::size_t, std::string>>{
           {100, "0004755"}, {108, "0000001"}, {136, "00000000000"}, {265, "root"}}) {
    std::string header = tar_header("d/a", 0);
    header.replace(at, text.size(), text);
    test::write_file(path(), signed_header(header) + end);
    EXPECT_THAT(problem(), HasSubstr("no header of a twinrun bundle")) << at;
  }
}

TEST_F(Tar, PathsThatLeaveAreRefused) {
  const std::string end(1024, '\0');
  for (const char* name :
       {"/etc/x", "../x", "d/../../x", "d//x", "./x", "d/.", "d\\x", "d/\x1b[2J"}) {
    std::string header = tar_header("d", 0);
    header.replace(0, std::string(name).size(), name);
    test::write_file(path(), signed_header(header) + end);
    ASSERT_NE(tar_name_problem(name), "") << name;
    EXPECT_THAT(problem(), HasSubstr(tar_name_problem(name)));
  }
  EXPECT_EQ(tar_name_problem(std::string(101, 'n')), "the path is too long");
  EXPECT_EQ(tar_name_problem(""), "a name is empty");
  EXPECT_EQ(tar_name_problem("d/..x/y..z"), "");
}

}  // namespace
}  // namespace twinrun::harness
