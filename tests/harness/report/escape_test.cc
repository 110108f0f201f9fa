#include "harness/report/escape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(XmlEscape, LeavesNoMarkup) {
  EXPECT_EQ(xml_escape("<script>alert(\"1\")&'</script>"),
            "&lt;script&gt;alert(&quot;1&quot;)&amp;&#39;&lt;/script&gt;");
}

TEST(XmlEscape, LeavesNoCharacterThatXmlForbids) {
  EXPECT_EQ(xml_escape(std::string_view("a\0\x0b\x1b"
                                        "b",
                                        5)),
            "a\\x00\\x0b\\x1b"
            "b");
  EXPECT_EQ(xml_escape("\xef\xbf\xbe\xef\xbf\xbf"), "\\xef\\xbf\\xbe\\xef\\xbf\\xbf");
  EXPECT_EQ(xml_escape("\xff"), "\\xff");
  EXPECT_EQ(xml_escape("a\n\tb"), "a\n\tb");
}

TEST(MarkdownText, LeavesNoMarkup) {
  EXPECT_EQ(markdown_text("<img src=x> *b* _i_ [l](u) `c` | ~s~ &amp; $m$ :x: a\\b"),
            "\\<img src=x\\> \\*b\\* \\_i\\_ \\[l\\](u) \\`c\\` \\| \\~s\\~ \\&amp; \\$m\\$ "
            "\\:x: a\\\\b");
  EXPECT_EQ(markdown_text("1. item"), "1\\. item");
  EXPECT_EQ(markdown_text("12) item"), "12\\) item");
  EXPECT_EQ(markdown_text("- item"), "\\- item");
  EXPECT_EQ(markdown_text("==="), "\\===");
  EXPECT_EQ(markdown_text("run a: step 1, 1.5 s"), "run a: step 1, 1.5 s");
}

TEST(MarkdownText, IsOneLine) {
  EXPECT_EQ(markdown_text("a\n# b\r\n> c"), "`a # b\\x0d > c`");
  EXPECT_EQ(markdown_text("a\n\nb"), "a  b");
}

TEST(MarkdownText, NobodyIsMentionedAndNothingLinked) {
  for (const char* text :
       {"@everyone", "see #1", "https://x.example", "www.x.example", "GH-1", "mailto:a"}) {
    EXPECT_EQ(markdown_text(text), "`" + std::string(text) + "`");
  }
}

TEST(MarkdownCode, NoBacktickEndsIt) {
  EXPECT_EQ(markdown_code("a`b"), "``a`b``");
  EXPECT_EQ(markdown_code("``` `"), "```` ``` ` ````");
  EXPECT_EQ(markdown_code("a|b"), "`a\\|b`");
  EXPECT_EQ(markdown_code(""), "");
}

TEST(WorkflowMessage, StartsNoCommandOfItsOwn) {
  EXPECT_EQ(workflow_message("a\n::error::b\r::c::d%0Ae"), "a ::error::b\\x0d::c::d%250Ae");
  EXPECT_EQ(workflow_property("a,b::c%"), "a%2Cb%3A%3Ac%25");
}

TEST(Shown, CutsLongText) {
  const std::string cut = shown(std::string(1'000'000, 'x'));
  EXPECT_EQ(columns(cut), kShownColumns);
  EXPECT_THAT(cut, testing::EndsWith("x..."));
  EXPECT_THAT(shown("a\x1b[2J\nb"), Not(HasSubstr("\n")));
}

}  // namespace
}  // namespace twinrun::harness
