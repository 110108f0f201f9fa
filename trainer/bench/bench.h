#pragma once

#include <istream>
#include <ostream>

#include "harness/protocol/run_config.h"

namespace twinrun::trainer {

/// `twinrun-train bench` (docs/protocol.md section 11): reads commands from `in` until it ends or
/// `quit`, and answers on `out`, a line of JSON each. Writes no file. Returns the exit code: 0, 2
/// the caller can fix it, 3 a step failed; the message is the last line on stderr.
int run_bench(const protocol::RunConfig& config, std::istream& in, std::ostream& out);

}  // namespace twinrun::trainer
