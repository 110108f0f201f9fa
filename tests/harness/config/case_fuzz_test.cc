#include <gmock/gmock.h>

#include <random>

#include "tests/harness/config/case_fixture.h"

namespace twinrun::harness {
namespace {

/// Garbage has two ways out: a UsageError, or a case whose identity has a digest.
class CaseFuzz : public CaseFixture {
 protected:
  void feed(const std::string& text) const {
    try {
      static_cast<void>(resolve(text).config.identity_digest());
    } catch (const UsageError& error) {
      EXPECT_STRNE(error.what(), "");
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what() << "\nfor: " << ::testing::PrintToString(text);
    }
  }

  // mt19937_64's sequence is fixed by the standard; distributions are not, so none is used.
  std::mt19937_64 random_{20240607};
};

TEST_F(CaseFuzz, RandomBytesNeverCrash) {
  for (int i = 0; i < 2000; ++i) {
    std::string text(random_() % 200, '\0');
    for (char& c : text) c = static_cast<char>(random_() % 256);
    feed(text);
  }
}

TEST_F(CaseFuzz, RandomYamlPunctuationNeverCrashes) {
  const std::string alphabet = "{}[]:,-?&*!|>'\"%@`#~\n\n  \t.ab10_";
  for (int i = 0; i < 6000; ++i) {
    std::string text(random_() % 60, '\0');
    for (char& c : text) c = alphabet[random_() % alphabet.size()];
    feed(text);
  }
}

TEST_F(CaseFuzz, MutatedValidCasesNeverCrash) {
  const std::string alphabet = "{}[]:,-?&*!|>'\"%#~\n \t.a017_\x80\xff";
  const std::string foreign = "trainer: {command: [sh], params: {a: [1, {b: 2.5}], \"c\": ~}}\n";
  for (int i = 0; i < 6000; ++i) {
    std::string text = valid() + (random_() % 2 == 0 ? foreign : "");
    const std::uint64_t mutations = 1 + random_() % 4;
    for (std::uint64_t m = 0; m < mutations; ++m) {
      const std::size_t at = random_() % text.size();
      const std::size_t count = random_() % 8;
      switch (random_() % 4) {
        case 0:
          text[at] = alphabet[random_() % alphabet.size()];
          break;
        case 1:
          text.erase(at, count);
          break;
        case 2:
          text.insert(at, 1, alphabet[random_() % alphabet.size()]);
          break;
        default:
          text.insert(at, text.substr(random_() % text.size(), count * 4));
      }
      if (text.empty()) break;
    }
    feed(text);
  }
}

}  // namespace
}  // namespace twinrun::harness
