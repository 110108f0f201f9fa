#!/usr/bin/env bash
# micro.sh BUILD [FILTER]: the micro-benchmarks whose name matches the regular expression FILTER (all). Nine
# repetitions each, in random order among each other; prints median and coefficient of variation.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1 filter=${2:-.}
tokenizer=.cache/models/smollm2-135m-instruct/tokenizer.json
if [[ -z ${TWINRUN_TOKENIZER:-} && -e $tokenizer ]]; then export TWINRUN_TOKENIZER=$tokenizer; fi
for program in micro_judge micro_trainer; do
  [[ -x $build/bin/$program ]] || { echo "micro.sh: $build/bin/$program is not built" >&2; exit 2; }
  "$build/bin/$program" --benchmark_filter="$filter" --benchmark_repetitions=9 --benchmark_min_time=0.1 \
    --benchmark_enable_random_interleaving=true --benchmark_display_aggregates_only=true |
    grep -vE '_(mean|stddev)( |$)'
done
