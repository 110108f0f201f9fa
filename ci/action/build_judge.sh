#!/usr/bin/env bash
# Builds the judge alone from the source beside this file: no LibTorch, no CUDA, no download but apt packages.
set -euo pipefail
cd "$(dirname "$0")/../.."
TWINRUN_PYTHON=/usr/bin/python3 TWINRUN_LIBTORCH=none CUDACXX=none ci/bootstrap > /dev/null
cmake --preset harness
cmake --build --preset harness --parallel "$(nproc)" --target twinrun
