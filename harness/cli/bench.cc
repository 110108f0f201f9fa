#include <unistd.h>

#include <charconv>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <set>
#include <sstream>

#include "harness/bench/arm_process.h"
#include "harness/bench/bench_report.h"
#include "harness/bench/session_file.h"
#include "harness/cli/bench_switches.h"
#include "harness/cli/commands.h"
#include "harness/cli/judge.h"
#include "harness/cli/options.h"
#include "harness/cli/resolve.h"
#include "harness/cli/workspace.h"
#include "harness/exit_code.h"
#include "harness/launch/launch.h"
#include "harness/report/progress.h"
#include "harness/report/text.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

CommandSpec bench_spec() {
  CommandSpec spec;
  spec.name = "bench";
  spec.operands = "CASE.yaml";
  spec.purpose =
      "What determinism costs: times steps of the case in `deterministic` against `fast`, in\n"
      "alternating windows of warm processes, with controls beside it (a second process of `fast`\n"
      "has to give 1, an injected delay of 3 % has to be seen), and holds the ratio's interval\n"
      "against a budget. Writes OUT/bench.json. Leave the machine alone while it runs.";
  spec.flags.add_options()  //
      ("budget", po::value<std::string>()->value_name("RATIO"),
       "largest allowed ratio of step times (default 1.05)")  //
      ("modes", po::value<std::string>()->value_name("A,B,..."),
       "numerics modes, each held against the first (default fast,deterministic)")  //
      ("attribute",
       "then also each switch of `deterministic` alone on and alone off: which costs what")  //
      ("out", po::value<std::string>()->value_name("DIR"),
       "output folder (default: twinrun-out/NAME-TIME); one that a stopped bench of the same case "
       "left is continued")  //
      ("time-limit", po::value<std::string>()->value_name("SECONDS"),
       "stop measuring after so long (default 900); what is missing then, the same command goes on "
       "with")  //
      ("set", po::value<std::vector<std::string>>()->value_name("KEY=VALUE"),
       "change the case: --set device=cuda; may be repeated")  //
      ("trainer", po::value<std::string>()->value_name("PROGRAM"),
       "twinrun-train to use (default: beside twinrun, then PATH)")  //
      ("quiet", "no progress on stderr")                             //
      ("json", "print bench.json instead of text");
  spec.notes =
      "exit code: 0 within budget, 1 slowdown exceeded, 2 usage, 3 no verdict, 5 windows.jsonl "
      "broken";
  spec.example =
      "  twinrun bench bench/cases/llama-small.yaml\n"
      "  twinrun bench case.yaml --budget 1.02 --attribute --time-limit 480 --out bench-out";
  return spec;
}

double positive_number(const ParsedCommand& parsed, const std::string& flag, double fallback) {
  if (!parsed.has(flag)) return fallback;
  const std::string text = parsed.text(flag);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (whole && std::isfinite(value) && value > 0) return value;
  throw UsageError("--" + flag + ": '" + one_line(text) + "' has to be a number above 0");
}

std::vector<std::string> read_modes(const std::string& text) {
  const std::set<std::string> known = {"fast", "deterministic", "portable"};
  std::vector<std::string> modes;
  std::istringstream stream(text);
  for (std::string mode; std::getline(stream, mode, ',');) {
    if (known.count(mode) == 0) {
      throw UsageError("--modes: '" + one_line(mode) +
                       "' is no numerics mode; there are fast, deterministic and portable");
    }
    if (std::find(modes.begin(), modes.end(), mode) != modes.end()) {
      throw UsageError("--modes: '" + mode + "' stands there twice");
    }
    modes.push_back(mode);
  }
  if (modes.size() < 2) {
    throw UsageError("--modes: two or more are compared, as in fast,deterministic");
  }
  return modes;
}

/// What `bench` was asked to do.
struct BenchOptions {
  ResolvedCase resolved;  ///< in the mode of the reference
  BenchSettings settings;
  fs::path out;
  double time_limit_s = 900;
  bool quiet = false, json = false;
};

/// Whether `folder` holds a session that was begun.
bool holds_session(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / "windows.jsonl", ignored);
}

BenchOptions read_options(const ParsedCommand& parsed) {
  BenchOptions options;
  BenchSettings& settings = options.settings;
  settings.budget = positive_number(parsed, "budget", settings.budget);
  options.time_limit_s = positive_number(parsed, "time-limit", options.time_limit_s);
  if (parsed.has("modes")) settings.modes = read_modes(parsed.text("modes"));
  const auto resolve = [&](const std::string& mode) {
    std::vector<std::string> overrides = parsed.list("set");
    overrides.push_back("numerics=" + mode);
    return resolve_for_run(parsed.operands.front(), overrides, parsed.text("trainer"));
  };
  options.resolved = resolve(settings.modes.front());
  // A mode that the case cannot have is found before anything is timed.
  std::optional<ResolvedCase> deterministic;
  for (std::size_t i = 1; i < settings.modes.size(); ++i) {
    ResolvedCase other = resolve(settings.modes[i]);
    if (settings.modes[i] == "deterministic") deterministic = std::move(other);
  }
  if (parsed.has("attribute")) {
    const bool can = settings.modes.front() == "fast" && deterministic;
    if (!can) {
      throw UsageError(
          "--attribute explains deterministic over fast: --modes has to begin with "
          "fast and hold deterministic");
    }
    settings.switches = bench_switches(*deterministic);
  }
  options.quiet = parsed.has("quiet");
  options.json = parsed.has("json");
  options.out = parsed.has("out") ? fs::path(parsed.text("out"))
                                  : default_output_folder(options.resolved.name);
  if (!holds_session(options.out)) claim_folder(options.out, "--out");
  if (!parsed.has("out")) std::cerr << "twinrun: writing to " << options.out.string() << "\n";
  return options;
}

/// What a session has to be of, to be gone on with.
nlohmann::json session_header(const BenchOptions& options) {
  const protocol::RunConfig& config = options.resolved.config;
  const nlohmann::json& launch = config.launch;
  return {{"case", options.resolved.name},
          {"identity", protocol::to_hex(config.identity_digest())},
          {"judgement", options.settings.to_json()},
          {"command_files", launch.at("command_files")},
          {"device", launch.at("device")},
          {"threads", launch.at("threads")},
          {"isa", launch.at("isa")}};
}

void tell(const ComparisonState& comparison, const BenchSettings& settings, double seconds) {
  char figures[96] = "no interval yet";
  const Estimate found = estimate(comparison.blocks, settings.confidence);
  if (found.ratio) {
    std::snprintf(figures, sizeof figures, "%.4f +- %.2f %%", *found.ratio, 100 * found.half_width);
  }
  std::cerr << "twinrun: " << static_cast<long long>(seconds) << " s, " << comparison.spec.name
            << ": " << (comparison.failed() ? "could not run" : figures) << " ("
            << count_of(found.blocks, "block") << ")\n";
}

BenchReport run_bench(const BenchOptions& options) {
  SessionFile file(options.out, session_header(options), options.settings, random_seed());
  if (file.resumed() && !options.quiet) {
    std::cerr << "twinrun: going on with the session in " << options.out.string() << "\n";
  }
  BenchReport report;
  report.started = utc_now();
  TrainerArms arms(options.resolved, fs::absolute(options.out));
  measure(
      file.state, options.settings, arms, options.time_limit_s,
      [&](const nlohmann::json& fact) { file.append(fact); },
      [&](const ComparisonState& comparison) {
        if (!options.quiet) tell(comparison, options.settings, arms.now_s());
      });
  report.ended = utc_now();
  report.seconds = arms.now_s();
  report.time_limit_s = options.time_limit_s;
  report.case_name = options.resolved.name;
  report.identity = protocol::to_hex(options.resolved.config.identity_digest());
  report.settings = options.settings;
  report.state = file.state;
  report.judged = judge_bench(file.state, options.settings);
  return report;
}

}  // namespace

int bench_command(const std::vector<std::string>& args) {
  const auto parsed = parse_command(bench_spec(), args);
  if (!parsed) return static_cast<int>(ExitCode::kReproduced);
  const BenchOptions options = read_options(*parsed);
  BenchReport report;
  try {
    report = run_bench(options);
  } catch (const BenchInterrupted&) {
    std::cerr << "twinrun: interrupted, no verdict; the same command with --out "
              << shell_quote(options.out.string()) << " goes on\n";
    return 128 + interrupt_signal();
  }
  const std::string json = json_text(to_json(report));
  protocol::write_file_atomically(options.out / "bench.json", json);
  protocol::write_file_atomically(options.out / "github-action-benchmark.json",
                                  json_text(github_benchmarks(report)));
  std::cout << (options.json ? json : bench_text(report, options.out, use_color(STDOUT_FILENO)));
  return static_cast<int>(exit_code(report.judged.verdict));
}

}  // namespace twinrun::harness
