#!/usr/bin/env bash
# Checks what twinrun itself will not be asked, and makes the folder STATE of common.sh, which is new in every use.
set -euo pipefail
. "$(dirname "$0")/common.sh"

STATE=$(mktemp -d "$RUNNER_TEMP/twinrun.XXXXXX")
printf 'state=%s\n' "$STATE" >> "$GITHUB_OUTPUT"
assume 4 "the inputs could not be checked"

refuse() {
  assume 2 "$1"
  exit 2
}
one_of() {
  local name=$1 value=$2 word
  for word in "${@:3}"; do [[ $value != "$word" ]] || return 0; done
  refuse "input $name is '$value', not one of: ${*:3}"
}

[[ -n $INPUT_CASE ]] || refuse "input case is empty; it names the case.yaml"
[[ -f $INPUT_CASE ]] || refuse "input case: there is no file '$INPUT_CASE' in the workspace"
one_of bench "$INPUT_BENCH" true false
one_of require-gpu "$INPUT_REQUIRE_GPU" true false
one_of on-missing-baseline "$INPUT_ON_MISSING_BASELINE" warn fail
if [[ $INPUT_ON_MISSING_BASELINE == fail && ${INPUT_BASELINE:-false} == false ]]; then
  refuse "on-missing-baseline is fail, but baseline is not asked for"
fi
[[ $INPUT_ARTIFACT =~ ^[A-Za-z0-9._-]{1,100}$ ]] ||
  refuse "input artifact is '$INPUT_ARTIFACT'; letters, digits, '.', '_' and '-' make a name"
if [[ -n $INPUT_PROGRAMS ]]; then
  programs=$(cd -- "$INPUT_PROGRAMS" 2> /dev/null && pwd) || true
  [[ -n $programs && -f $programs/twinrun && -x $programs/twinrun ]] ||
    refuse "input programs: '$INPUT_PROGRAMS' is no folder with a program twinrun"
  printf '%s\n' "$programs" > "$STATE/programs"
fi
if [[ $INPUT_REQUIRE_GPU == true ]] && ! nvidia-smi -L 2> /dev/null | grep -q '^GPU'; then
  refuse "require-gpu is true, and this runner has no NVIDIA GPU (nvidia-smi -L names none)"
fi
settle 0
