#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>

#include "trainer/numerics/options.h"

namespace twinrun::trainer {

/// An environment variable that a library reads and that may change bits or explain why they
/// differ. `deterministic` refuses values that are not fine; `portable` calls no library that reads
/// them, and `fast` promises nothing, so these refuse none. All that are set stand in the manifest.
struct Variable {
  const char* name;
  const char*
      fine;  ///< the values that `deterministic` takes, for people; null: all, it is recorded
  bool (*is_fine)(const std::string& value, const NumericsOptions& options);
  const char* why;  ///< what another value does; for one that is only recorded, why it may be set
};

/// The table, in the order in which people read it.
std::span<const Variable> numeric_variables();

/// The value of an environment variable; empty if it is unset.
std::string variable(const char* name);

/// What the value that `row` has now breaks, and what to do; nullopt if it is fine or unset.
std::optional<std::string> refusal(const Variable& row, const NumericsOptions& options);

/// Sets what libraries read once, when they are first used, and leaves alone what is set.
void set_environment(const NumericsOptions& options);

/// Throws NumericsError naming the first variable that the mode refuses, else sets the environment.
/// Call before LibTorch does any work.
void prepare_environment(const NumericsOptions& options);

/// Names of the variables of the table that are set, with their values, for the manifest.
nlohmann::json numeric_environment();

}  // namespace twinrun::trainer
