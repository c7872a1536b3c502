#!/usr/bin/env bash
# Everything, what fails fast first: linters, unit tests, then the real control plane and cosign. The Go programs of
# the last step compile meanwhile: 15 minutes, once per machine. The first failure ends the run, and so does a step
# that found no tests (pytest's exit code 5).
set -euo pipefail
set -m # each child leads a process group of its own, so that it can be ended whole
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bin=.venv/bin
build='' child=''
log=$(mktemp)
export PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 # whatever else is installed has no say in the result

end() { # a process group: SIGINT lets pytest take its servers down
  kill -INT -- "-$1" || return 0
  for _ in {1..50}; do
    kill -0 -- "-$1" || return 0
    sleep 0.1
  done
  kill -KILL -- "-$1" || true
}

clean_up() {
  trap - EXIT
  exec 2>/dev/null # bash would tell of every child that was ended, after the result
  for group in $child $build; do end "$group"; done
  wait
  rm -f "$log"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

run() { # in the background, since bash handles a signal only once a child in the foreground has ended
  "$@" </dev/null &
  child=$!
  local code=0
  wait "$child" || code=$?
  child=''
  return "$code"
}

say() { printf '\n== %s\n' "$*"; }

if command -v go >/dev/null; then
  say "Go programs: building what is missing in the background"
  nice "$bin/python" -m tests.cluster.tools </dev/null >"$log" 2>&1 &
  build=$!
fi

say "linters"
run "$bin/ruff" check .
run "$bin/ruff" format --check .
run "$bin/mypy"

say "unit tests"
run "$bin/python" -m pytest -p xdist -p _hypothesis_pytestplugin -n 2 -m 'not cluster'

if [[ -n $build ]]; then
  if kill -0 "$build" 2>/dev/null; then
    say "Go programs: still building"
    run tail -n +1 --pid="$build" -f "$log"
  fi
  code=0
  wait "$build" || code=$?
  build=''
  if ((code)); then
    say "FAILED: the Go programs did not build (exit code $code); the last lines of the build:"
    tail -n 20 "$log"
    exit 1
  fi
fi

say "the real control plane and cosign"
run "$bin/python" -m pytest -p _hypothesis_pytestplugin -m cluster
