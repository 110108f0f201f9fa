#!/usr/bin/env bash
# audit.sh RECORDS: judges the records of an artifact of the action again, with the judge of build_judge.sh or the one
# in PROGRAMS. Exits as `twinrun compare` does, and with 5 where the records are not those of the verdict.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
. "$here/common.sh"
programs=${PROGRAMS:-$here/../../build/harness/bin}
cd "$1"
silence_commands

names=$(python3 -I "$here/facts.py" runs .)
read -ra runs <<< "$names"
report=0
"$programs/twinrun" report verdict.json --format md > audited.md || report=$?
compare=0
"$programs/twinrun" compare "${runs[@]}" --out audited.json || compare=$?
summarize audited.md
((report == 0)) || exit "$report"
exit "$compare"
