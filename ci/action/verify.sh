#!/usr/bin/env bash
# Trains and judges; exits as `twinrun verify` does. What it starts cannot issue workflow commands: not by what it
# prints, and not through the runner's files or tokens, which it does not get to see.
set -euo pipefail
. "$(dirname "$0")/common.sh"
assume 143 "the job was stopped before there was a verdict"
silence_commands
hide_runner

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

run_twinrun "$STATE/verify.log" verify "${arguments[@]}" -- "$INPUT_CASE"

# Pending curves, so that they can be taken from the artifact and reviewed.
if [[ -n $curves ]] && compgen -G "$curves/*.pending.json*" > /dev/null; then
  mkdir -p "$STATE/out/pending"
  cp -- "$curves"/*.pending.json* "$STATE/out/pending/"
fi
[[ -e $STATE/out/verdict.json ]] || no_verdict "twinrun verify" "$STATE/verify.log"
if ((code == 0)) && [[ $INPUT_REQUIRE_GPU == true ]]; then
  devices=$(python3 -I "$(dirname "$0")/facts.py" devices "$STATE/out")
  if [[ $devices != cuda ]]; then
    assume 3 "require-gpu is true, but the runs trained on: ${devices:-they do not say what}"
    exit 3
  fi
fi
settle "$code"
