#!/usr/bin/env bash
# audit.sh RECORDS: judges the records of an artifact of the action again, with the judge of build_judge.sh or the one
# in PROGRAMS. Exits as `twinrun compare` does.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
. "$here/common.sh"
programs=${PROGRAMS:-$here/../../build/harness/bin}
cd "$1"
silence_commands
unset GITHUB_ENV GITHUB_OUTPUT GITHUB_PATH GITHUB_STATE GITHUB_TOKEN "${!ACTIONS_@}"

names=$(python3 -I "$here/facts.py" runs .)
read -ra runs <<< "$names"
code=0
"$programs/twinrun" compare "${runs[@]}" --out audited.json > audited.txt || code=$?
{
  printf '# Audit: the records judged again\n\n'
  sed 's/^/    /' audited.txt
} > audited.md
cat audited.txt
summarize audited.md
exit "$code"
