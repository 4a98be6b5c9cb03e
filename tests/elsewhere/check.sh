#!/usr/bin/env bash
# Whether the library compiles, without a warning, for a processor that is no x86 and a system that is neither Linux nor another Unix.
# Standard libraries of other targets are not to be had everywhere, so what is asked for in `cfg` is renamed to what no target has, in
# a copy, and checked for this one.
set -euo pipefail
cd "$(dirname "$0")/../.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r Cargo.toml Cargo.lock src benches sweeps corpora docs "$copy"
target=${CARGO_TARGET_DIR:-$PWD/target}
cd "$copy"
# What a path in the source names must be there, too.
sed -i 's/^\[lints.rust\]/[lints.rust]\nunexpected_cfgs = "allow"/' Cargo.toml
find src -name '*.rs' -exec sed -i -E \
  -e 's/target_arch = "x86_64"/target_arch = "none"/g' -e 's/target_os = "linux"/target_os = "nowhere"/g' \
  -e 's/\bcfg(!?)\(unix/cfg\1(target_os = "nowhere"/g' -e 's/\bnot\(unix\)/not(target_os = "nowhere")/g' -e 's/\ball\(unix,/all(target_os = "nowhere",/g' {} +
touch src/lib.rs
for features in "" "--no-default-features"; do
  said=$(CARGO_TARGET_DIR=$target cargo check --release --lib $features 2>&1) || { echo "$said"; exit 1; }
  if grep -q '^warning: ' <<<"$said"; then
    echo "$said"
    exit 1
  fi
done
echo "compiles without x86 and without Unix"
