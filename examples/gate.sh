#!/bin/sh
# Checks a cohort of captures against a budget and a baseline, and writes the files that a CI system keeps.
#
#   examples/gate.sh BUDGET BASELINE CANDIDATE OUT
#
# BASELINE and CANDIDATE are cohorts (a folder of captures, a file of analysed updates); OUT is a folder. Exit codes are
# the gate's: 0 passed, 1 failed, 2 usage or budget, 3 unusable input, 4 too few data.
set -eu

if [ $# -ne 4 ]; then
  echo "usage: $0 BUDGET BASELINE CANDIDATE OUT" >&2
  exit 2
fi
budget=$1 baseline=$2 candidate=$3 out=$4
blackout=${BLACKOUT:-blackout}
mkdir -p "$out"

# Analyse the captures once; the lines are small enough to keep for the next run's baseline.
# An unusable capture is reported, and does not stop the others.
"$blackout" cohort --json "$candidate" > "$out/updates.jsonl" || [ $? -eq 3 ]

code=0
"$blackout" gate --budget "$budget" --baseline "$baseline" --require-data \
  --junit "$out/gate.xml" --markdown "$out/gate.md" "$out/updates.jsonl" || code=$?

exit "$code"
