#include "harness/cli/nuisance.h"

#include <locale.h>

#include <array>
#include <cstdio>

namespace twinrun::harness {
namespace {

/// Locales that this system can set, ones that write a decimal comma before the others.
std::vector<std::string> available_locales() {
  std::vector<std::string> available = {"C"};
  for (const char* name : {"de_DE.UTF-8", "tr_TR.UTF-8", "en_US.UTF-8", "C.UTF-8"}) {
    const locale_t locale = newlocale(LC_ALL_MASK, name, nullptr);
    if (locale == nullptr) continue;
    freelocale(locale);
    available.push_back(name);
  }
  // A system without any of them: the same locale under its other name.
  if (available.size() == 1) available.push_back("POSIX");
  return available;
}

}  // namespace

nlohmann::json Nuisance::to_json() const {
  char mask[8];
  std::snprintf(mask, sizeof mask, "%03o", static_cast<unsigned>(umask));
  return {{"tz", tz},
          {"locale", locale},
          {"umask", mask},
          {"hash_seed", hash_seed},
          {"gpu_memory_offset_mb", gpu_memory_offset_mb}};
}

std::vector<std::pair<std::string, std::string>> Nuisance::environment() const {
  return {{"TZ", tz}, {"LC_ALL", locale}, {"PYTHONHASHSEED", std::to_string(hash_seed)}};
}

Nuisance nuisance_of_run(int index) {
  constexpr std::array<const char*, 4> kZones = {"UTC", "Asia/Kathmandu", "America/St_Johns",
                                                 "Pacific/Chatham"};
  // Folders of every run stay readable for its owner, whatever the mask.
  constexpr std::array<mode_t, 3> kMasks = {022, 077, 027};
  const std::vector<std::string> locales = available_locales();
  const auto i = static_cast<std::size_t>(index);
  return {kZones[i % kZones.size()], locales[i % locales.size()], kMasks[i % kMasks.size()],
          index + 1, 64 * static_cast<std::int64_t>(i % 8)};
}

}  // namespace twinrun::harness
