#pragma once

#include <string>
#include <utility>

#include "harness/report/describe.h"

namespace twinrun::harness {

// The sections of describe(), in its order; one without blocks is left out.

ReportSection compared_section(const VerdictFile& verdict, const Evidence& evidence);
ReportSection divergence_section(const VerdictFile& verdict);
ReportSection curves_section(const VerdictFile& verdict, const Evidence& evidence);
ReportSection statistics_section(const VerdictFile& verdict, const Evidence& evidence);
ReportSection evaluation_section(const VerdictFile& verdict);
ReportSection baseline_section(const VerdictFile& verdict);
ReportSection inference_section(const VerdictFile& verdict);
ReportSection cost_section(const VerdictFile& verdict, const Evidence& evidence);
ReportSection controls_section(const VerdictFile& verdict);
ReportSection runs_section(const Evidence& evidence);
ReportSection inputs_section(const VerdictFile& verdict, const Evidence& evidence);
ReportSection machine_section(const Evidence& evidence);
ReportSection differences_section(const VerdictFile& verdict);
ReportSection again_section(const VerdictFile& verdict);
ReportSection limits_section(const VerdictFile& verdict, const Evidence& evidence);
ReportSection vouching_section(const VerdictFile& verdict, const std::string& made);

/// What statistics_section says of runs of different kinds of machine.
ReportSection across_section(const VerdictFile& verdict);

// Shared by them.

/// The check `name`; null if the verdict has none.
nlohmann::json check_named(const VerdictFile& verdict, const std::string& name);
/// Then it stands among what was not shown.
bool did_not_run(const nlohmann::json& check);
/// Whether the verdict is one of outputs, as `infer-check` gives it: there are no twins.
bool only_outputs(const VerdictFile& verdict);
/// What was compared of such a verdict.
Facts outputs_facts(const VerdictFile& verdict);

/// Drawing and table of the differences that were held against margins; nothing if none was.
void add_equivalence(ReportSection& section, const VerdictFile& verdict);
/// Levels, margins and their digest.
void add_margins(Facts& facts, const VerdictFile& verdict);
/// `twinrun compare a b`, of the runs of the verdict.
std::string compare_command_line(const VerdictFile& verdict);
/// `message`, and if it is that of the check `evaluation`, both values of the row that it names.
std::string with_row_values(const VerdictFile& verdict, const std::string& message);
/// Both texts whole where they are short, else from a little before they part.
std::pair<std::string, std::string> side_by_side(const std::string& a, const std::string& b);

/// First step that differs, with its bits and tensors; `a`, `b` name the sides.
void add_divergence(ReportSection& section, const nlohmann::json& first, const std::string& a,
                    const std::string& b);
/// A table of fields that differ, the first 40 of them, and how many more there are; nothing if
/// none does.
void add_differences(ReportSection& section, const nlohmann::json& list, const std::string& a,
                     const std::string& b);
/// A row; of an empty `text` it says "not recorded".
void add_fact(Facts& facts, const std::string& name, const std::string& text, bool code = false);
/// `1,234,567`.
std::string grouped(std::int64_t number);

}  // namespace twinrun::harness
