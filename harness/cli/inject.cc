#include "harness/cli/inject.h"

#include <algorithm>
#include <stdexcept>

#include "harness/exit_code.h"
#include "harness/protocol/run_config.h"
#include "harness/report/text.h"

namespace twinrun::harness {

void require_fault(const std::string& fault, std::int64_t steps) {
  protocol::Injection injection;
  try {
    injection = protocol::parse_injection(fault);
  } catch (const std::runtime_error& error) {
    throw UsageError(std::string("--inject: ") + error.what());
  }
  if (injection.step > steps) {
    throw UsageError("--inject: '" + fault + "': the run has " + count_of(steps, "step") + " only");
  }
}

std::vector<RunInjection> parse_run_injections(const std::vector<std::string>& texts,
                                               const std::vector<std::string>& run_names,
                                               std::int64_t steps) {
  std::vector<RunInjection> injections;
  for (const std::string& text : texts) {
    const std::size_t colon = text.find(':');
    if (colon == std::string::npos) {
      throw UsageError("--inject: '" + one_line(text) + "' has to be RUN:KIND@STEP, as in b:lr@3");
    }
    const std::string run = text.substr(0, colon);
    const bool known = std::find(run_names.begin(), run_names.end(), run) != run_names.end();
    if (!known && run != "both") {
      throw UsageError("--inject: no run '" + one_line(run) + "'; there are " +
                       list_words(run_names) + ", and `both` for every run");
    }
    require_fault(text.substr(colon + 1), steps);
    injections.push_back({run, text.substr(colon + 1)});
  }
  return injections;
}

std::vector<std::string> faults_of(const std::vector<RunInjection>& injections,
                                   const std::string& run) {
  std::vector<std::string> faults;
  for (const RunInjection& injection : injections) {
    if (injection.run == run || injection.run == "both") faults.push_back(injection.fault);
  }
  return faults;
}

}  // namespace twinrun::harness
