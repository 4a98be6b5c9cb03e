#!/usr/bin/env bash
# Makes the files of this folder anew with the real writers, in a virtual environment in the folder that is named, and reads them; then lets
# the real readers read what the program writes. Needs python3 with venv, and PyPI the first time.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
work=$1
mkdir -p "$work"
if [ ! -x "$work/venv/bin/python" ]; then
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install -q wandb tensorboardX tensorboard mlflow-skinny transformers tbparse pandas
  # 5 GB, for torch: left out unless it is asked for, and its file is then the one that is kept.
  if [ -n "${SCALELAB_LIGHTNING:-}" ]; then "$work/venv/bin/pip" install -q lightning; fi
fi
python="$work/venv/bin/python"
rm -rf "$work/made" "$work/board" "$work/lines" "$work/charts"
"$python" "$here/make.py" "$work/made"
cd "$root"
SCALELAB_TRACKERS="$work/made" cargo test --release --no-default-features --test it trackers::real
cargo run -q --release --no-default-features -- export "$here/wandb" --to tensorboard --out "$work/board"
cargo run -q --release --no-default-features -- export "$here/wandb" --to jsonl --out "$work/lines"
cargo run -q --release --no-default-features -- export "$here/wandb" --to wandb-csv --out "$work/charts"
"$python" "$here/read.py" "$work/board" "$work/lines" "$work/charts"
