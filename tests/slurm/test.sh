#!/bin/bash
# A sweep as a job array of a real SLURM: one task is told to end in the middle and comes back; the table must be that of
# a sweep on one machine, and the last job must have fitted it. Usage: test.sh PROGRAM (built with --release).
set -eu
program=$(realpath "$1"); here=$(dirname "$(realpath "$0")")
place=$(mktemp -d); cd "$place"
"$here/start.sh"
trap '"$here/stop.sh"; rm -rf "$place"' EXIT
cat > grid.toml <<'G'
name   = "array"
ladder = { kind = "list", shapes = ["1x8", "2x8", "2x16", "2x24"] }
corpus = { kind = "zipf-facts", a = 0.5, keys = 4096 }
budget = { tokens = ["200k", "400k", "800k"] }
[model]
context = 64
[recipe]
batch_tokens = 1024
[run]
checkpoint_every = "1s"
G
"$program" slurm grid.toml --shards 4 --cpus 1 --time 10 --submit
sleep 4
squeue -o '%i %j %T %r'
running=$(squeue -h -t RUNNING -o %A | head -1)
echo "telling job $running to end"
# It is gone before scancel looks again, which scancel calls an error.
scancel --signal=TERM --batch "$running" || true
for _ in $(seq 600); do [ -z "$(squeue -h)" ] && break; sleep 0.5; done
[ -z "$(squeue -h)" ] || { squeue; echo "the jobs did not end" >&2; exit 1; }
"$program" status results/array
"$program" sweep grid.toml --results alone >/dev/null 2>&1
columns() { python3 - "$1" <<'P'
import csv, sys
rows = list(csv.reader(open(sys.argv[1])))
end = rows[0].index("device")
for row in rows: print(row[:end])
P
}
diff <(columns alone/array/runs.csv) <(columns results/array/runs.csv)
ls results/array/fits
grep -h "interrupted\|finished" results/array/slurm/*.log
echo "the job array made the table of one machine"
