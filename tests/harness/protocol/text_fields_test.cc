#include "harness/protocol/text_fields.h"

#include <gmock/gmock.h>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace twinrun::protocol {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

const std::vector<std::string> kFields = {"messages",    "prompt", "response",
                                          "instruction", "input",  "output"};
const std::vector<std::string> kTemplates = {"chatml", "llama3", "mistral", "text", "alpaca", ""};

json line_of(const std::set<std::string>& fields) {
  json line = {{"id", 1}, {"category", "passed over"}};
  for (const std::string& field : fields) line[field] = "a";
  return line;
}

TEST(SampleFields, ThoseOfTheTemplateAreTaken) {
  for (const char* chat : {"chatml", "llama3", "mistral", ""}) {
    EXPECT_EQ(sample_fields_problem(line_of({"messages"}), chat), "");
    EXPECT_EQ(sample_fields_problem(line_of({"prompt", "response"}), chat), "");
  }
  EXPECT_EQ(sample_fields_problem(line_of({"prompt", "response"}), "text"), "");
  EXPECT_EQ(sample_fields_problem(line_of({"instruction", "input", "output"}), "alpaca"), "");
  // Of no template's concern: a column of data that were tokenized before.
  EXPECT_EQ(sample_fields_problem(line_of({"messages", "ids", "text"}), "chatml"), "");
}

TEST(SampleFields, EveryOtherIsRefusedByName) {
  const std::map<std::string, std::set<std::string>> taken = {
      {"alpaca", {"instruction", "input", "output"}}, {"text", {"prompt", "response"}}};
  for (const std::string& name : kTemplates) {
    const auto own = taken.contains(name) ? taken.at(name) : std::set<std::string>{"messages"};
    for (const std::string& field : kFields) {
      if (own.contains(field)) continue;
      auto fields = own;
      fields.insert(field);
      EXPECT_THAT(sample_fields_problem(line_of(fields), name),
                  AllOf(HasSubstr("has '" + field + "'"), HasSubstr(name), HasSubstr(" takes '")));
    }
  }
  EXPECT_EQ(
      sample_fields_problem(line_of({"messages", "instruction"}), "chatml"),
      "has 'instruction' beside 'messages'; template chatml takes 'messages', or 'prompt' and "
      "'response'");
  EXPECT_THAT(sample_fields_problem(line_of({"prompt", "response", "input"}), "chatml"),
              HasSubstr("has 'input'; "));
}

TEST(PromptFields, OneSaysThePrompt) {
  for (const char* chat : {"chatml", "llama3", "mistral", ""}) {
    for (const char* field : {"messages", "prompt", "ids"}) {
      EXPECT_EQ(prompt_fields_problem(line_of({field}), chat), "");
    }
    EXPECT_THAT(prompt_fields_problem(line_of({"messages", "prompt"}), chat),
                HasSubstr("has 'prompt' beside 'messages'"));
    EXPECT_THAT(prompt_fields_problem(line_of({"messages", "ids"}), chat),
                HasSubstr("has 'messages' beside 'ids'"));
  }
  EXPECT_EQ(prompt_fields_problem(line_of({"prompt"}), "text"), "");
  EXPECT_EQ(prompt_fields_problem(line_of({"instruction"}), "alpaca"), "");
  EXPECT_EQ(prompt_fields_problem(line_of({"instruction", "input"}), "alpaca"), "");
  for (const std::string& name : kTemplates) {
    EXPECT_EQ(prompt_fields_problem(line_of({"ids"}), name), "");
    EXPECT_THAT(prompt_fields_problem(line_of({}), name), HasSubstr("has no prompt; "));
    for (const std::string& field : kFields) {
      EXPECT_THAT(prompt_fields_problem(line_of({"ids", field}), name),
                  HasSubstr("has '" + field + "'"));
    }
  }
  EXPECT_THAT(prompt_fields_problem(line_of({"input"}), "alpaca"), HasSubstr("has no prompt; "));
}

TEST(PromptFields, AnswersAndFieldsOfOtherTemplatesAreRefusedByName) {
  for (const std::string& name : kTemplates) {
    const std::string own = name == "alpaca" ? "instruction" : "prompt";
    for (const char* field : {"response", "output"}) {
      EXPECT_EQ(
          prompt_fields_problem(line_of({own, field}), name),
          "has '" + std::string(field) + "'; a prompt ends where the assistant begins to speak");
    }
    const std::string other = name == "alpaca" ? "prompt" : "instruction";
    EXPECT_THAT(prompt_fields_problem(line_of({own, other}), name),
                HasSubstr("has '" + other + "'; "));
    EXPECT_THAT(prompt_fields_problem(line_of({other}), name), HasSubstr("has '" + other + "'; "));
  }
  EXPECT_THAT(prompt_fields_problem(line_of({"messages"}), "text"), HasSubstr("has 'messages'"));
  EXPECT_THAT(prompt_fields_problem(line_of({"prompt", "input"}), "chatml"),
              HasSubstr("has 'input'; template chatml takes 'messages', 'prompt' or 'ids'"));
}

}  // namespace
}  // namespace twinrun::protocol
