#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/infer/judge_inference.h"

namespace twinrun::harness {

/// `inference` of verdict.json; null if no outputs were judged.
nlohmann::json inference_json(const InferenceReport& report);

/// A line of a terminal: a label of at most 11 columns, and what stands behind it.
struct TerminalLine {
  std::string label, text;
};

/// For people, three lines at most: the text of the reference (or first run) and that of the run
/// where they first part, with a mark before the part that differs. Empty if nothing parts.
std::vector<TerminalLine> parting_texts(const InferenceReport& report);

}  // namespace twinrun::harness
