#pragma once

#include <filesystem>
#include <string>

namespace twinrun::harness {

/// Now in UTC: 2026-03-01T12:34:56Z.
std::string utc_now();

/// The moment that SOURCE_DATE_EPOCH (seconds since 1970) names, in UTC; empty if it is not set.
/// Throws UsageError if it is no such number.
std::string source_date();

/// That moment, or now where none is set, so that what is stamped can come out byte for byte again.
/// Throws as source_date() does.
std::string stamp_now();

/// An output folder that does not exist yet: twinrun-out/<case name>-<UTC time>.
std::filesystem::path default_output_folder(const std::string& case_name);

/// Makes `folder` (and its parents) ready for a run. Throws UsageError, having touched nothing, if
/// it exists and is not an empty folder, or cannot be made; `flag` names what it was given by.
void claim_folder(const std::filesystem::path& folder, const std::string& flag);

/// Throws UsageError, naming `flag`, unless a file can be written as `file`: its folder is there
/// and may be written to, and it is no folder itself.
void require_file_place(const std::filesystem::path& file, const std::string& flag);

/// The twinrun-train to use: `given` if not empty, else the one beside this program, else the first
/// in PATH, else empty. Throws UsageError if `given` is no executable file.
std::filesystem::path find_trainer(const std::string& given);

}  // namespace twinrun::harness
