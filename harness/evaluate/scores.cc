#include "harness/evaluate/scores.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "harness/stats/text_scores.h"

namespace twinrun::harness {
namespace {

using protocol::EvalItem;

std::vector<std::string> answers_of(const std::vector<const EvalItem*>& items) {
  std::vector<std::string> texts;
  for (const EvalItem* item : items) texts.push_back(*item->answer);
  return texts;
}

std::vector<std::string> references_of(const std::vector<const EvalItem*>& items) {
  std::vector<std::string> texts;
  for (const EvalItem* item : items) texts.push_back(item->reference);
  return texts;
}

SliceScores score(const std::string& slice, const std::vector<const EvalItem*>& items,
                  bool labels) {
  SliceScores scores;
  scores.slice = slice;
  scores.rows = static_cast<std::int64_t>(items.size());
  double nll = 0, tokens = 0, exact = 0, f1 = 0;
  bool answered = true;
  for (const EvalItem* item : items) {
    nll += item->nll;
    tokens += static_cast<double>(item->tokens);
    answered = answered && item->answer;
    if (!item->answer) continue;
    exact += exact_match(*item->answer, item->reference) ? 1 : 0;
    f1 += token_f1(*item->answer, item->reference);
  }
  scores.loss = nll / tokens;
  scores.perplexity = std::exp(scores.loss);
  if (!answered) return scores;
  const double rows = static_cast<double>(items.size());
  scores.exact_match = 100 * exact / rows;
  scores.token_f1 = 100 * f1 / rows;
  if (!labels) return scores;
  const LabelScores found = label_scores(answers_of(items), references_of(items));
  scores.accuracy = 100 * found.accuracy;
  scores.macro_f1 = 100 * found.macro_f1;
  return scores;
}

}  // namespace

bool are_labels(std::span<const EvalItem> items) {
  std::set<std::string> labels;
  for (const EvalItem& item : items) labels.insert(squad_normalized(item.reference));
  return labels.size() <= kLabelsMax && 2 * labels.size() <= items.size();
}

std::vector<std::string> slices_of(std::span<const EvalItem> items) {
  std::set<std::string> names;
  for (const EvalItem& item : items) {
    if (item.category) names.insert(*item.category);
  }
  return {names.begin(), names.end()};
}

std::vector<SliceScores> score_slices(std::span<const EvalItem> items) {
  const bool labels = are_labels(items);
  std::vector<const EvalItem*> all;
  for (const EvalItem& item : items) all.push_back(&item);
  std::vector<SliceScores> list;
  if (all.empty()) return list;
  list.push_back(score("", all, labels));
  for (const std::string& slice : slices_of(items)) {
    std::vector<const EvalItem*> some;
    for (const EvalItem& item : items) {
      if (item.category == slice) some.push_back(&item);
    }
    list.push_back(score(slice, some, labels));
  }
  return list;
}

}  // namespace twinrun::harness
