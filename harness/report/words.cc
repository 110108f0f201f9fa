#include "harness/report/words.h"

#include <map>

#include "harness/report/json_fields.h"

namespace twinrun::harness {

std::string meaning_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kReproduced:
      return "The same training was run several times in fresh processes, and every recorded value "
             "came out with the same bits. The tests of the judge itself that ran passed, too. It "
             "does not say that the training is right, nor that another machine would give these "
             "bits.";
    case Verdict::kNotReproduced:
      return "A difference was shown: the same training gave other bits the second time, or other "
             "bits than the baseline or the reference. The first difference is named below.";
    case Verdict::kSlowdownExceeded:
      return "The bits repeat, but reproducible training costs more time than its budget allows.";
    case Verdict::kInvalid:
      return "No statement about reproducibility: a run failed or is incomplete, its numbers were "
             "not finite, or a test of the judge itself failed.";
    case Verdict::kInconclusive:
      return "No statement about reproducibility: what there is cannot be compared, promises no "
             "equal bits, or lacks its controls.";
    case Verdict::kInternal:
      return "The judge itself failed. This says nothing about the training.";
    case Verdict::kEvidenceInvalid:
      return "A stored record or digest does not hold: something was changed after it had been "
             "written. Nothing else here can be relied on.";
    case Verdict::kNotRun:
      break;
  }
  return "Not run.";
}

std::string meaning_of_outputs(Verdict verdict) {
  switch (verdict) {
    case Verdict::kReproduced:
      return "The adapter of one run gave the outputs of the reference: bit for bit where the "
             "reference promises bits, else within bounds. The model without the adapter fails the "
             "same check. It does not say that the outputs are right, nor that the run would come "
             "out again.";
    case Verdict::kNotReproduced:
      return "A difference was shown: the adapter gave other outputs than the reference.";
    case Verdict::kInvalid:
      return "No statement about the outputs: the run or its outputs are incomplete or not as they "
             "were asked for, or a test of the judge itself failed.";
    case Verdict::kInconclusive:
      return "No statement about the outputs: they cannot be compared with the reference, or lack "
             "their control.";
    default:
      return meaning_of(verdict);
  }
}

std::string meaning_without_bits(Verdict verdict) {
  switch (verdict) {
    case Verdict::kReproduced:
      return "The same training was run several times in fresh processes. It promises no equal "
             "bits: what no rounding moves came out the same, losses and gradient norms scatter no "
             "more than those of runs made for comparison, and final results lie within a margin "
             "declared beforehand. It does not say that the runs are equal, nor that the training "
             "is right.";
    case Verdict::kNotReproduced:
      return "A difference was shown that rounding does not explain: in what no rounding moves, in "
             "losses or gradient norms that lie outside of what runs of this kind do, or in a "
             "final result beyond its margin.";
    default:
      return meaning_of(verdict);
  }
}

std::string meaning_across(Verdict verdict) {
  switch (verdict) {
    case Verdict::kReproduced:
      return "The same training was run on different kinds of machine. Batches and learning rates "
             "are the same, and final results lie within a margin declared beforehand. It does "
             "not say that the runs are equal, nor that they are alike on the way, nor that the "
             "training is right.";
    case Verdict::kNotReproduced:
      return "A difference was shown that another machine does not explain: in what no machine "
             "moves, or in a final result beyond its margin.";
    default:
      return meaning_of(verdict);
  }
}

std::string question_of(const std::string& name) {
  static const std::map<std::string, std::string> questions = {
      {"twin", "Do runs with equal seeds and configuration agree in every bit?"},
      {"controls", "Would a difference have been found? Tests of the judge itself."},
      {"baseline", "Does the run agree with the loss curve that was frozen and reviewed before?"},
      {"inference",
       "Does the adapter give the outputs that it should: those of the reference, or, "
       "without one, the same in every run?"},
      {"evaluation", "Do the runs make the same of held-out rows, every loss and every answer?"},
      {"calibration", "Of runs without equal bits: do they scatter as calibrated runs did?"},
      {"equivalence", "Of runs without equal bits: do their results lie within the margins?"},
      {"envelope-sees-seed", "Does a run with another seed lie outside of the calibration?"},
      {"run", "Is the record of the run whole and intact?"},
      {"bench", "Does reproducible training stay within its time budget?"},
      {"planted-ulp", "Is a change of one unit in the last place, planted on purpose, found?"},
      {"seed-plus-one", "Does a run with other seeds come out differently, as it must?"},
      {"adapter-moved", "Did training change the adapter at all?"},
      {"base-unmoved", "Did the frozen weights stay as they were?"},
      {"noop-adapter",
       "Does the model give the outputs with the adapter, and other ones without it?"}};
  const auto found = questions.find(name);
  return found == questions.end() ? std::string() : found->second;
}

std::string question_without_bits(const std::string& name) {
  if (name == "twin") {
    return "Do runs with equal seeds and configuration agree in what no rounding moves?";
  }
  return name == "evaluation" ? "Were the runs asked the same held-out rows?" : question_of(name);
}

std::string question_across(const std::string& name) {
  if (name == "twin") return "Do runs with equal seeds agree in what no machine moves?";
  if (name == "equivalence") {
    return "Do the results of different kinds of machine lie within the margins?";
  }
  return question_without_bits(name);
}

std::string version_words(const nlohmann::json& program) {
  const std::string commit = text_at(program, "/git_commit");
  return "twinrun " + text_at(program, "/version") + ", commit " +
         (commit.empty() ? "unknown" : commit) +
         (at(program, "/git_dirty") == true ? ", with local changes" : "");
}

std::string field_words(const std::string& field) {
  static const std::map<std::string, std::string> words = {
      {"samples", "the samples of the batch, in their order"},
      {"batch", "the token ids of the batch"},
      {"tokens", "the number of tokens"},
      {"loss_tokens", "the number of labelled tokens"},
      {"loss", "the loss"},
      {"grad", "the gradients"},
      {"grad_norm", "the norm of the gradients"},
      {"lr", "the learning rate"},
      {"adapter", "the adapter's weights after the step"},
      {"optimizer", "the optimizer's state after the step"},
      {"rng", "the state of the random generators after the step"},
      {"base", "the frozen weights"}};
  const auto found = words.find(field);
  return found == words.end() ? field : found->second;
}

}  // namespace twinrun::harness
