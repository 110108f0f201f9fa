#include "harness/protocol/run_config.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "harness/protocol/canonical_json.h"
#include "harness/protocol/record.h"
#include "harness/protocol/strict_json.h"

namespace twinrun::protocol {
namespace {

using nlohmann::json;

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row.back();
}

}  // namespace

Digest RunConfig::identity_digest() const { return canonical_digest(identity); }

std::string RunConfig::to_text() const {
  return canonical_json({{"identity", identity}, {"judgement", judgement}, {"launch", launch}}) +
         '\n';
}

RunConfig read_run_config(const std::filesystem::path& path) {
  const auto fail = [&path](const std::string& what) {
    throw std::runtime_error(path.string() + ": " + what);
  };
  std::ifstream file(path, std::ios::binary);
  if (!file) fail("cannot be read; the judge writes it into the run folder");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  std::string problem;
  std::optional<json> parsed = parse_strict_json(text, problem);
  if (!parsed) fail(problem);
  for (const char* part : {"identity", "judgement", "launch"}) {
    if (!parsed->is_object() || !parsed->contains(part) || !parsed->at(part).is_object()) {
      fail(std::string("has no object '") + part + "'");
    }
  }
  for (const auto& item : parsed->items()) {
    if (item.key() != "identity" && item.key() != "judgement" && item.key() != "launch") {
      fail("unknown part '" + item.key() + "'");
    }
  }
  const json schema = parsed->at("identity").value("schema", json());
  if (!schema.is_number_integer()) fail("identity.schema is missing or no integer");
  if (schema != kRecordSchema) {
    fail("identity.schema is " + schema.dump() + ", this program knows " +
         std::to_string(kRecordSchema) + "; use the version that wrote it, or a newer one");
  }
  try {
    canonical_json(*parsed);
  } catch (const std::invalid_argument& error) {
    fail(error.what());
  }
  return {std::move(parsed->at("identity")), std::move(parsed->at("judgement")),
          std::move(parsed->at("launch"))};
}

std::uint64_t derive_seed(const std::string& name, std::uint64_t seed) {
  const Digest digest = sha256("twinrun/1/" + name + "/" + std::to_string(seed));
  std::uint64_t first = 0;
  for (int i = 0; i < 8; ++i) first = first << 8 | digest[i];
  return first >> 11;
}

const std::vector<std::string>& injection_kinds() {
  static const std::vector<std::string> kinds = {"seed",
                                                 "data-order",
                                                 "skip-batch",
                                                 "duplicate-batch",
                                                 "tokenizer",
                                                 "loss-mask",
                                                 "dropout-unseeded",
                                                 "lora-alpha",
                                                 "stale-checkpoint",
                                                 "accumulation",
                                                 "lr",
                                                 "lr-0.1",
                                                 "lr-5",
                                                 "weight-decay",
                                                 "beta2",
                                                 "eps",
                                                 "no-clipping",
                                                 "tf32",
                                                 "loss-ulp",
                                                 "grad-ulp",
                                                 "adapter-ulp",
                                                 "base-bit",
                                                 "nan",
                                                 "drop-line",
                                                 "truncate",
                                                 "constant",
                                                 "crash",
                                                 "hang",
                                                 "stderr-commands"};
  return kinds;
}

Injection parse_injection(const std::string& text) {
  const std::size_t at = text.find('@');
  Injection injection{text.substr(0, at), 0};
  const auto& kinds = injection_kinds();
  if (std::find(kinds.begin(), kinds.end(), injection.kind) == kinds.end()) {
    const auto nearest =
        std::min_element(kinds.begin(), kinds.end(), [&](const auto& a, const auto& b) {
          return edit_distance(a, injection.kind) < edit_distance(b, injection.kind);
        });
    throw std::runtime_error("unknown fault '" + injection.kind + "' in '" + text +
                             "'; the nearest kind is '" + *nearest + "'");
  }
  const std::string step = at == std::string::npos ? "" : text.substr(at + 1);
  const auto [end, error] = std::from_chars(step.data(), step.data() + step.size(), injection.step);
  if (error != std::errc() || end != step.data() + step.size() || injection.step < 0) {
    throw std::runtime_error("'" + text + "' needs a step after '@', an integer from 0, as in '" +
                             injection.kind + "@3'");
  }
  return injection;
}

}  // namespace twinrun::protocol
