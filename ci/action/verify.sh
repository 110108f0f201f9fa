#!/usr/bin/env bash
# Trains and judges; exits as `twinrun verify` does. What it starts cannot issue workflow commands: not by what it
# prints, and not through the runner's files or tokens, which it does not get to see.
set -euo pipefail
. "$(dirname "$0")/common.sh"
assume 143 "the job was stopped before there was a verdict"
silence_commands
unset GITHUB_ENV GITHUB_OUTPUT GITHUB_PATH GITHUB_STATE GITHUB_STEP_SUMMARY GITHUB_TOKEN "${!ACTIONS_@}"

arguments=(--out "$STATE/out")
[[ -z $INPUT_NUMERICS ]] || arguments+=(--set "numerics=$INPUT_NUMERICS")
[[ -z $INPUT_RUNS ]] || arguments+=(--runs "$INPUT_RUNS")
[[ $INPUT_REQUIRE_GPU != true ]] || arguments+=(--set device=cuda)
curves=
case ${INPUT_BASELINE:-false} in
  false) ;;
  true) curves=$(dirname -- "$INPUT_CASE")/curves && arguments+=(--baseline) ;;
  *) curves=$INPUT_BASELINE && arguments+=("--baseline=$curves") ;;
esac
[[ -z $curves ]] || arguments+=(--on-missing-baseline "$INPUT_ON_MISSING_BASELINE")

# A signal of the runner reaches this shell alone. It is handed on, and waited for, so that what was recorded is
# whole; bash starts what stands behind & with SIGINT ignored, which twinrun undoes for itself.
"$(cat "$STATE/programs")/twinrun" verify "${arguments[@]}" -- "$INPUT_CASE" \
  2> >(trap '' INT TERM && exec tee "$STATE/stderr.log") > "$STATE/verdict.txt" &
judge=$!
trap 'kill -INT "$judge" 2> /dev/null || true' INT
trap 'kill -TERM "$judge" 2> /dev/null || true' TERM
while :; do
  code=0
  wait "$judge" || code=$?
  kill -0 "$judge" 2> /dev/null || break
done

cat "$STATE/verdict.txt"

if ((code == 0)) && [[ $INPUT_REQUIRE_GPU == true && -e $STATE/out/verdict.json ]]; then
  devices=$(python3 -I "$(dirname "$0")/facts.py" devices "$STATE/out")
  if [[ $devices != cuda ]]; then
    assume 3 "require-gpu is true, but the runs trained on: ${devices:-they do not say what}"
    exit 3
  fi
fi
if [[ ! -e $STATE/out/verdict.json ]]; then
  ((code)) || code=4
  assume "$code" "twinrun verify ended with exit code $code and no verdict
$(tail -n 20 "$STATE/stderr.log" 2> /dev/null || true)"
  exit "$code"
fi
settle "$code"
