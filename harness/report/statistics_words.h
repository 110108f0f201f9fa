#pragma once

#include <string>
#include <vector>

#include "harness/report/verdict_file.h"

namespace twinrun::harness {

/// Whether the runs promise no bits, so that they were judged by calibration and equivalence.
bool without_bits(const VerdictFile& verdict);

/// Whether they were made by different kinds of machine and judged as such (`compare --across`).
bool across_machines(const VerdictFile& verdict);
/// `two kinds of machine`, of such runs.
std::string kinds_words(const VerdictFile& verdict);
/// Whether one of `equivalences` is of a part of the held-out rows, which decides nothing.
bool is_slice(const nlohmann::json& found);

/// What such a verdict says, in a sentence: "no detectable difference at alpha = 0.01, equivalent
/// within 0.001 nats a token"; of different kinds of machine "equivalent within 0.001 nats a token
/// on two kinds of machine". Empty unless it is REPRODUCED: else a check says it.
std::string closeness_sentence(const VerdictFile& verdict);

/// What was found of the envelope, and of equivalence, a sentence each, with the numbers.
std::string envelope_sentence(const VerdictFile& verdict);
std::vector<std::string> equivalence_sentences(const VerdictFile& verdict);

/// The commands that bring what is missing; empty if nothing is that a command could bring.
std::string missing_commands(const VerdictFile& verdict);

/// `loss`, `gradient norm`; the name itself for one not known here. So are the next.
std::string channel_words(const std::string& channel);
/// How a score came about: `by a jump of that step`.
std::string part_words(const std::string& part);
/// `from the start`, `from the checkpoint of step 150`.
std::string window_words(const std::string& window);
/// `final loss` of `final_loss_nats`, `exact match` of `exact_match_points`.
std::string metric_words(const std::string& metric);
/// `nats a token`, `points`; empty for one not known here.
std::string metric_unit(const std::string& metric);
/// `not finite` of `not_finite`.
std::string outcome_words(const std::string& outcome);
/// `final loss, runs a and b`, `exact match, capitals, runs a and b`, of one of `equivalences`.
std::string equivalence_name(const nlohmann::json& found);

}  // namespace twinrun::harness
