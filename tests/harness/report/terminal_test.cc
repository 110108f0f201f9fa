#include "harness/report/terminal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/report/text.h"
#include "tests/harness/report/rendered.h"
#include "tests/harness/report/sample_report.h"

namespace twinrun::harness {
namespace {

using test::lines_of;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const TerminalOptions kPlain{false, "out/verdict.json", "out"};

void expect_fits(const std::string& text) {
  const std::vector<std::string> lines = lines_of(text);
  EXPECT_LE(lines.size(), kTerminalLines) << text;
  for (const std::string& line : lines) EXPECT_LE(columns(line), kTerminalColumns) << line;
  EXPECT_EQ(text.back(), '\n');
}

TEST(TerminalText, GreenSaysWhatWasComparedAndWhereItLies) {
  const std::string text = terminal_text(reproduced_report(), kPlain);
  expect_fits(text);
  EXPECT_THAT(text, StartsWith("REPRODUCED  smollm2-chat: runs a and b are equal in every bit\n"));
  EXPECT_THAT(text, HasSubstr("10 steps, 118 values; digests of 840 tensors a step"));
  EXPECT_THAT(text, HasSubstr(std::string(64, 'c')));
  EXPECT_THAT(text, HasSubstr("4 of 4 passed: planted-ulp, seed-plus-one"));
  EXPECT_THAT(text, HasSubstr("a 31 s, b 31 s and seed-plus-one 31 s"));
  EXPECT_THAT(text, HasSubstr(", 1.5 GiB at most"));
  EXPECT_THAT(text, HasSubstr("out/verdict.json"));
  EXPECT_THAT(text, HasSubstr("twinrun compare out/a out/b\n"));
}

TEST(TerminalText, ChecksThatDidNotRunAreShown) {
  EXPECT_THAT(
      terminal_text(reproduced_report(), kPlain),
      HasSubstr("not run      inference (no inference: in the case); baseline and bench (not asked "
                "for)\n"));
}

TEST(TerminalText, DivergenceHasStepFieldBothBitsDistanceAndTensors) {
  const std::string text = terminal_text(diverged_report(), kPlain);
  expect_fits(text);
  EXPECT_THAT(text, StartsWith("NOT_REPRODUCED  smollm2-chat: runs a and b: step 5"));
  EXPECT_THAT(text, HasSubstr("step 5, loss, 1 ULP apart"));
  EXPECT_THAT(text, HasSubstr("in a       40a8a3ea   5.27000904"));
  EXPECT_THAT(text, HasSubstr("in b       40a8a3eb   5.27000952"));
  EXPECT_THAT(text, HasSubstr("also grad_norm, grad, adapter and optimizer"));
  EXPECT_THAT(text, HasSubstr("420 of 840 differ: base_model.model.model.layers.0"));
  EXPECT_THAT(text, HasSubstr("/cpu/model: \"Xeon\", \"EPYC\""));
  EXPECT_THAT(text, Not(HasSubstr("head ")));
}

TEST(TerminalText, WhatDiffersOnPurposeDoesNotCrowdOutASuspect) {
  VerdictReport report = diverged_report();
  report.comparisons[0].comparison.suspects = {{"/launch/nuisance/locale", "C", "POSIX"},
                                               {"/launch/nuisance/tz", "UTC", "EST"},
                                               {"/launch/nuisance/umask", "022", "077"},
                                               {"/versions/driver", "580", "581"}};
  const std::string text = terminal_text(report, kPlain);
  EXPECT_THAT(text, HasSubstr("suspects     /versions/driver: \"580\", \"581\"\n"));
  EXPECT_THAT(text, HasSubstr("different on purpose: locale, tz and umask\n"));
}

TEST(TerminalText, AFailedRunShowsTheEndOfItsStderrIndented) {
  VerdictReport report = reproduced_report();
  report.verdict = Verdict::kInvalid;
  report.checks[0] = {"twin", Verdict::kInvalid, "trainer_killed", "run b: there is no end line"};
  RunReport& run = report.runs[1];
  run.verdict = Verdict::kInvalid;
  run.problem = "there is no end line";
  run.outcome = "killed by SIGKILL";
  run.stderr_tail = "one\ntwo\n::error::three\n";
  const std::string text = terminal_text(report, kPlain);
  expect_fits(text);
  EXPECT_THAT(text, HasSubstr("there is no end line (killed by SIGKILL)"));
  EXPECT_THAT(text, HasSubstr("| two\n"));
  EXPECT_THAT(text, HasSubstr("| ::error::three\n"));
  for (const std::string& line : lines_of(text)) EXPECT_THAT(line, Not(StartsWith("::")));
}

TEST(TerminalText, AFailedControlIsNamedWithItsMessage) {
  VerdictReport report = reproduced_report();
  report.verdict = Verdict::kInvalid;
  report.checks[1] = {"controls", Verdict::kInvalid, "control_failed", "control x failed"};
  report.controls[3].passed = false;
  report.controls[3].message = "the base moved";
  const std::string text = terminal_text(report, kPlain);
  EXPECT_THAT(text, HasSubstr("3 of 4 passed"));
  EXPECT_THAT(text, HasSubstr("base-unmoved FAILED: the base moved"));
}

TEST(TerminalText, ControlsThatDidNotRunSayWhy) {
  VerdictReport report = reproduced_report();
  report.controls[1] = {"seed-plus-one", false, false, "none is stored", nlohmann::json::object()};
  EXPECT_THAT(terminal_text(report, kPlain), HasSubstr("not run: seed-plus-one (none is stored)"));
}

TEST(TerminalText, ColourOnlyWhereAskedFor) {
  EXPECT_THAT(terminal_text(reproduced_report(), kPlain), Not(HasSubstr("\x1b")));
  const TerminalOptions colored{true, {}, {}};
  EXPECT_THAT(terminal_text(reproduced_report(), colored),
              StartsWith("\x1b[1;32mREPRODUCED\x1b[0m"));
  EXPECT_THAT(terminal_text(diverged_report(), colored), StartsWith("\x1b[1;31mNOT_REPRODUCED"));
}

TEST(TerminalText, TheWorstThatCanHappenStillFits) {
  VerdictReport report = diverged_report();
  report.case_name = std::string(300, 'n');
  report.checks[0].message = std::string(300, 'm') + "\n::error::x";
  Divergence& first = *report.comparisons[0].comparison.first;
  first.field = "samples";
  first.bits_a = first.bits_b = std::string(5000, '1');
  first.tensors.assign(20, "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight");
  report.comparisons[0].comparison.suspects.assign(40, {"/field", std::string(400, 'x'), nullptr});
  report.comparisons[0].comparison.key_differences.assign(40, {"/field", 1, 2});
  report.baseline = drifted_report().baseline;
  report.baseline.check.message = std::string(900, 'b');
  for (ControlOutcome& control : report.controls) {
    control.passed = false;
    control.message = std::string(500, 'c');
  }
  for (char name = 'c'; name <= 'z'; ++name) {
    RunReport run = sample_run(std::string(1, name));
    run.verdict = Verdict::kInvalid;
    run.problem = std::string(500, 'p');
    run.stderr_tail = std::string(50, '\n') + std::string(900, 'e') + "\nlast\n";
    report.runs.push_back(run);
  }
  const std::string text = terminal_text(report, kPlain);
  expect_fits(text);
  EXPECT_THAT(text, HasSubstr("cd out &&\n"));
  EXPECT_THAT(text, HasSubstr("twinrun compare a b c d "));
  EXPECT_THAT(text, HasSubstr("out/verdict.json"));
}

TEST(TerminalText, ACommandIsNeverCut) {
  const std::string folder = "/" + std::string(120, 'd');
  const std::string text =
      terminal_text(reproduced_report(), {false, folder + "/verdict.json", folder});
  EXPECT_THAT(text, HasSubstr("cd " + folder + " &&\n"));
  EXPECT_LE(lines_of(text).size(), kTerminalLines);
}

TEST(TerminalText, WithoutControlsStandsInTheCommandToo) {
  VerdictReport report = reproduced_report();
  report.without_controls = true;
  EXPECT_THAT(terminal_text(report, kPlain),
              HasSubstr("twinrun compare out/a out/b --without-controls\n"));
}

TEST(TerminalText, ABaselineThatIsHitIsSaidWithItsCurve) {
  VerdictReport report = drifted_report();
  report.verdict = Verdict::kReproduced;
  report.baseline.first.reset();
  report.baseline.check =
      report.checks[2] = {"baseline", Verdict::kReproduced, "bitwise", "run a equals it"};
  const std::string text = terminal_text(report, kPlain);
  expect_fits(text);
  EXPECT_THAT(
      text,
      HasSubstr("  baseline     run a equals it\n"
                "               curves/0123456789abcdef.jsonl\n"
                "  not run      inference (no inference: in the case); bench (not asked for)\n"));
}

TEST(TerminalText, ABaselineThatDiffersShowsStepFieldBitsAndSuspects) {
  const std::string text = terminal_text(drifted_report(), kPlain);
  expect_fits(text);
  EXPECT_THAT(text, StartsWith("NOT_REPRODUCED  smollm2-chat: run a and the baseline first"));
  EXPECT_THAT(text, HasSubstr("  baseline     curves/0123456789abcdef.jsonl\n"
                              "  first        step 4, loss, 1 ULP apart\n"
                              "    in a       40a8a3ea   5.27000904\n"
                              "    in curve   40a8a3eb   5.27000952\n"));
  EXPECT_THAT(text, HasSubstr("not named: a curve holds the digests of groups only\n"));
  EXPECT_THAT(text, HasSubstr("  suspects     /driver: \"581\", \"580\"\n"));
}

TEST(TerminalText, WhatTwinsDifferInIsNotMistakenForWhatTheBaselineDiffersIn) {
  VerdictReport report = diverged_report();
  report.baseline = drifted_report().baseline;
  report.checks[2] = report.baseline.check;
  const std::string text = terminal_text(report, kPlain);
  expect_fits(text);
  EXPECT_THAT(text, HasSubstr("first        step 5, loss"));
  EXPECT_THAT(text, HasSubstr("baseline     run a and the baseline first differ at step 4"));
  EXPECT_THAT(text, Not(HasSubstr("in curve")));
}

TEST(TerminalText, AMissingBaselineIsShownThoughTheTwinsAreGreen) {
  VerdictReport report = reproduced_report();
  report.baseline.check =
      report.checks[2] = {"baseline", Verdict::kNotRun, "no_baseline",
                          "no baseline for this machine: " + std::string(500, 'x')};
  report.baseline.file = "curves/0123456789abcdef.jsonl";
  const std::string text = terminal_text(report, kPlain);
  expect_fits(text);
  EXPECT_THAT(text, HasSubstr("  baseline     no baseline for this machine:"));
  EXPECT_THAT(text, Not(HasSubstr("not run      baseline")));
}

TEST(TerminalText, ASingleRunSaysWhetherItIsComplete) {
  EXPECT_THAT(terminal_text(sample_run("a"), kPlain), StartsWith("complete\n"));
  RunReport run = sample_run("a");
  run.verdict = Verdict::kInvalid;
  run.problem = "there is no end line";
  const std::string text = terminal_text(run, kPlain);
  expect_fits(text);
  EXPECT_THAT(text, StartsWith("failed\n"));
  EXPECT_THAT(text, HasSubstr("there is no end line"));
}

}  // namespace
}  // namespace twinrun::harness
