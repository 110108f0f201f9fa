#include "harness/stats/text_scores.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "harness/stats/random.h"
#include "tests/harness/stats/text_reference.h"

namespace twinrun::harness {
namespace {

using Texts = std::vector<std::string>;

TEST(SquadNormalized, EqualsPythonsOwnFunctions) {
  ASSERT_FALSE(kTextCases.empty());
  for (const TextCase& known : kTextCases) {
    EXPECT_EQ(squad_normalized(known.answer), known.answer_plain) << known.answer;
    EXPECT_EQ(squad_normalized(known.reference), known.reference_plain) << known.reference;
  }
}

TEST(SquadNormalized, KeepsWhatIsBeyondAsciiAsItIs) {
  EXPECT_EQ(squad_normalized("The \xc3\x84rzte"), "\xc3\x84rzte");
  EXPECT_EQ(squad_normalized("a\xc3\xa9 the"), "a\xc3\xa9");
  EXPECT_EQ(squad_normalized(std::string("x\0y", 3)), std::string("x\0y", 3));
}

TEST(SquadNormalized, DoneTwiceIsDoneOnce) {
  // Taking punctuation out may leave an article, but both happen in that order each time.
  for (const TextCase& known : kTextCases) {
    EXPECT_EQ(squad_normalized(known.answer_plain), known.answer_plain);
  }
}

TEST(ExactMatch, ComparesWhatIsLeft) {
  for (const TextCase& known : kTextCases) {
    EXPECT_EQ(exact_match(known.answer, known.reference),
              known.answer_plain == known.reference_plain);
  }
  EXPECT_TRUE(exact_match("The Cat.", "cat"));
  EXPECT_TRUE(exact_match("the", ""));
  EXPECT_FALSE(exact_match("cat", "cats"));
}

TEST(TokenF1, EqualsTheCountsOfPython) {
  for (const TextCase& known : kTextCases) {
    EXPECT_NEAR(token_f1(known.answer, known.reference), known.f1, 1e-15) << known.answer;
    EXPECT_NEAR(token_f1(known.reference, known.answer), known.f1, 1e-15);
  }
}

TEST(TokenF1, OfNoWordsIsZeroEvenAgainstNone) {
  EXPECT_EQ(token_f1("", ""), 0);
  EXPECT_EQ(token_f1("the", "a"), 0);
  EXPECT_EQ(token_f1("", "cat"), 0);
}

TEST(LabelScores, EqualThoseOfSklearn) {
  ASSERT_FALSE(kLabelCases.empty());
  for (const LabelCase& known : kLabelCases) {
    const LabelScores found = label_scores(known.answers, known.references);
    EXPECT_NEAR(found.accuracy, known.accuracy, 1e-15);
    EXPECT_NEAR(found.macro_f1, known.macro_f1, 1e-14);
  }
}

TEST(LabelScores, AnAnswerThatIsNoLabelIsWrongAndTakesNoLabelsPrecision) {
  // yes: 1 hit of 1 answer and 2 references, 2/3; no: 1 of 1 and 1.
  const LabelScores found = label_scores(Texts{"yes", "perhaps", "no"}, Texts{"yes", "Yes.", "no"});
  EXPECT_DOUBLE_EQ(found.accuracy, 2.0 / 3);
  EXPECT_DOUBLE_EQ(found.macro_f1, (2.0 / 3 + 1) / 2);
}

TEST(MacroF1, OfWeightsIsThatOfItemsSoRepeated) {
  const LabelCase& known = kLabelCases[3];
  const LabelIndices items = label_indices(known.answers, known.references);
  Random random(9);
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<std::int64_t> weights;
    Texts answers, references;
    for (std::size_t i = 0; i < known.answers.size(); ++i) {
      // Mostly none, so that whole labels are missing at times.
      const std::uint32_t drawn = random.below(10);
      weights.push_back(drawn < 2 ? drawn + 1 : 0);
      for (std::int64_t k = 0; k < weights.back(); ++k) {
        answers.push_back(known.answers[i]);
        references.push_back(known.references[i]);
      }
    }
    if (answers.empty()) continue;
    // Labels are summed in another order.
    EXPECT_NEAR(macro_f1(items, weights), label_scores(answers, references).macro_f1, 1e-15);
  }
}

TEST(LabelIndices, TwoSystemsHaveTheSameNumbers) {
  const Texts references = {"b", "a", "B."};
  const LabelIndices one = label_indices(Texts{"a", "a", "c"}, references);
  const LabelIndices other = label_indices(Texts{"b", "x", "A"}, references);
  EXPECT_EQ(one.references, other.references);
  EXPECT_EQ(one.references, (std::vector<std::int32_t>{0, 1, 0}));
  EXPECT_EQ(one.answers, (std::vector<std::int32_t>{1, 1, -1}));
  EXPECT_EQ(one.labels, 2);
}

TEST(LabelScores, UnequalNumbersAndNoItemsAreRefused) {
  EXPECT_THROW(label_scores(Texts{"a"}, Texts{"a", "b"}), std::invalid_argument);
  EXPECT_THROW(label_scores(Texts{}, Texts{}), std::invalid_argument);
  const LabelIndices items = label_indices(Texts{"a", "b"}, Texts{"a", "a"});
  EXPECT_THROW(macro_f1(items, std::vector<std::int64_t>{1}), std::invalid_argument);
  EXPECT_THROW(macro_f1(items, std::vector<std::int64_t>{1, -1}), std::invalid_argument);
  EXPECT_THROW(macro_f1(items, std::vector<std::int64_t>{0, 0}), std::invalid_argument);
}

}  // namespace
}  // namespace twinrun::harness
