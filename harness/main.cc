#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness/cli/cli.h"
#include "harness/exit_code.h"
#include "harness/launch/launch.h"
#include "harness/report/printable.h"

namespace {

using twinrun::harness::ExitCode;

int fail(const std::string& message, ExitCode code) {
  std::string text;
  // A continued line is indented, so that no text of a file can start a line of ours.
  for (const char c : twinrun::harness::printable(message)) {
    text += c == '\n' ? std::string("\n  ") : std::string(1, c);
  }
  std::cerr << "twinrun: " << text << "\n";
  return static_cast<int>(code);
}

int run(const std::vector<std::string>& args) {
  try {
    const int code = twinrun::harness::run_command_line(args);
    std::cout.flush();
    // A verdict that nobody could read must not look green.
    if (!std::cout) throw std::runtime_error("standard output could not be written");
    return code;
  } catch (const twinrun::harness::UsageError& error) {
    return fail(error.what(), ExitCode::kUsage);
  } catch (const twinrun::harness::NoVerdictError& error) {
    return fail(error.what(), ExitCode::kNoVerdict);
  } catch (const twinrun::harness::EvidenceError& error) {
    return fail(error.what(), ExitCode::kEvidence);
  } catch (const std::exception& error) {
    return fail(std::string("internal error: ") + error.what(), ExitCode::kInternal);
  }
}

}  // namespace

int main(int argc, char** argv) {
  twinrun::harness::install_interrupt_handlers();
  const int code = run({argv + (argc > 0 ? 1 : 0), argv + argc});
  const int signal = twinrun::harness::interrupt_signal();
  return signal == 0 ? code : 128 + signal;
}
