#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "harness/report/evidence.h"
#include "harness/report/verdict_file.h"

namespace twinrun::harness {

/// The folder that every member of a bundle lies in, with its slash.
inline constexpr const char* kBundleFolder = "twinrun-bundle/";
/// The first member: `<sha256>  <name>` a line, as sha256sum reads it, of every other member.
inline constexpr const char* kBundleList = "SHA256SUMS";
/// Where the curve that a run was held against lies within a bundle.
inline constexpr const char* kBundleCurves = "baseline";

/// A file to be packed.
struct BundleFile {
  std::string name;              ///< within the bundle, without kBundleFolder
  std::filesystem::path source;  ///< empty: `text` is its content
  std::string text;
};

/// What a bundle of `verdict` holds, sorted by name: verdict.json, of every run config.json,
/// manifest.json, steps.jsonl, what the manifest has digests of, and the adapter; prompts,
/// reference and control of outputs, from beside the first run; the baseline's curve with its
/// description; of runs that promise no bits the calibration, and the short runs of its windows;
/// bench/bench.json; report.html. Not in it: the base model and the data, for which
/// their digests stand in config.json; checkpoints; logs.
///
/// Throws UsageError where a record is missing or lies outside the folder of the verdict,
/// EvidenceError where one is not the verdict's.
std::vector<BundleFile> bundle_files(const VerdictFile& verdict, const Evidence& evidence);

struct PackedBundle {
  std::size_t files = 0;
  std::uint64_t bytes = 0;  ///< of the bundle
  std::string sha256;       ///< of the bundle
};

/// Writes the bundle as `file`, atomically: the same bytes for the same files. Throws
/// std::runtime_error if it cannot be written or a file changes meanwhile.
PackedBundle pack_bundle(const std::vector<BundleFile>& files, const std::filesystem::path& file);

}  // namespace twinrun::harness
