#include <algorithm>
#include <cmath>
#include <set>

#include "harness/protocol/eval_reader.h"

namespace twinrun::protocol {
namespace {

namespace fs = std::filesystem;

// Thrown and caught within this file only: the first thing that is wrong with the file.
[[noreturn]] void refuse(const std::string& reason, std::int64_t line, const std::string& what) {
  throw FileProblem{reason, line, what};
}

std::string name_of(std::int64_t step, std::int64_t item) {
  return "item " + std::to_string(item) + " after step " + std::to_string(step);
}

/// Takes the lines one after the other.
class Items {
 public:
  explicit Items(const EvalHeader& header) : header_(header), step_(header.next_after(0)) {}

  void take(EvalItem item, std::int64_t line) {
    if (!std::isfinite(item.nll)) {
      refuse("non_finite", line, name_of(item.step, item.item) + " has a loss that is not finite");
    }
    require_next(item, line);
    if (static_cast<std::int64_t>(items_.size()) < header_.items) {
      if (!ids_.insert(item.id).second) {
        refuse("repeated_id", line, name_of(item.step, item.item) + " has the id of another item");
      }
    } else {
      require_same(item, items_[static_cast<std::size_t>(item.item)], line);
    }
    if (++item_ == header_.items) {
      item_ = 0;
      step_ = header_.next_after(*step_);
    }
    items_.push_back(std::move(item));
  }

  std::vector<EvalItem> finish(const SealedFile& end) {
    if (step_) {
      refuse("missing_item", end.lines,
             "ends before " + name_of(*step_, item_) + ", which has to stand there");
    }
    const auto found = static_cast<std::int64_t>(items_.size());
    if (end.count != found) {
      refuse("malformed", end.lines,
             "the end line counts " + std::to_string(end.count) + " lines, " +
                 std::to_string(found) + " are there");
    }
    return std::move(items_);
  }

 private:
  void require_next(const EvalItem& item, std::int64_t line) const {
    const std::string found = name_of(item.step, item.item);
    if (!step_ || !header_.is_evaluated(item.step) || item.item >= header_.items) {
      refuse("extra_line", line, found + " is none that the header announces");
    }
    const auto place = std::pair(item.step, item.item), wanted = std::pair(*step_, item_);
    if (place < wanted) refuse("repeated_item", line, found + " stands there again");
    if (place > wanted) {
      refuse("missing_item", line,
             found + " follows where " + name_of(*step_, item_) + " has to stand");
    }
  }

  static void require_same(const EvalItem& item, const EvalItem& first, std::int64_t line) {
    const auto require = [&](bool same, const char* field) {
      if (same) return;
      refuse("changed_item", line,
             name_of(item.step, item.item) + " has another " + field + " than after step " +
                 std::to_string(first.step));
    };
    require(item.id == first.id, "id");
    require(item.category == first.category, "category");
    require(item.cluster == first.cluster, "cluster");
    require(item.tokens == first.tokens, "number of tokens");
    require(item.reference == first.reference, "reference");
  }

  const EvalHeader& header_;
  std::optional<std::int64_t> step_;  ///< of the next line; none behind the last
  std::int64_t item_ = 0;             ///< of the next line
  std::set<SampleId> ids_;
  std::vector<EvalItem> items_;
};

template <typename T>
T good(Parsed<T> parsed, std::int64_t line) {
  if (const auto* wrong = std::get_if<LineProblem>(&parsed)) refuse("malformed", line, wrong->what);
  return std::get<T>(std::move(parsed));
}

EvalFile read_good(const fs::path& file) {
  const SealedFile end = check_sealed_file(file, kEvalSeal);
  LineReader reader(file);
  const auto next = [&](std::int64_t number) {
    const auto line = reader.next();
    if (!line) refuse("unreadable", number, "changes while it is read");
    return *line;
  };
  EvalFile result;
  result.header = good(parse_eval_header(next(1)), 1);
  Items items(result.header);
  for (std::int64_t number = 2; number < end.lines; ++number) {
    items.take(good(parse_eval_item(next(number), result.header), number), number);
  }
  result.items = items.finish(end);
  result.sha256 = end.sha256;
  return result;
}

}  // namespace

std::span<const EvalItem> EvalFile::at(std::int64_t step) const {
  const auto found = std::ranges::equal_range(items, step, {}, &EvalItem::step);
  return {found.begin(), found.end()};
}

std::variant<EvalFile, EvalProblem> read_eval(const fs::path& file) {
  try {
    return read_good(file);
  } catch (const FileProblem& problem) {
    return problem;
  } catch (const std::runtime_error& error) {
    return EvalProblem{"unreadable", 0, error.what()};
  }
}

}  // namespace twinrun::protocol
