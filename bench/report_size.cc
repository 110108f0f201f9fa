// What a report of many steps costs: time and size of `twinrun report --format html`, for runs that
// are equal and for ones that differ in the last step. The bar: below 2 s and 2 MB for 100,000
// steps.
//
//   report_size TWINRUN FOLDER [STEPS]      writes some 3 x 73 MB below FOLDER, and leaves them
//   there
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "bench/made_up_run.h"
#include "harness/cli/judge.h"
#include "harness/report/text.h"

namespace {

using namespace twinrun;
namespace fs = std::filesystem;

constexpr int kRepetitions = 5;

void write_verdict(const fs::path& out) {
  harness::JudgeInput input;
  input.base = out;
  input.runs = {{"a", harness::read_run(out / "a"), {}, ""},
                {"b", harness::read_run(out / "b"), {}, ""}};
  input.without_controls = true;
  input.control_missing = "waived by --without-controls";
  protocol::write_file_atomically(out / "verdict.json",
                                  harness::json_text(harness::to_json(harness::judge(input))));
}

/// Runs `twinrun report`; false if it fails.
bool measure(const std::string& twinrun, const fs::path& out, const char* what) {
  const fs::path page = out / "report.html";
  const std::string command = harness::shell_quote(twinrun) + " report " +
                              harness::shell_quote((out / "verdict.json").string()) +
                              " --format html --out " + harness::shell_quote(page.string());
  std::vector<double> seconds;
  for (int i = 0; i <= kRepetitions; ++i) {
    const auto start = std::chrono::steady_clock::now();
    if (std::system(command.c_str()) != 0) return false;
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
    if (i > 0) seconds.push_back(wall.count());  // the first pass warms the page cache
  }
  std::sort(seconds.begin(), seconds.end());
  std::printf("%s: %.0f kB; wall s: median %.2f, min %.2f, max %.2f of %d\n", what,
              static_cast<double>(fs::file_size(page)) / 1e3, seconds[seconds.size() / 2],
              seconds.front(), seconds.back(), kRepetitions);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    std::cerr << "usage: report_size TWINRUN FOLDER [STEPS]\n";
    return 2;
  }
  const fs::path folder = argv[2];
  const std::int64_t steps = argc == 4 ? std::atoll(argv[3]) : 100'000;
  for (const bool differs : {false, true}) {
    const fs::path out = folder / (differs ? "differs" : "equal");
    bench::write_run(out / "a", steps, false);
    bench::write_run(out / "b", steps, differs);
    write_verdict(out);
    if (!measure(argv[1], out, differs ? "last step differs" : "equal")) return 1;
  }
  return 0;
}
