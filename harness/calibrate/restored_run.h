#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace twinrun::harness {

/// The folder in which the run `reference` holds its checkpoint of `step`, as twinrun-train writes
/// it (docs/protocol.md section 9).
std::filesystem::path checkpoint_folder(const std::filesystem::path& reference, std::int64_t step);

/// SHA-256, hex, of checkpoint.json in it, which names the digests of all that is restored.
/// Throws std::runtime_error if there is none.
std::string checkpoint_digest(const std::filesystem::path& reference, std::int64_t step);

/// Makes `dir`, which is new, a run that stands at the checkpoint of `step` of `reference`: the
/// record up to there, the checkpoint, a manifest that says `running`. `train --resume` goes on
/// from it. Throws std::runtime_error (path and what is wrong).
void begin_restored_run(const std::filesystem::path& reference, std::int64_t step,
                        const std::filesystem::path& dir);

/// Keeps of a finished reference run what begin_restored_run needs: copies it to `store`, whole or
/// not at all. Throws NoVerdictError if there is no checkpoint of `step`, std::runtime_error.
void keep_reference(const std::filesystem::path& reference, std::int64_t step,
                    const std::filesystem::path& store);

}  // namespace twinrun::harness
