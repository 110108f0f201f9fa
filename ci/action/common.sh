# shellcheck shell=bash
# What the steps of action.yml share; to be sourced. One step tells the next through files in the folder STATE:
#
#   exit_code  of the step that decides so far; a step assumes the worst before it begins, so that one
#              which is killed leaves that behind
#   problem    why, in words, where there is no verdict
#   programs   folder of twinrun and twinrun-train
#   out/       what `twinrun verify` writes, the report beside it

# assume CODE WORDS: how this step ends unless it gets to say otherwise.
assume() {
  printf '%s\n' "$1" > "$STATE/exit_code"
  printf '%s\n' "$2" > "$STATE/problem"
}

# settle CODE: how this step ended, with nothing left to explain, and ends it.
settle() {
  printf '%s\n' "$1" > "$STATE/exit_code"
  rm -f "$STATE/problem"
  exit "$1"
}

# From here on this step's output is no workflow command, whoever wrote it: no resume follows. Both streams
# become one, since GitHub reads each by itself and one could overtake the line below.
silence_commands() {
  exec 2>&1
  echo "::stop-commands::$(head -c 32 /dev/urandom | sha256sum | cut -c 1-64)"
}

# command_value TEXT, command_message TEXT: as a property and as the message of a workflow command.
command_message() {
  local text=${1//'%'/%25}
  text=${text//$'\r'/%0D}
  printf '%s' "${text//$'\n'/%0A}"
}
command_value() {
  local text
  text=$(command_message "$1")
  text=${text//:/%3A}
  printf '%s' "${text//,/%2C}"
}

# summarize FILE: adds it to the job summary, cut where GitHub (1 MiB a step) would drop all of it.
summarize() {
  local limit=900000
  if (($(stat -c %s "$1") <= limit)); then
    cat "$1"
  else
    head -c "$limit" "$1" | sed '$d'
    printf '\n\nCut here; the whole report is in the artifact.\n'
  fi >> "$GITHUB_STEP_SUMMARY"
}

# run_twinrun LOG ARGUMENTS: runs twinrun, its stderr also in LOG; leaves its exit code in `code`.
#
# A signal of the runner reaches this shell alone. It is handed on, and waited for, so that what was recorded is
# whole. (bash starts what stands behind & with SIGINT ignored; twinrun undoes that for itself.)
run_twinrun() {
  local child log copier
  exec {log}> >(trap '' INT TERM && exec tee "$1" >&2)
  copier=$!
  "$(cat "$STATE/programs")/twinrun" "${@:2}" 2>&"$log" {log}>&- &
  child=$!
  exec {log}>&-
  trap 'kill -INT "$child" 2> /dev/null || true' INT
  trap 'kill -TERM "$child" 2> /dev/null || true' TERM
  while :; do
    code=0
    wait "$child" || code=$?
    kill -0 "$child" 2> /dev/null || break
  done
  # LOG may not be whole yet. No longer than two seconds: what the trainer left behind may hold its end.
  for _ in {1..20}; do
    kill -0 "$copier" 2> /dev/null || break
    sleep 0.1
  done
}

# From here on what is started sees neither the runner's files nor its tokens.
hide_runner() {
  unset GITHUB_ENV GITHUB_OUTPUT GITHUB_PATH GITHUB_STATE GITHUB_STEP_SUMMARY GITHUB_TOKEN "${!ACTIONS_@}"
}

# no_verdict WHAT LOG: ends a step that has no result, with twinrun's exit code, or 4 if even that was green.
no_verdict() {
  ((code)) || code=4
  assume "$code" "$1 ended with exit code $code and no verdict
$(tail -n 20 "$2" 2> /dev/null || true)"
  exit "$code"
}
