#include "tests/e2e/toy_case.h"

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace twinrun {

using nlohmann::json;

ToyCase::ToyCase() { params("{}"); }

void ToyCase::params(const std::string& flow_mapping) const {
  write("case.yaml", std::string("schema: 1\n"
                                 "name: toy\n"
                                 "seed: 42\n"
                                 "train: {steps: 6}\n"
                                 "numerics: deterministic\n"
                                 "verify: {step_timeout_s: 60}\n"
                                 "trainer:\n"
                                 "  command: [" E2E_PYTHON ", " TWINRUN_SOURCE_DIR
                                 "/tests/e2e/fake_trainer.py]\n"
                                 "  params: ") +
                         flow_mapping + "\n");
}

namespace {

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos) throw std::logic_error("not there: " + from);
  return text.replace(at, from.size(), to);
}

}  // namespace

void ToyCase::own_trainer() const {
  const std::string folder = TWINRUN_SOURCE_DIR "/tests/e2e/";
  write("fake_digests.py", read(folder + "fake_digests.py"));  // which the copy imports
  write("trainer.py", read(folder + "fake_trainer.py"));
  write("case.yaml", replaced(read("case.yaml"), folder + "fake_trainer.py", "trainer.py"));
}

void ToyCase::change_trainer(const std::string& from, const std::string& to) const {
  write("trainer.py", replaced(read("trainer.py"), from, to));
}

ProcessOptions ToyCase::command(const std::vector<std::string>& args) const {
  ProcessOptions options;
  options.command = {TWINRUN_BIN_DIR "/twinrun"};
  options.command.insert(options.command.end(), args.begin(), args.end());
  options.cwd = folder_.path();
  return options;
}

ProcessResult ToyCase::twinrun(const std::vector<std::string>& args) const {
  return run_process(command(args));
}

ProcessResult ToyCase::verify(const std::vector<std::string>& args) const {
  std::vector<std::string> all = {"verify", "case.yaml", "--out", "out"};
  all.insert(all.end(), args.begin(), args.end());
  return twinrun(all);
}

json ToyCase::verdict() const { return read_json("out/verdict.json"); }

json ToyCase::check(const json& verdict, const std::string& name) {
  for (const json& check : verdict.at("checks")) {
    if (check.at("name") == name) return check;
  }
  throw std::logic_error("no check " + name);
}

std::string ToyCase::read(const std::string& name) const {
  std::ostringstream text;
  text << std::ifstream(path(name), std::ios::binary).rdbuf();
  return text.str();
}

json ToyCase::read_json(const std::string& name) const { return json::parse(read(name)); }

void ToyCase::write(const std::string& name, const std::string& text) const {
  std::ofstream(path(name), std::ios::binary) << text;
}

std::vector<std::string> ToyCase::lines(const std::string& name) const {
  std::istringstream text(read(name));
  std::vector<std::string> list;
  for (std::string line; std::getline(text, line);) list.push_back(line);
  return list;
}

void ToyCase::write_lines(const std::string& name, const std::vector<std::string>& list) const {
  std::string text;
  for (const std::string& line : list) text += line + "\n";
  write(name, text);
}

}  // namespace twinrun
