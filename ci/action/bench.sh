#!/usr/bin/env bash
# Measures what determinism costs, beside a verdict that is green; exits as `twinrun bench` does.
set -euo pipefail
. "$(dirname "$0")/common.sh"
assume 143 "the job was stopped before the slowdown was measured"
silence_commands
hide_runner

arguments=(--out "$STATE/out/bench")
[[ $INPUT_REQUIRE_GPU != true ]] || arguments+=(--set device=cuda)
[[ -z $INPUT_BENCH_BUDGET ]] || arguments+=(--budget "$INPUT_BENCH_BUDGET")
run_twinrun "$STATE/bench.log" bench "${arguments[@]}" -- "$INPUT_CASE" > "$STATE/bench.txt"
cat "$STATE/bench.txt"
[[ -e $STATE/out/bench/bench.json ]] || no_verdict "twinrun bench" "$STATE/bench.log"
settle "$code"
