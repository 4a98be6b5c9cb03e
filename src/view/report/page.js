"use strict";
const data = JSON.parse(document.getElementById("data").textContent);

// Numbers for a person, and back: 1.2k, 3M, 1.5e12, 12 %.
const SUFFIX = { k: 1e3, M: 1e6, B: 1e9, G: 1e9, T: 1e12 };
function short(x) {
  if (!isFinite(x)) return "unbounded";
  for (const [s, f] of [["T", 1e12], ["B", 1e9], ["M", 1e6], ["k", 1e3]]) if (x >= f && x < 1e15) return +(x / f).toPrecision(3) + s;
  return x >= 1e15 ? x.toExponential(2) : String(+x.toPrecision(3));
}
function parse(text) {
  const m = /^[^\d+-]{0,2}([+-]?\d[\d.]*(?:e[+-]?\d+)?)([kMBGT])?/i.exec(text.trim());
  return m ? parseFloat(m[1]) * (SUFFIX[m[2]] || 1) : NaN;
}

// An amount as a person types it, all of it read: 1e13, 3.5e12, 30T.
function amount(text) {
  const m = /^\s*(\d+\.?\d*(?:e\+?\d+)?)\s*([kMBGT])?\s*(?:FLOPs?)?\s*$/i.exec(text);
  return m ? Number(m[1]) * (SUFFIX[m[2]] || SUFFIX[(m[2] || "").toUpperCase()] || 1) : NaN;
}

// Tables are sorted by a click on a column: numbers by value, what is no number last.
function sort(head) {
  const table = head.closest("table"), body = table.tBodies[0], at = head.cellIndex;
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const sign = down ? -1 : 1;
  const rows = [...body.rows].map(row => [row.cells[at].textContent, row]);
  const numbers = rows.some(([text]) => !isNaN(parse(text))) && head.classList.contains("n");
  rows.sort(([a], [b]) => {
    const [x, y] = [parse(a), parse(b)];
    if (numbers || (!isNaN(x) && !isNaN(y))) return isNaN(x) ? 1 : isNaN(y) ? -1 : sign * (x - y);
    return sign * a.localeCompare(b);
  });
  rows.forEach(([, row]) => body.append(row));
}
for (const head of document.querySelectorAll("section th:not(.fixed)")) {
  head.tabIndex = 0;
  head.addEventListener("click", () => sort(head));
  head.addEventListener("keydown", e => { if (e.key === "Enter") sort(head); });
}
const filter = document.getElementById("filter");
if (filter) filter.addEventListener("input", () => {
  for (const row of document.querySelector("#runs tbody").rows) row.hidden = !row.textContent.toLowerCase().includes(filter.value.toLowerCase());
});

// A value of the rows between two computes, along a power law.
function between(c, pick) {
  const rows = data.rows;
  let i = 0;
  while (i < rows.length - 2 && rows[i + 1].compute < c) i++;
  const [p, q] = [rows[i], rows[i + 1]], [y, z] = [pick(p), pick(q)];
  if (y === null || z === null || !(y > 0) || !(z > 0)) return NaN;
  const t = Math.log(c / p.compute) / Math.log(q.compute / p.compute);
  return Math.exp(Math.log(y) + t * (Math.log(z) - Math.log(y)));
}
// Everything recommended for a compute: [value, low, high] of each, ends that the data leave open infinite.
function recommend(c) {
  const out = {};
  for (const name of ["params", "tokens", "loss", "learning_rate", "batch_tokens"]) {
    if (!data.rows[0][name]) { out[name] = null; continue; }
    const at = i => between(c, r => r[name] ? r[name][i] : null);
    const end = (i, open) => { const x = at(i); return isNaN(x) ? open : x; };
    out[name] = [at(0), end(1, -Infinity), end(2, Infinity)];
  }
  if (out.batch_tokens && data.context) out.batch_tokens[0] = Math.max(1, Math.round(out.batch_tokens[0] / data.context)) * data.context;
  return out;
}

function calculator(box) {
  const rows = data.rows, low = Math.log10(rows[0].compute), high = Math.log10(rows[rows.length - 1].compute);
  box.innerHTML = '<label for="compute">training compute, FLOPs</label><input class="entry" id="entry"> <span id="where"></span>' +
    '<input id="compute" type="range" step="0.01"><table><thead><tr><th></th><th class="n">value</th><th class="n">interval</th></tr></thead><tbody></tbody></table>';
  const slider = box.querySelector("#compute"), entry = box.querySelector("#entry"), where = box.querySelector("#where");
  [slider.min, slider.max] = [low, high];
  const show = c => {
    const r = recommend(c), [least, most] = data.evidence;
    where.textContent = c > most ? `${short(c / most)} times the largest run: an extrapolation` : c < least ? "below the smallest run" : "within the runs";
    where.className = c > most || c < least ? "outside" : "hint";
    const end = (x, f) => !isFinite(x) ? "unbounded" : f(x);
    const line = (key, label, v, f) => v ? `<tr data-key="${key}" data-value="${v[0]}"><td>${label}</td><td class="n">${f(v[0])}</td><td class="n">${v[1] === v[2] ? "" : end(v[1], f) + " to " + end(v[2], f)}</td></tr>` : "";
    const fixed = x => x.toFixed(4), rate = x => x.toExponential(2);
    const ratio = r.tokens[0] / r.params[0];
    box.querySelector("tbody").innerHTML = line("params", "N*, parameters", r.params, short) + line("tokens", "D*, tokens", r.tokens, short) +
      `<tr><td>D*/N*</td><td class="n">${short(ratio)}</td><td></td></tr>` + line("loss", `loss, ${data.loss_unit}`, r.loss, fixed) +
      line("learning_rate", "peak learning rate", r.learning_rate, rate) + line("batch_tokens", "batch, tokens", r.batch_tokens, short);
  };
  // What cannot be read, or lies where the page has no numbers, is refused in words; nothing stale stays beside it.
  const refuse = why => {
    entry.setAttribute("aria-invalid", "true");
    [where.textContent, where.className] = [why, "outside"];
    box.querySelector("tbody").innerHTML = "";
  };
  const ask = c => {
    if (!(c > 0)) return refuse("not a number of FLOPs: write it as 1e13 or 3.5e12");
    if (Math.log10(c) < low - 1e-9 || Math.log10(c) > high + 1e-9) {
      return refuse(`this page computes from ${short(Math.pow(10, low))} to ${short(Math.pow(10, high))}; beyond: scalelab recommend --compute ${c.toPrecision(3)}`);
    }
    entry.removeAttribute("aria-invalid");
    show(c);
  };
  slider.addEventListener("input", () => { const c = Math.pow(10, +slider.value); entry.value = c.toPrecision(3); ask(c); });
  entry.addEventListener("input", () => {
    const c = amount(entry.value);
    if (c > 0) slider.value = Math.log10(c);
    ask(c);
  });
  slider.value = Math.log10(data.evidence[1]);
  entry.value = data.evidence[1].toPrecision(3);
  show(data.evidence[1]);
}
const box = document.getElementById("calculator");
if (box && data) calculator(box);
for (const first of document.querySelectorAll("section > figure:first-of-type")) {
  const grid = document.createElement("div");
  grid.className = "figures";
  const all = [...first.parentNode.querySelectorAll(":scope > figure")];
  first.before(grid);
  grid.append(...all);
}

// A click on a figure shows it as large as the window; another, or Escape, puts it back.
const large = document.createElement("dialog");
large.className = "large";
document.body.append(large);
large.addEventListener("click", () => large.close());
function enlarge(picture) {
  const copy = picture.cloneNode();
  copy.removeAttribute("tabindex");
  large.replaceChildren(copy);
  large.showModal();
}
for (const picture of document.querySelectorAll("figure > img")) {
  picture.tabIndex = 0;
  picture.addEventListener("click", () => enlarge(picture));
  picture.addEventListener("keydown", e => { if (e.key === "Enter") enlarge(picture); });
}

// Paper cannot be unfolded: what is folded is printed open.
const folded = [];
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details:not([open])")) { part.open = true; folded.push(part); }
});
addEventListener("afterprint", () => { while (folded.length) folded.pop().open = false; });

// With #test in the address the page checks itself and tells what it found in its title.
function selfTest() {
  const found = [];
  const check = (what, good) => found.push((good ? "ok " : "FAILED ") + what);
  if (data) {
    const off = (x, y) => Math.abs(x / y - 1);
    for (const row of data.rows) {
      const r = recommend(row.compute);
      for (const name of ["params", "tokens", "loss"]) check(name, off(r[name][0], row[name][0]) < 1e-9);
      for (const name of ["learning_rate", "batch_tokens"]) if (row[name]) check(name, off(r[name][0], row[name][0]) < 1e-5);
      if (row.params[1] !== null) check("interval", off(r.params[1], row.params[1]) < 1e-4);
    }
    const slider = document.getElementById("compute"), value = key => +document.querySelector(`[data-key=${key}]`).dataset.value;
    const before = value("params");
    const entry = document.getElementById("entry"), where = document.getElementById("where");
    const type = text => { entry.value = text; entry.dispatchEvent(new Event("input")); };
    for (const [text, words] of [["much", "not a number"], ["-1e9", "not a number"], ["1e13x", "not a number"], ["1e99", "recommend --compute"]]) {
      type(text);
      check("refuses " + text, where.textContent.includes(words) && !document.querySelector("[data-key=params]"));
    }
    type(data.rows[0].compute.toExponential(15));
    check("reads what is typed", off(value("params"), data.rows[0].params[0]) < 1e-6);
    slider.value = +slider.max;
    slider.dispatchEvent(new Event("input"));
    check("slider moves", value("params") > before && off(value("params"), data.rows[data.rows.length - 1].params[0]) < 0.05);
  }
  const table = document.getElementById("runs"), head = [...table.tHead.rows[0].cells].find(cell => cell.textContent.startsWith("loss"));
  const values = () => [...table.tBodies[0].rows].map(row => parse(row.cells[head.cellIndex].textContent)).filter(x => !isNaN(x));
  for (const sign of [1, -1]) {
    head.click();
    const v = values();
    check("sorts", v.length > 1 && v.every((x, i) => i === 0 || sign * (x - v[i - 1]) >= 0));
  }
  const picture = document.querySelector("figure > img");
  if (picture) {
    picture.click();
    check("a figure enlarges", large.open && large.querySelector("img").clientWidth >= picture.clientWidth);
    large.click();
    check("and goes back", !large.open);
  }
  const columns = table.tHead.rows[0].cells.length;
  check("every run has every column", [...table.tBodies[0].rows].every(row => row.cells.length === columns));
  check("no sideways scrolling", document.documentElement.scrollWidth <= window.innerWidth);
  const failed = found.filter(line => line.startsWith("FAILED"));
  document.title = `${found.length - failed.length} of ${found.length} checks hold` + (failed.length ? ": " + [...new Set(failed)].join(", ") : "");
  document.body.dataset.test = failed.length ? "failed" : "passed";
}
if (location.hash === "#test") selfTest();
