#!/usr/bin/env bash
# kill_and_resume.sh BUILD POINTS [FLAG...]: trains a case once without a stop, then POINTS times killing it
# (kill -9, the trainer or its judge in turns, every third point twice in a row) at a random moment of that time and
# resuming it: the record, tensors.jsonl and the adapter must be those of the run that was never stopped. FLAGs
# go to `twinrun train`, as in --set device=cuda --set numerics=portable. CASE (baselines/smollm2-chat/case.yaml),
# EVERY (checkpoint_every, 2) and SEED come from the environment. The exit code is the number of points that failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
build=$1 points=$2
shift 2
case=${CASE:-baselines/smollm2-chat/case.yaml} seed=${SEED:-$RANDOM} failed=0 runs=$(mktemp -d)
train="$build/bin/twinrun train $case --quiet --set train.checkpoint_every=${EVERY:-2}"
RANDOM=$seed

lines() { [[ -f $1/steps.jsonl ]] && wc -l < "$1/steps.jsonl" || echo 0; }
# field FOLDER EXPRESSION: of the manifest m, or "-" if it is not there.
field() {
  python3 -c 'import json, sys; m = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' \
    "$1/manifest.json" "$2" 2> /dev/null || echo -
}
milliseconds() { echo $(($(date +%s%N) / 1000000)); }

# kill_at FOLDER MS WHOM FLAG...: starts or resumes a run and kills its trainer or its judge after MS.
kill_at() {
  local folder=$1 ms=$2 whom=$3 judge victim
  shift 3
  $train --run-dir "$folder" "$@" > /dev/null 2>&1 &
  judge=$!
  sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
  victim=$judge
  [[ $whom == judge ]] || read -r victim _ 2> /dev/null < "/proc/$judge/task/$judge/children"
  kill -9 "${victim:-$judge}" 2> /dev/null
  wait "$judge" 2> /dev/null
}

start=$(milliseconds)
$train --run-dir "$runs/whole" "$@" > /dev/null || { echo "the uninterrupted run failed"; exit 1; }
whole_ms=$(($(milliseconds) - start)) head=$(field "$runs/whole" 'm["head"]')
echo "seed $seed; $case $*: $(field "$runs/whole" 'm["steps_written"]') steps in $whole_ms ms on" \
  "$(field "$runs/whole" 'm["device"]["name"] or m["device"]["type"]'); head $head"

for ((point = 1; point <= points; point++)); do
  folder=$runs/$point whom=trainer killed= resume=
  ((point % 2)) || whom=judge
  for ((kill = 0; kill < (point % 3 == 0 ? 2 : 1); kill++)); do
    ms=$(((RANDOM * 32768 + RANDOM) % whole_ms + 1))
    kill_at "$folder" "$ms" "$whom" $resume "$@"
    killed+="${killed:+, }$ms ms ($(lines "$folder") lines)"
    # Killed before it had written its configuration it is no run yet.
    if [[ -f $folder/config.json ]]; then resume=--resume; else rm -rf "$folder"; fi
    [[ $(field "$folder" 'm["status"]') != complete ]] || break
  done
  if ((kill == 0)); then  # it was faster than the first run: no point
    rm -rf "$folder"
    ((point--))
    continue
  fi
  if [[ $(field "$folder" 'm["status"]') != complete ]]; then
    $train --run-dir "$folder" $resume "$@" > "$runs/log" 2>&1 || sed 's/^/  /' "$runs/log"
  fi
  state="same head"
  [[ $(field "$folder" 'm["head"]') == "$head" ]] || state="OTHER HEAD"
  for file in steps.jsonl tensors.jsonl adapter/adapter_model.safetensors; do
    cmp -s "$runs/whole/$file" "$folder/$file" || state="OTHER $file"
  done
  [[ $state == "same head" ]] || ((failed++))
  from=$(field "$folder" '"step " + ", ".join(str(r["step"]) for r in m["resumed"])')
  printf 'point %d: %s killed at %s; resumed behind %s; %s\n' "$point" "$whom" "$killed" "$from" "$state"
  [[ $state != "same head" ]] || rm -rf "$folder"
done
((failed)) && echo "$failed of $points failed; see $runs" || rm -rf "$runs"
exit "$failed"
