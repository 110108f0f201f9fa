#!/usr/bin/env bash
# Builds both programs from the source beside this action. A second use in one job finds them built; in the next
# job ccache still has their parts.
set -euo pipefail
. "$(dirname "$0")/common.sh"
assume 4 "twinrun could not be built; the step Build of this job says why"
silence_commands

cd "$(dirname "$0")/../.."
environment=$(ci/bootstrap)
eval "$environment"
cmake --preset release -DTWINRUN_LIBTORCH="$TWINRUN_LIBTORCH" -DTWINRUN_PYTHON="$TWINRUN_PYTHON"
cmake --build --preset release --parallel "$(nproc)" --target twinrun twinrun-train
printf '%s\n' "$PWD/build/release/bin" > "$STATE/programs"
settle 0
