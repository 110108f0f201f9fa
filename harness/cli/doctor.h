#pragma once

#include <string>
#include <vector>

namespace twinrun::harness {

/// `twinrun doctor [CASE.yaml]`: what on this machine or in this case would break a run. The table
/// (or with --json an object with `checks` and `state`) goes to stdout.
///
/// Returns 0 if nothing would, warnings included; 2 if there is a problem that the caller has to
/// fix; 3 if a check could not be carried out. Throws UsageError for bad arguments.
int doctor_command(const std::vector<std::string>& args);

}  // namespace twinrun::harness
