#pragma once

#include <filesystem>
#include <string>

#include "harness/report/evidence.h"
#include "harness/report/verdict_file.h"

namespace twinrun::harness {

/// Annotations of one level that are printed at most; GitHub drops what comes behind the tenth.
inline constexpr std::size_t kAnnotationsMax = 9;

/// The verdict as GitHub workflow commands, a line each: an error for what is red and where no
/// verdict could be given, a warning for records that are not there and faults planted on purpose,
/// a notice for what is green and for checks that did not run. They point at the case file where
/// that lies below `workspace`. Of each level at most kAnnotationsMax, and one more line that
/// counts the rest.
std::string to_github(const VerdictFile& verdict, const Evidence& evidence,
                      const std::filesystem::path& workspace);

}  // namespace twinrun::harness
