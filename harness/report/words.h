#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "harness/compare/verdict.h"

namespace twinrun::harness {

/// What a verdict says, and what it does not, for one who never saw twinrun.
std::string meaning_of(Verdict verdict);

/// The same of a verdict that is about outputs alone.
std::string meaning_of_outputs(Verdict verdict);

/// The same of runs that promise no bits.
std::string meaning_without_bits(Verdict verdict);

/// The same of runs of different kinds of machine.
std::string meaning_across(Verdict verdict);

/// What the check or control `name` asks, in words; empty for one that is not known here.
std::string question_of(const std::string& name);

/// The same of runs that promise no bits, and of runs of different kinds of machine.
std::string question_without_bits(const std::string& name);
std::string question_across(const std::string& name);

/// `twinrun 1.0, commit X, with local changes`, of the object `twinrun` of a verdict.
std::string version_words(const nlohmann::json& program);

/// What a field of a record is (`loss`, `grad`, ...); the name itself for one not known here.
std::string field_words(const std::string& field);

}  // namespace twinrun::harness
