#pragma once

#include <filesystem>
#include <string>

namespace twinrun::harness {

/// The case that a command without CASE.yaml means, as seen from the current folder: twinrun.yaml,
/// or else the one baselines/*/case.yaml.
///
/// Throws UsageError where there is none, and, with their names, where there are several; `hint` is
/// put behind the message.
std::filesystem::path find_case(const std::string& hint = "");

}  // namespace twinrun::harness
