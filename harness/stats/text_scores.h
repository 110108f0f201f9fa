#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace twinrun::harness {

// Scores of answers in text against references, by the rules of the evaluation of SQuAD v1.1:
// Rajpurkar, Zhang, Lopyrev, Liang, "SQuAD: 100,000+ questions for machine comprehension of text",
// EMNLP 2016, section 6.1. Where an item has several references the largest score counts, which is
// the caller's to take.

/// Lower case, without punctuation (the 32 ASCII characters that are neither letter, digit, space
/// nor control), without the words a, an, the, words parted by single spaces.
///
/// ASCII only: any byte above 127 is kept and counts as a letter. The official script differs in
/// that it also lowers other alphabets, parts words at the spaces of Unicode, and takes an article
/// out that stands next to a quotation mark or dash of Unicode. In plain ASCII both agree.
std::string squad_normalized(std::string_view text);

/// Whether both are the same after squad_normalized; so two that are empty then are.
bool exact_match(std::string_view answer, std::string_view reference);

/// Harmonic mean of precision and recall of the words after squad_normalized, each counted as often
/// as it stands in both. In [0, 1]; 0 where either has no words left, even if neither has (version
/// 2.0 of the rules gives 1 there).
double token_f1(std::string_view answer, std::string_view reference);

/// Labels as numbers, so that they can be counted again and again.
struct LabelIndices {
  std::vector<std::int32_t> references;  ///< [items], in [0, labels)
  std::vector<std::int32_t> answers;     ///< [items], in [0, labels), or -1: no reference has it
  std::int32_t labels = 0;
};

/// Labels are texts that differ after squad_normalized; they are numbered in the order in which
/// references name them, so that two systems with the same references have the same numbers.
///
/// Throws std::invalid_argument unless there are as many answers as references.
LabelIndices label_indices(std::span<const std::string> answers,
                           std::span<const std::string> references);

/// Macro F1 where item i counts weights[i] times: the mean, over labels that the references of
/// counted items have, of 2 hits / (answers with the label + references with it); an answer that is
/// none of the labels is wrong and belongs to none. Equals label_scores of items so repeated.
///
/// Throws std::invalid_argument unless there is a weight an item, none is negative and one is not
/// 0.
double macro_f1(const LabelIndices& items, std::span<const std::int64_t> weights);

struct LabelScores {
  double accuracy = 0;  ///< share of items whose label is the reference's
  double macro_f1 = 0;  ///< each label of the references counts the same, however rare
};

/// Throws std::invalid_argument unless there are as many answers as references, and at least one.
/// Sokolova and Lapalme, "A systematic analysis of performance measures for classification tasks",
/// Information Processing and Management 45, 2009, with F1 averaged over labels.
LabelScores label_scores(std::span<const std::string> answers,
                         std::span<const std::string> references);

}  // namespace twinrun::harness
