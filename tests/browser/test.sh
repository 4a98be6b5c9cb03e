#!/usr/bin/env bash
# The report in a real browser (Debian: chromium): the page moves its slider, sorts its table and compares its own numbers with
# those that were computed for it (#test), at desktop and phone widths; then what its calculator shows at the largest compute of
# the runs is compared with `scalelab recommend --json`.
# Usage: tests/browser/test.sh path/to/scalelab
set -euo pipefail
cd "$(dirname "$0")/../.."
scalelab=$(realpath "${1:-target/release/scalelab}")
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
browse() { chromium --headless=new --no-sandbox --disable-gpu --allow-file-access-from-files --user-data-dir="$place/profile" --virtual-time-budget=10000 "$@" 2>/dev/null; }

"$scalelab" report results/grid --out "$place/report.html"
# A window is never narrower than 500; a frame is.
cat > "$place/phone.html" <<'HTML'
<iframe id="page" src="report.html#test" width="390" height="844"></iframe>
<script>setTimeout(() => { document.title = document.getElementById("page").contentDocument.title; }, 6000);</script>
HTML
for width in 1280 390; do
  page="$place/report.html#test"
  [[ $width == 390 ]] && page="$place/phone.html"
  title=$(browse --window-size=1280,900 --dump-dom "file://$page" | grep -o '<title>[^<]*' | head -n 1)
  echo "width $width: ${title#<title>}"
  [[ $title == *" checks hold" ]] || { echo "the page found a fault" >&2; exit 1; }
done

browse --dump-dom "file://$place/report.html" > "$place/page"
compute=$(python3 -c 'import csv, sys; print(max(float(r["flops_exact"]) for r in csv.DictReader(open("results/grid/runs.csv"))))')
"$scalelab" recommend results/grid --compute "$compute" --json > "$place/told"
python3 - "$place" <<'PY'
import json, re, sys
page, told = open(sys.argv[1] + "/page").read(), json.load(open(sys.argv[1] + "/told"))[0]
for key, within in [("params", 1e-4), ("tokens", 1e-4), ("loss", 1e-6), ("learning_rate", 1e-4), ("batch_tokens", 1e-6)]:
    shown = float(re.search(rf'data-key="{key}" data-value="([^"]+)"', page).group(1))
    expected = told[key]["value"]
    assert abs(shown / expected - 1) < within, f"{key}: the page shows {shown}, the command line {expected}"
    print(f"{key}: {shown:.6g} in the page, {expected:.6g} on the command line")
PY
