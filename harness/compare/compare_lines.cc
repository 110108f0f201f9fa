#include <bit>
#include <cmath>
#include <cstdio>

#include "harness/compare/compare.h"
#include "harness/compare/ulps.h"

namespace twinrun::harness {
namespace {

using nlohmann::json;
using protocol::Digest;
using protocol::RecordEnd;
using protocol::RecordHeader;
using protocol::StepRecord;
using protocol::StepZero;

// Values that a line of each kind holds, not counting its number and its chain.
constexpr std::int64_t kHeaderValues = 5, kZeroValues = 4, kStepValues = 11, kEndValues = 2;
// Of a step's, those that no rounding moves.
constexpr std::int64_t kDiscreteValues = 6;

using Line = std::variant<RecordHeader, StepZero, StepRecord, RecordEnd, protocol::LineProblem>;

template <typename T>
Line to_line(protocol::Parsed<T> parsed) {
  return std::visit([](auto& value) { return Line(std::move(value)); }, parsed);
}

Line parse_line(std::string_view line) {
  if (line.starts_with("{\"schema\"")) return to_line(protocol::parse_header(line));
  if (line.starts_with("{\"end\"")) return to_line(protocol::parse_end(line));
  auto step = to_line(protocol::parse_step(line));
  if (std::holds_alternative<StepRecord>(step)) return step;
  auto zero = to_line(protocol::parse_step_zero(line));
  return std::holds_alternative<StepZero>(zero) ? zero : step;
}

template <typename Float>
std::string hex_bits(Float value) {
  char text[17];
  if constexpr (sizeof value == 4) {
    std::snprintf(text, sizeof text, "%08x", std::bit_cast<std::uint32_t>(value));
  } else {
    std::snprintf(text, sizeof text, "%016llx",
                  static_cast<unsigned long long>(std::bit_cast<std::uint64_t>(value)));
  }
  return text;
}

// Collects the fields that differ; the first one becomes the divergence.
class FieldComparer {
 public:
  explicit FieldComparer(std::int64_t step) : step_(step) {}

  template <typename Float>
  void number(const char* field, Float a, Float b) {
    const std::string bits_a = hex_bits(a), bits_b = hex_bits(b);
    if (bits_a == bits_b || !add(field, bits_a, bits_b)) return;
    if (std::isfinite(a)) found_->value_a = a;
    if (std::isfinite(b)) found_->value_b = b;
    if (std::isfinite(a) && std::isfinite(b)) found_->ulps = ulps_between(a, b);
  }

  void digest(const char* field, const Digest& a, const Digest& b) {
    if (a != b) add(field, protocol::to_hex(a), protocol::to_hex(b));
  }

  void value(const char* field, const json& a, const json& b) {
    if (a != b) add(field, a.dump(), b.dump());
  }

  std::optional<Divergence> found() const { return found_; }

 private:
  bool add(const char* field, const std::string& a, const std::string& b) {
    if (found_) {
      found_->other_fields.push_back(field);
      return false;
    }
    found_.emplace();
    found_->step = step_;
    found_->field = field;
    found_->bits_a = a;
    found_->bits_b = b;
    return true;
  }

  std::int64_t step_;
  std::optional<Divergence> found_;
};

json sample_list(const StepRecord& step) {
  json list = json::array();
  for (const auto& id : step.samples) {
    std::visit([&list](const auto& value) { list.push_back(value); }, id);
  }
  return list;
}

bool any_non_finite(const StepRecord& step) {
  return !std::isfinite(step.loss) || !std::isfinite(step.grad_norm) || !std::isfinite(step.lr);
}

std::optional<Divergence> compare_discrete(const StepRecord& a, const StepRecord& b,
                                           bool same_generator) {
  FieldComparer fields(a.step);
  fields.value("samples", sample_list(a), sample_list(b));
  fields.digest("batch", a.batch, b.batch);
  fields.value("tokens", a.tokens, b.tokens);
  fields.value("loss_tokens", a.loss_tokens, b.loss_tokens);
  if (std::isfinite(a.loss) != std::isfinite(b.loss)) fields.number("loss", a.loss, b.loss);
  if (std::isfinite(a.grad_norm) != std::isfinite(b.grad_norm)) {
    fields.number("grad_norm", a.grad_norm, b.grad_norm);
  }
  fields.number("lr", a.lr, b.lr);
  if (same_generator) fields.digest("rng", a.rng, b.rng);
  return fields.found();
}

std::optional<Divergence> compare_steps(const StepRecord& a, const StepRecord& b) {
  FieldComparer fields(a.step);
  fields.value("samples", sample_list(a), sample_list(b));
  fields.digest("batch", a.batch, b.batch);
  fields.value("tokens", a.tokens, b.tokens);
  fields.value("loss_tokens", a.loss_tokens, b.loss_tokens);
  fields.number("loss", a.loss, b.loss);
  fields.digest("grad", a.grad, b.grad);
  fields.number("grad_norm", a.grad_norm, b.grad_norm);
  fields.number("lr", a.lr, b.lr);
  fields.digest("adapter", a.adapter, b.adapter);
  fields.digest("optimizer", a.optimizer, b.optimizer);
  fields.digest("rng", a.rng, b.rng);
  return fields.found();
}

// Goes through two records pair by pair and keeps the account.
class PairWalk {
 public:
  PairWalk(std::optional<PlantedUlp> planted, Plane plane) : planted_(planted), plane_(plane) {}

  // False when the walk is over.
  bool take(std::string_view a, std::string_view b) {
    if (a == b && take_equal_step(a)) return true;
    Line line_a = parse_line(a), line_b = parse_line(b);
    for (const Line* line : {&line_a, &line_b}) {
      if (const auto* problem = std::get_if<protocol::LineProblem>(line)) {
        return stop("a line cannot be read: " + problem->what);
      }
    }
    if (line_a.index() != line_b.index()) return stop("the records do not line up");
    return std::visit(
        [&](const auto& value) {
          using T = std::decay_t<decltype(value)>;
          return take_pair(value, std::get<T>(line_b));
        },
        line_a);
  }

  bool stop(const std::string& problem) {
    result.structure_problem = problem;
    return false;
  }

  LineComparison result;

 private:
  bool take_equal_step(std::string_view line) {
    const auto scan = protocol::scan_step(line);
    if (!scan || (planted_ && planted_->step == scan->step)) return false;
    const bool finite = std::isfinite(std::bit_cast<float>(scan->loss_bits)) &&
                        std::isfinite(std::bit_cast<float>(scan->grad_norm_bits)) &&
                        std::isfinite(std::bit_cast<double>(scan->lr_bits));
    count_step(scan->step, finite);
    return true;
  }

  void count_step(std::int64_t step, bool finite) {
    ++result.steps_compared;
    result.comparisons += plane_ == Plane::kEveryBit ? kStepValues : kDiscreteValues;
    if (!finite && !result.non_finite_step) result.non_finite_step = step;
  }

  bool across() const { return plane_ == Plane::kDiscreteAcross; }

  bool take_pair(const RecordHeader& a, RecordHeader b) {
    result.comparisons += kHeaderValues;
    if (across()) {
      b.arithmetic = a.arithmetic;
      b.promise = a.promise;
    }
    return format_header(a) == format_header(b) || stop("the headers differ");
  }

  bool take_pair(const StepZero& a, const StepZero& b) {
    result.comparisons += kZeroValues;
    FieldComparer fields(0);
    fields.digest("adapter", a.adapter, b.adapter);
    fields.digest("optimizer", a.optimizer, b.optimizer);
    if (!across()) fields.digest("rng", a.rng, b.rng);
    fields.digest("base", a.base, b.base);
    result.first = fields.found();
    return !result.first;
  }

  bool take_pair(const StepRecord& a, StepRecord b) {
    if (a.step != b.step) {
      return stop("step " + std::to_string(a.step) + " stands beside step " +
                  std::to_string(b.step));
    }
    if (planted_ && planted_->step == b.step) {
      if (plane_ == Plane::kEveryBit) {
        b.loss = std::bit_cast<float>(std::bit_cast<std::uint32_t>(b.loss) ^ 1u);
      } else {
        b.lr = std::bit_cast<double>(std::bit_cast<std::uint64_t>(b.lr) ^ 1u);
      }
    }
    result.first =
        plane_ == Plane::kEveryBit ? compare_steps(a, b) : compare_discrete(a, b, !across());
    count_step(a.step, result.first || !any_non_finite(a));
    return !result.first;
  }

  bool take_pair(const RecordEnd& a, const RecordEnd& b) {
    result.comparisons += kEndValues;
    if (a.steps != b.steps) return stop("the records end after different steps");
    FieldComparer fields(a.steps);
    fields.digest("base", a.base, b.base);
    result.first = fields.found();
    return !result.first;
  }

  bool take_pair(const protocol::LineProblem&, const protocol::LineProblem&) { return false; }

  std::optional<PlantedUlp> planted_;
  Plane plane_;
};

}  // namespace

LineComparison compare_lines(const std::filesystem::path& steps_a,
                             const std::filesystem::path& steps_b,
                             std::optional<PlantedUlp> planted, std::uint64_t begin, Plane plane) {
  protocol::LineReader reader_a(steps_a, begin), reader_b(steps_b, begin);
  PairWalk walk(planted, plane);
  for (;;) {
    const auto a = reader_a.next(), b = reader_b.next();
    const bool over_a = !a || reader_a.torn(), over_b = !b || reader_b.torn();
    if (over_a || over_b) {
      if (over_a != over_b) walk.stop("one record ends before the other");
      break;
    }
    if (!walk.take(*a, *b)) break;
  }
  return walk.result;
}

}  // namespace twinrun::harness
