#pragma once

#include <string>
#include <vector>

#include "harness/cli/doctor_checks.h"

namespace twinrun::harness {

/// All that `twinrun doctor` found.
struct DoctorReport {
  std::vector<DoctorCheck> checks;
  std::optional<NumericsReport> numerics;  ///< nullopt: the trainer could not be asked
};

/// The worst of all checks, `numerics->breaks` included: what the caller can fix counts more than
/// what could not be looked at.
DoctorCheck::State overall_state(const DoctorReport& report);

/// For a person, in lines of at most 100 columns (a longer word, such as a path, is not cut): the
/// checks; what the numerics mode sets, what would break it, what it cannot promise; a conclusion.
std::string doctor_text(const DoctorReport& report, bool color);

/// {"schema":1,"state","checks":[...],"numerics":{...} or null}, with a line feed at the end.
std::string doctor_json(const DoctorReport& report);

}  // namespace twinrun::harness
