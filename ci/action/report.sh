#!/usr/bin/env bash
# Says what came of it, whatever it was: outputs, annotations, job summary, and the report beside the records.
set -euo pipefail
. "$(dirname "$0")/common.sh"

[[ -d ${STATE:-} ]] || STATE=$(mktemp -d "$RUNNER_TEMP/twinrun.XXXXXX")
[[ -e $STATE/exit_code ]] || assume 4 "the action ended before it began"
code=$(cat "$STATE/exit_code")
out=$STATE/out
mkdir -p "$out"
report=$out/report.md

facts() { python3 -I "$(dirname "$0")/facts.py" "$1" "$out"; }
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

annotation() { printf '::%s title=%s::%s\n' "$1" "$(command_value "$2")" "$(command_message "$3")"; }

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
: > "$report"
if [[ -s $STATE/problem ]]; then
  problem_section >> "$report"
  annotation error "twinrun: $(exit_class)" "$(problem)"
fi
if [[ -e $out/verdict.json ]]; then
  facts outputs > "$STATE/outputs"
  {
    printf '# twinrun\n\n'
    sed 's/^/    /' "$STATE/verdict.txt"
  } >> "$report"
  level=error
  ((code)) || level=notice
  annotation "$level" twinrun "$(head -n 1 "$STATE/verdict.txt")"
fi

{
  printf 'exit-class=%s\nreport-path=%s\nout=%s\n' "$(exit_class)" "$report" "$out"
  if [[ ! -s $STATE/problem ]]; then
    cat "$STATE/outputs"
  else  # what verdict.json says does not stand
    case $code in
      3) echo verdict=INCONCLUSIVE ;;
      4) echo verdict=INTERNAL ;;
    esac
  fi
} >> "$GITHUB_OUTPUT"
summarize "$report"
