#!/usr/bin/env bash
# Says what came of it, whatever it was: outputs, annotations, job summary, and the report beside the records.
# Red by itself only where the evidence turns out not to hold, or nothing could be reported.
set -euo pipefail
. "$(dirname "$0")/common.sh"

[[ -d ${STATE:-} ]] || STATE=$(mktemp -d "$RUNNER_TEMP/twinrun.XXXXXX")
[[ -e $STATE/exit_code ]] || assume 4 "the action ended before it began"
code=$(cat "$STATE/exit_code")
out=$STATE/out
mkdir -p "$out"
report=$out/report.md

facts() { python3 -I "$(dirname "$0")/facts.py" "$1" "$out"; }
twinrun_report() {
  "$(cat "$STATE/programs")/twinrun" report "$out/verdict.json" "$@" 2> "$STATE/report.log"
}
exit_class() {
  case $code in
    0) echo pass ;;
    1) echo difference ;;
    2) echo usage ;;
    3) echo no-verdict ;;
    5) echo evidence ;;
    130 | 143) echo interrupted ;;
    *) echo internal ;;
  esac
}
problem() { tr -d '\000-\010\013-\037\177' < "$STATE/problem" | head -c 4000; }

# Text of others stands in an indented block, which no line of it can leave.
problem_section() {
  printf '# twinrun: %s\n\n' "$(exit_class)"
  problem | sed 's/^/    /'
  printf '\n'
  local name lines
  while read -r name lines; do
    printf -- '- run %s: %s lines of steps.jsonl in the artifact\n' "$name" "$lines"
  done < <(facts records)
  printf '\n'
}

if [[ ! -e $out/verdict.json && ${JOB_STATUS:-} == cancelled ]]; then
  ((code == 130 || code == 143)) || code=143
  printf 'the job was cancelled before there was a verdict\n' > "$STATE/problem"
fi
failed=0
if [[ -e $out/verdict.json && -e $STATE/programs ]]; then
  twinrun_report --format md > "$STATE/report" || failed=$?
  # Nothing but annotations may pass, and not many more than GitHub shows.
  twinrun_report --format github > "$STATE/commands" || failed=$?
  grep -E '^::(error|warning|notice) ' "$STATE/commands" | head -n 30 || true
  twinrun_report --format html --out "$out/report.html" || failed=$?
  twinrun_report --format junit --out "$out/junit.xml" || failed=$?
  facts outputs > "$STATE/outputs" || failed=4
fi
if ((failed)); then
  code=$failed
  cp "$STATE/report.log" "$STATE/problem"
fi
: > "$report"
if [[ -s $STATE/problem ]]; then
  problem_section >> "$report"
  printf '::error title=%s::%s\n' "$(command_value "twinrun: $(exit_class)")" "$(command_message "$(problem)")"
fi
[[ ! -e $STATE/report ]] || cat "$STATE/report" >> "$report"
if [[ -e $out/bench/bench.json ]]; then
  { printf '\n## What determinism costs\n\n' && sed 's/^/    /' "$STATE/bench.txt"; } >> "$report"
  ((code == 0)) || printf '::error title=twinrun bench::%s\n' "$(command_message "$(head -n 1 "$STATE/bench.txt")")"
fi

page=$report
[[ ! -e $out/report.html ]] || page=$out/report.html
{
  printf 'exit-class=%s\nreport-path=%s\nout=%s\n' "$(exit_class)" "$page" "$out"
  if [[ ! -s $STATE/problem ]]; then
    cat "$STATE/outputs"
  else  # what verdict.json says does not stand
    case $code in
      3) echo verdict=INCONCLUSIVE ;;
      4) echo verdict=INTERNAL ;;
      5) echo verdict=EVIDENCE_INVALID ;;
    esac
  fi
} >> "$GITHUB_OUTPUT"
summarize "$report"
exit "$failed"
