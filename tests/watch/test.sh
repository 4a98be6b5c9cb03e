#!/usr/bin/env bash
# The live screen in a real terminal (Debian: tmux): a sweep runs beside it, the screen is read at 80 columns and 24 rows without
# colour, in another size, and left by every way there is; the sweep must go on and the terminal be as it was.
# Usage: tests/watch/test.sh path/to/scalelab
set -euo pipefail
cd "$(dirname "$0")/../.."
scalelab=$(realpath "${1:-target/release/scalelab}")
place=$(mktemp -d)
mux() { tmux -L "scalelab-watch-$$" -f /dev/null "$@"; }
sweep=
trap 'mux kill-server 2>/dev/null || true; [ -z "$sweep" ] || kill "$sweep" 2>/dev/null || true; wait; rm -rf "$place"' EXIT
fail() { echo "$1" >&2; screen >&2; exit 1; }
screen() { mux capture-pane -p -t watch; }
# Waits until the screen holds a pattern.
await() {
  for _ in $(seq 150); do
    if screen | grep -q -- "$1"; then return; fi
    sleep 0.2
  done
  fail "the screen never held: $1"
}
# Leaves the screen, by a key or a signal, and looks at what is left: the shell's own screen, echo and cursor.
left_by() {
  await 'BEFORE'
  await 'LEFT [0-9]'
  [ "$(mux display-message -p -t watch '#{alternate_on}')" = 0 ] || fail "$1 left the other screen on"
  [ "$(mux display-message -p -t watch '#{cursor_flag}')" = 1 ] || fail "$1 left no cursor"
  stty -a < "$(mux display-message -p -t watch '#{pane_tty}')" | grep -q ' echo ' || fail "$1 left a terminal without echo"
  echo "left by $1"
}
# Starts the screen in a shell that says how it ended.
watching() {
  mux respawn-pane -k -t watch "echo BEFORE; $*; echo LEFT \$?; exec sleep 1000"
}

cat > "$place/grid.toml" <<'TOML'
name   = "watched"
ladder = { kind = "list", shapes = ["1x8", "2x16"] }
corpus = { kind = "zipf-facts", a = 0.5, keys = 4096 }
budget = { tokens = ["40k"] }
[model]
context = 64
[recipe]
learning_rate = 8e-3
batch_tokens  = 1024
[eval]
windows = 64
TOML
mux new-session -d -s watch -x 80 -y 24 'sleep 1000'
call="env LC_ALL=C.UTF-8 NO_COLOR=1 '$scalelab' watch '$place/results/watched'"

# Before the sweep begins; then it trains two short runs, and minutes on two long ones.
watching "$call"
await 'no plan.csv'
"$scalelab" sweep "$place/grid.toml" --results "$place/results" --workers 2 > "$place/log" 2>&1
await '2 of 2 runs ended'
await 'next: scalelab fit'
sed -i 's/"40k"/"40k", "60M"/' "$place/grid.toml"
"$scalelab" sweep "$place/grid.toml" --results "$place/results" --workers 2 > "$place/log" 2>&1 &
sweep=$!
await '2 of 4 runs ended'
await '^1 .*\[.*\] .*/.*train loss [0-9.]* .* tokens/s'
await 'left at the speed of the runs so far'
await 'train loss (nats) over log steps'
await 'held-out loss'
[ "$(screen | wc -l)" -le 24 ] || fail "more than 24 rows"
if mux capture-pane -p -e -t watch | grep -qE $'\e\\[([0-9;]*;)?3([0-7]m|8;)'; then fail "colour in spite of NO_COLOR"; fi
screen
mux send-keys -t watch l
await 'train loss (nats) over steps'
mux resize-window -t watch -x 120 -y 40
await 'at work$'
mux resize-window -t watch -x 80 -y 24
mux send-keys -t watch q
left_by q

watching "env LC_ALL=C '$scalelab' status '$place/results/watched' --watch"
await '^1 .*\[[#.]*\] '
mux send-keys -t watch C-c
left_by Ctrl-C

watching "$call"
await 'of 4 runs ended'
mux send-keys -t watch Escape
left_by Esc

watching "$call"
await 'of 4 runs ended'
shell=$(mux display-message -p -t watch '#{pane_pid}')
watcher=$(cut -d " " -f 1 "/proc/$shell/task/$shell/children")
kill -TERM "$watcher"
left_by SIGTERM

# A terminal that goes away takes the screen with it.
watching "$call"
await 'of 4 runs ended'
shell=$(mux display-message -p -t watch '#{pane_pid}')
watcher=$(cut -d " " -f 1 "/proc/$shell/task/$shell/children")
mux kill-server
for _ in $(seq 50); do [ -e "/proc/$watcher" ] || break; sleep 0.1; done
[ ! -e "/proc/$watcher" ] || { echo "it outlives its terminal" >&2; exit 1; }
echo "left with its terminal"

kill -0 "$sweep" || fail "the sweep ended while it was watched"
"$scalelab" status "$place/results/watched"
echo "the sweep still runs"
