#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/evaluate/judge_evaluation.h"

namespace twinrun::harness {

/// `evaluation` of verdict.json; null if nothing was asked for. The scores are those of the last
/// evaluation of each run, of all rows and by category.
nlohmann::json evaluation_json(const EvaluationReport& report);

/// For people, of the first run: "40 rows: loss 2.31, exact match 12.5, token F1 30.2".
std::vector<std::string> evaluation_lines(const EvaluationReport& report);

}  // namespace twinrun::harness
