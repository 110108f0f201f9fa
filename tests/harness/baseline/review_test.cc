#include "harness/baseline/review.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "harness/baseline/curve_store.h"
#include "harness/exit_code.h"
#include "tests/harness/baseline/curve_fixture.h"

namespace twinrun::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

const std::string kVerdict = "{\"verdict\":\"REPRODUCED\"}\n";
const Acceptance kAcceptance = {"Ann <ann@example.org>", "2026-03-02T12:00:00Z", "looked at it"};

void other_loss(test::SyntheticRun& run) { run.record.steps[3].loss += 0.25F; }

/// A folder with a pending curve, and a baseline of the same key if `baseline`.
class PendingFolder : public CurveFolder {
 public:
  explicit PendingFolder(bool baseline = true) {
    if (baseline) file = freeze();
    propose();
  }
  Proposal propose(const RunChange& change = other_loss) {
    const Proposal made = propose_curve(curves, run("proposed", change), kVerdict, "");
    pending = made.file;
    file = accepted_of(pending);
    return made;
  }
  int files() const {
    return static_cast<int>(
        std::distance(fs::directory_iterator(curves), fs::directory_iterator()));
  }
  fs::path file, pending;
};

TEST(Propose, WritesBesideTheBaselineAndNeverIt) {
  PendingFolder folder(false);
  EXPECT_EQ(folder.files(), 2);
  EXPECT_FALSE(curve_exists(folder.file));
  EXPECT_TRUE(read_curve(folder.pending).intact()) << read_curve(folder.pending).problem;
  const fs::path frozen = folder.freeze();
  const std::string before = test::read_file(frozen),
                    said = test::read_file(description_of(frozen));
  EXPECT_TRUE(folder.propose([](auto& run) { run.record.steps[1].loss += 1; }).written);
  EXPECT_EQ(test::read_file(frozen), before);
  EXPECT_EQ(test::read_file(description_of(frozen)), said);
  EXPECT_EQ(folder.files(), 4);
}

TEST(Propose, LeavesAloneWhatLiesThereAlreadyUnlessItIsDamaged) {
  PendingFolder folder;
  const std::string said = test::read_file(description_of(folder.pending));
  EXPECT_FALSE(folder.propose().written);
  EXPECT_EQ(test::read_file(description_of(folder.pending)), said);
  fs::remove(description_of(folder.pending));
  EXPECT_TRUE(folder.propose().written);
  EXPECT_TRUE(read_curve(folder.pending).intact());
}

TEST(Propose, NoRunIsHeldAgainstAPendingCurve) {
  PendingFolder folder(false);
  const BaselineReport report = folder.check(other_loss);
  EXPECT_EQ(report.check.reason, "no_baseline");
  EXPECT_TRUE(report.nearest.empty());
}

TEST(Accept, RecordsWhoWhenWhyAndTheVerdict) {
  PendingFolder folder;
  const std::string record = test::read_file(folder.pending);
  EXPECT_EQ(accept_curve(folder.pending, kAcceptance), folder.file);
  EXPECT_EQ(test::read_file(folder.file), record);
  const Curve curve = read_curve(folder.file);
  ASSERT_TRUE(curve.intact()) << curve.problem;
  EXPECT_EQ(curve.description.at("accepted"),
            json({{"who", kAcceptance.who},
                  {"when", kAcceptance.when},
                  {"why", kAcceptance.why},
                  {"verdict_sha256", protocol::to_hex(protocol::sha256(kVerdict))}}));
  EXPECT_FALSE(curve_exists(folder.pending));
  EXPECT_EQ(folder.files(), 2);
  EXPECT_EQ(folder.check(other_loss).check.verdict, Verdict::kReproduced);
  EXPECT_EQ(folder.check().check.verdict, Verdict::kNotReproduced);
}

TEST(Accept, APendingCurveEditedByHandIsBrokenEvidence) {
  const std::vector<std::pair<std::string, std::function<void(const fs::path&)>>> edits = {
      {"curve_replaced",
       [](const fs::path& file) {
         test::change_file(file, [](std::string text) {
           text[text.size() / 2] = text[text.size() / 2] == 'a' ? 'b' : 'a';
           return text;
         });
       }},
      {"curve_head_mismatch",
       [](const fs::path& file) {
         CurveFolder::describe(file, [](json& it) { it["head"] = std::string(64, '0'); });
       }},
      {"curve_key_mismatch",
       [](const fs::path& file) {
         CurveFolder::describe(file, [](json& it) { it["key"]["numerics"] = "portable"; });
       }},
      {"curve_description_malformed",
       [](const fs::path& file) {
         CurveFolder::describe(file, [](json& it) { it["extra"] = 1; });
       }},
      {"curve_description_missing", [](const fs::path& file) { fs::remove(description_of(file)); }},
      {"curve_missing", [](const fs::path& file) { fs::remove(file); }}};
  for (const auto& [reason, edit] : edits) {
    PendingFolder folder;
    const std::string before = test::read_file(folder.file);
    edit(folder.pending);
    EXPECT_THAT(test::message_of<EvidenceError>([&] { accept_curve(folder.pending, kAcceptance); }),
                HasSubstr("(" + reason + ")"));
    EXPECT_THAT(test::message_of<EvidenceError>([&] { review_curve(folder.pending); }),
                HasSubstr("(" + reason + ")"));
    EXPECT_EQ(test::read_file(folder.file), before) << reason;
  }
}

TEST(Accept, ABaselineEditedByHandIsNotWrittenOver) {
  PendingFolder folder;
  test::change_file(folder.file, [](const std::string& text) { return text + "\n"; });
  const std::string before = test::read_file(folder.file);
  EXPECT_THAT(test::message_of<EvidenceError>([&] { accept_curve(folder.pending, kAcceptance); }),
              HasSubstr("is not what was accepted (curve_replaced)"));
  EXPECT_EQ(test::read_file(folder.file), before);
  EXPECT_TRUE(curve_exists(folder.pending));
}

TEST(Accept, OnlyTheCurveThatWasReviewed) {
  PendingFolder folder;
  const std::string head = protocol::to_hex(*read_curve(folder.pending).summary.head);
  folder.propose([](auto& run) { run.record.steps[1].loss += 1; });
  EXPECT_THAT(test::message_of<UsageError>(
                  [&] { accept_curve(folder.pending, kAcceptance, head.substr(0, 16)); }),
              HasSubstr("review it again"));
  EXPECT_EQ(folder.check().check.verdict, Verdict::kReproduced);
}

TEST(Accept, OfSeveralAtOnceOneWins) {
  PendingFolder folder;
  std::atomic<int> accepted{0}, late{0};
  std::vector<std::thread> people;
  for (int i = 0; i < 8; ++i) {
    people.emplace_back([&] {
      try {
        accept_curve(folder.pending, kAcceptance);
        ++accepted;
      } catch (const UsageError&) {
        ++late;
      }
    });
  }
  for (std::thread& person : people) person.join();
  EXPECT_EQ(accepted, 1);
  EXPECT_EQ(late, 7);
  EXPECT_TRUE(read_curve(folder.file).intact());
  EXPECT_EQ(folder.files(), 2);
}

TEST(Reject, RemovesThePendingCurveAndNothingElse) {
  PendingFolder folder;
  reject_curve(folder.pending);
  EXPECT_EQ(folder.files(), 2);
  EXPECT_EQ(folder.check().check.verdict, Verdict::kReproduced);
  EXPECT_THROW(reject_curve(folder.pending), UsageError);
}

// The moments at which install_curve can be killed, made by hand.
TEST(Install, ReadersFindTheOldCurveOrTheNewOne) {
  PendingFolder folder;
  const Curve old = read_curve(folder.file), next = read_curve(folder.pending);
  json description = next.description;
  fs::copy_file(folder.pending, unfinished_of(folder.file));
  EXPECT_EQ(read_curve(folder.file).sha256, old.sha256);
  test::write_file(unfinished_of(description_of(folder.file)), description.dump());
  EXPECT_EQ(read_curve(folder.file).sha256, old.sha256);
  fs::rename(unfinished_of(description_of(folder.file)), description_of(folder.file));
  const Curve read = read_curve(folder.file);
  ASSERT_TRUE(read.intact()) << read.problem;
  EXPECT_EQ(read.sha256, next.sha256);
  EXPECT_EQ(folder.check(other_loss).check.verdict, Verdict::kReproduced);
  settle_curve(folder.file);
  EXPECT_FALSE(fs::exists(unfinished_of(folder.file)));
  EXPECT_EQ(read_curve(folder.file).sha256, next.sha256);
}

TEST(Install, AnUnfinishedRecordThatIsNotDescribedIsNotTaken) {
  PendingFolder folder;
  test::write_file(unfinished_of(folder.file), "something else");
  EXPECT_TRUE(read_curve(folder.file).intact());
  test::change_file(folder.file, [](const std::string& text) { return text + "x"; });
  EXPECT_EQ(read_curve(folder.file).reason, "curve_replaced");
}

TEST(ListCurves, TellsEachState) {
  PendingFolder folder;
  const Curve curve = read_curve(folder.file);
  const std::string identity = curve.description.at("key").at("identity");
  auto list = list_curves(folder.curves, identity);
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].state, CurveState::kBaseline);
  EXPECT_EQ(list[1].state, CurveState::kPending);
  for (const Listed& entry : list_curves(folder.curves, std::string(64, '0'))) {
    EXPECT_EQ(entry.state, CurveState::kObsolete);
  }
  folder.propose({});
  EXPECT_EQ(list_curves(folder.curves, identity)[1].state, CurveState::kObsolete);
  fs::remove(description_of(folder.pending));
  EXPECT_EQ(list_curves(folder.curves, identity)[1].state, CurveState::kObsolete);
  test::write_file(folder.file, "");
  list = list_curves(folder.curves, identity);
  EXPECT_EQ(list[0].state, CurveState::kBroken);
  EXPECT_THAT(list[0].why, HasSubstr("another SHA-256"));
}

TEST(ReviewCurve, FindsWhereTheyPart) {
  PendingFolder folder;
  const Review review = review_curve(folder.pending);
  ASSERT_TRUE(review.lines.first);
  EXPECT_EQ(review.lines.first->step, 4);
  EXPECT_EQ(review.lines.first->field, "loss");
  EXPECT_EQ(review.losses.steps.size(), 6u);
  EXPECT_EQ(review.losses.losses[3], review.losses_before.losses[3] + 0.25F);
  EXPECT_GT(review.losses.tokens, 0);
  PendingFolder fresh(false);
  EXPECT_FALSE(review_curve(fresh.pending).baseline);
}

}  // namespace
}  // namespace twinrun::harness
