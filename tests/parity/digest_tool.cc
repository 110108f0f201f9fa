// Prints what the C++ side makes of files that another language wrote, for the parity tests:
//
//   digest_tool safetensors FILE    one line `name hex` a tensor, then `group hex`
//   digest_tool canonical FILE      the canonical form of a JSON file
//   digest_tool eval FILE           an eval.jsonl, read and written again
//   digest_tool run DIR [LIKE]      verdict, reason and problem of a run folder; with LIKE the
//                                   comparison of both and the seed-plus-one control
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "harness/compare/compare.h"
#include "harness/compare/safetensors_digests.h"
#include "harness/protocol/canonical_json.h"
#include "harness/protocol/eval_reader.h"
#include "harness/protocol/strict_json.h"

namespace {

using namespace twinrun;

int print_safetensors(const char* file) {
  const auto digests = harness::safetensors_digests(file);
  for (const auto& [name, digest] : digests) {
    std::cout << name << ' ' << protocol::to_hex(digest) << '\n';
  }
  std::cout << "group " << protocol::to_hex(protocol::group_digest(digests)) << '\n';
  return 0;
}

int print_canonical(const char* file) {
  std::ifstream stream(file, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(stream)), {});
  std::string problem;
  const auto value = protocol::parse_strict_json(text, problem);
  if (!value) {
    std::cerr << problem << '\n';
    return 2;
  }
  std::cout << protocol::canonical_json(*value);
  return 0;
}

int print_eval(const char* file) {
  const auto read = protocol::read_eval(file);
  if (const auto* problem = std::get_if<protocol::EvalProblem>(&read)) {
    std::cerr << problem->reason << ": " << problem->at(file) << '\n';
    return 2;
  }
  const auto& good = std::get<protocol::EvalFile>(read);
  std::string text = format_eval_header(good.header) + '\n';
  for (const auto& item : good.items) text += format_eval_item(item) + '\n';
  std::cout << text
            << sealing_line(protocol::kEvalSeal, static_cast<std::int64_t>(good.items.size()),
                            protocol::sha256(text));
  return 0;
}

int print_run(const char* dir, const char* other) {
  const auto run = harness::read_run(dir);
  std::cout << to_string(run.verdict) << ' ' << run.reason << ' ' << run.problem << '\n';
  if (other == nullptr) return 0;
  const auto second = harness::read_run(other);
  const auto comparison = harness::compare_runs(run, second);
  std::cout << to_string(comparison.verdict) << ' ' << comparison.reason << ' '
            << comparison.message << '\n';
  const auto control = harness::control_seed_plus_one(run, second);
  std::cout << (control.passed ? "passed " : "failed ") << control.message << '\n';
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string command = argc > 2 ? argv[1] : "";
  if (command == "safetensors") return print_safetensors(argv[2]);
  if (command == "canonical") return print_canonical(argv[2]);
  if (command == "eval") return print_eval(argv[2]);
  if (command == "run") return print_run(argv[2], argc > 3 ? argv[3] : nullptr);
  std::cerr << "usage: digest_tool safetensors|canonical|eval|run PATH [PATH]\n";
  return 2;
}
