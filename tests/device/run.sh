#!/usr/bin/env bash
# Tries a GPU: losses and gradients beside the processor's, tokens per second of a ladder with 1 to 8 runs side by side, and a
# small sweep from grid to fit. Prints one table. Exit code 0: all as it should be; 1: something is off; 77: there is no GPU.
#
#   tests/device/run.sh [PROGRAM]
#
# PROGRAM was built with `--features cuda` (or metal); without it, it is built here. SCALELAB_DEVICE names another device
# than the first GPU: `cpu-composed` tries this script, and the path that GPUs take, on a processor. SCALELAB_LADDER
# (default "2x32 4x128 6x256 8x512"), SCALELAB_SLOTS (default "1 2 4 8") and SCALELAB_STEPS (default 400) say how much is tried.
set -euo pipefail
cd "$(dirname "$0")/../.."
device=${SCALELAB_DEVICE:-}
if [ -z "$device" ]; then
  if command -v nvidia-smi >/dev/null && nvidia-smi -L | grep -q ^GPU; then
    device=cuda:0
    nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap --format=csv,noheader
  elif [ "$(uname -s)" = Darwin ]; then
    device=metal:0
  else
    echo "no GPU here: nvidia-smi shows none and this is no Mac; SCALELAB_DEVICE=cpu-composed tries the script without one" >&2
    exit 77
  fi
fi
program=${1:-}
if [ -z "$program" ]; then
  case $device in cpu*) features=train ;; *) features=${device%%:*} ;; esac
  cargo build --release --features "$features"
  program=${CARGO_TARGET_DIR:-target}/release/scalelab
fi
program=$(realpath "$program")
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
read -ra ladder <<<"${SCALELAB_LADDER:-2x32 4x128 6x256 8x512}"
read -ra slots <<<"${SCALELAB_SLOTS:-1 2 4 8}"
steps=${SCALELAB_STEPS:-400}
dtypes=(f32 bf16)
case $device in cpu*) dtypes=(f32) ;; esac

# A grid of shapes with 4096 tokens a step: name, shapes, dtype, steps, seeds.
grid() {
  local shapes
  shapes=$(printf '"%s", ' $2)
  cat <<G
name   = "$1"
ladder = { kind = "list", shapes = [${shapes%, }] }
corpus = { kind = "zipf-facts", a = 0.5, keys = 4096 }
budget = { tokens = [$(($4 * 4096))] }
[recipe]
learning_rate = 2e-3
batch_tokens  = 4096
dtype         = "$3"
[seeds]
data = [$5]
[eval]
windows = 64
G
}

# 1. Losses of twenty steps and the gradient of every parameter, beside the processor's.
for dtype in "${dtypes[@]}"; do
  grid agreement "${ladder[*]}" "$dtype" "$steps" 0 >"$place/agreement-$dtype.toml"
  "$program" bench "$place/agreement-$dtype.toml" --device "$device" --json >"$place/agreement-$dtype.json"
done

# 2. Runs side by side: as many runs of one shape as the most slots, all of the same length.
memory() { case $device in cuda*) nvidia-smi --id="${device#cuda:}" --query-gpu=memory.used --format=csv,noheader,nounits ;; *) echo nan ;; esac }
most=$(printf '%s\n' "${slots[@]}" | sort -n | tail -1)
seeds=$(seq -s, 0 $((most - 1)))
before=$(memory)
for dtype in "${dtypes[@]}"; do
  for shape in "${ladder[@]}"; do
    grid "$shape-$dtype" "$shape" "$dtype" "$steps" "$seeds" >"$place/$shape.toml"
    for n in "${slots[@]}"; do
      start=$(date +%s.%N)
      "$program" sweep "$place/$shape.toml" --device "$device" --slots-per-device "$n" --results "$place/slots-$n" >"$place/log" 2>&1 &
      sweep=$!
      peak=$before
      while kill -0 $sweep 2>/dev/null; do
        now=$(memory)
        if [ "$now" != nan ] && [ "$now" -gt "$peak" ]; then peak=$now; fi
        sleep 0.5
      done
      wait $sweep || { tail -5 "$place/log" >&2; exit 1; }
      echo "$shape,$dtype,$n,$(date +%s.%N),$start,$before,$peak,$place/slots-$n/$shape-$dtype/runs.csv" >>"$place/throughput.csv"
    done
  done
done

# 3. A sweep from grid to fit on the device, and the same grid on the processor.
"$program" sweep sweeps/smoke.toml --device cpu --results "$place/cpu" >"$place/log" 2>&1 || { tail -5 "$place/log" >&2; exit 1; }
"$program" sweep sweeps/smoke.toml --device "$device" --slots-per-device 2 --results "$place/sweep" --fit --plots "$place/plots" >"$place/log" 2>&1 ||
  { tail -5 "$place/log" >&2; exit 1; }

python3 - "$place" "$device" <<'P'
import csv, json, os, sys

place, device = sys.argv[1:]
# Relative. f32 on a GPU adds in another order than the processor; bf16 rounds every factor to 8 bits.
allowed = {"f32": (1e-3, 1e-3), "bf16": (2e-2, 1e-1)}
table, failed = [], 0

def row(what, dtype, slots, rate, loss, gradient, memory, verdict=""):
    table.append([what, dtype, slots, rate, loss, gradient, memory, verdict])

def verdict(fine):
    global failed
    failed += not fine
    return "as it should be" if fine else "OFF"

def rows_of(path):
    with open(path) as file:
        return list(csv.DictReader(file))

for dtype in allowed:
    path = f"{place}/agreement-{dtype}.json"
    for one in json.load(open(path)) if os.path.exists(path) else []:
        fine = one["loss_distance"] < allowed[dtype][0] and one["gradient_distance"] < allowed[dtype][1]
        row(one["workload"].split()[0] + " beside the processor", dtype, "1", f"{one['tokens_per_second']:.3g}",
            f"{one['loss_distance']:.1e}", f"{one['gradient_distance']:.1e}", "", verdict(fine))
for line in open(f"{place}/throughput.csv"):
    shape, dtype, slots, end, start, before, peak, path = line.strip().split(",")
    runs = rows_of(path)
    tokens = sum(float(run["tokens"]) for run in runs)
    memory = (float(peak) - float(before)) / int(slots) if peak != "nan" else float("nan")
    fine = all(run["status"] == "finished" and run["device"].startswith(device.split(":")[0]) for run in runs)
    row(f"{shape}, {len(runs)} runs", dtype, slots, f"{tokens / (float(end) - float(start)):.3g}", "", "",
        "" if memory != memory else f"{memory:.0f} MiB", verdict(fine))
cpu, found = ({run["run_id"]: run for run in rows_of(f"{place}/{name}/smoke/runs.csv")} for name in ("cpu", "sweep"))
off = max(abs(float(found[name]["loss_nats"]) / float(cpu[name]["loss_nats"]) - 1) for name in cpu)
fitted = os.path.exists(f"{place}/sweep/smoke/fits")
row("sweeps/smoke.toml to its fit", "f32", "2", "", f"{off:.1e}", "", "", verdict(off < 1e-2 and len(found) == len(cpu) and fitted))
first = next(iter(found.values()))
print(f"{first['device']}; {first['precision']}; scalelab {first['code_version']}")
header = ["what", "dtype", "slots", "tokens/s", "loss off by", "gradient off by", "memory per slot", ""]
widths = [max(len(line[i]) for line in [header] + table) for i in range(len(header))]
for line in [header] + table:
    print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
print("tokens/s of several runs is over the whole sweep, start of the workers and evaluation included")
sys.exit(1 if failed else 0)
P
