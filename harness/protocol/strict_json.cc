#include "harness/protocol/strict_json.h"

#include <set>
#include <vector>

namespace twinrun::protocol {
namespace {

using nlohmann::json;

constexpr std::size_t kDepthMax = 64;

// Watches the events go by for what the tree no longer shows; builds nothing itself.
class Checker : public nlohmann::json_sax<json> {
 public:
  explicit Checker(std::string& problem) : problem_(problem) {}
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(json::number_integer_t) override { return true; }
  bool number_unsigned(json::number_unsigned_t) override { return true; }
  bool number_float(json::number_float_t, const std::string&) override { return true; }
  bool string(std::string&) override { return true; }
  bool binary(json::binary_t&) override { return true; }
  bool start_object(std::size_t) override { return enter(); }
  bool start_array(std::size_t) override { return enter(); }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }
  bool key(std::string& name) override {
    if (keys_.back().insert(name).second) return true;
    problem_ = "key '" + name + "' occurs twice";
    return false;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    problem_ = "not JSON at byte " + std::to_string(position);
    return false;
  }

 private:
  bool enter() {
    keys_.emplace_back();
    if (keys_.size() <= kDepthMax) return true;
    problem_ = "nested too deeply";
    return false;
  }
  bool leave() {
    keys_.pop_back();
    return true;
  }
  std::string& problem_;
  std::vector<std::set<std::string>> keys_;
};

}  // namespace

std::optional<json> parse_strict_json(std::string_view text, std::string& problem) {
  Checker checker(problem);
  if (!json::sax_parse(text, &checker)) return std::nullopt;
  return json::parse(text, nullptr, false);
}

}  // namespace twinrun::protocol
