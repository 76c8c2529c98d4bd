# What the tests of the scripts share; sourced. `failures` counts.
# shellcheck shell=bash
failures=0

expect() {  # WHAT COMMAND...
  local what=$1
  shift
  if "$@"; then
    echo "ok      $what"
  else
    echo "FAILED  $what"
    failures=$((failures + 1))
  fi
}

# COMMAND until it succeeds, at most five minutes.
await() {
  for _ in $(seq 600); do
    ! "$@" >/dev/null 2>&1 || return 0
    sleep 0.5
  done
  echo "waited in vain for: $*" >&2
  return 1
}

has_lines() { [ "$(cat "$1"/*.jsonl | wc -l)" -gt "$2" ]; }  # FOLDER RUNS; the first line is no run
has_result() { [ "$(find "$1" -name '*_benchmark_*.json' | wc -l)" = 1 ]; }

# The runs of a folder's result file, of one mode, without what depends on time.
runs_of() {
  python3 - "$1"/*_benchmark_*.json <<'PYTHON'
import json, sys
document = json.load(open(sys.argv[1]))
for problem in document["results"]["problems"]:
    for run in problem["runs"]:
        print(problem["id"], run["run"], run["num_tokens"], repr(run["generated_text"]), run["ledger"], run["correct"])
PYTHON
}
same_runs() { diff <(runs_of "$1") <(runs_of "$2"); }
count_runs() { [ "$(runs_of "$1" | wc -l)" = "$2" ]; }
