// The page's tables: DataTables sorts, pages and draws; this file feeds it, filters, and keeps filters in the address.
//
// Everything in the data is text from the people being audited. It enters the page as text nodes and as values of
// form fields, never as markup.

const { DataTable } = window.$.fn;
const settings = JSON.parse(document.getElementById("settings").textContent);
const collator = new Intl.Collator("en", { numeric: true });
const FORMULA = /^\s*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;
const ADDRESS_PAUSE = 300; // browsers stop a page that changes its address at each key stroke

// A column that is sorted by whole numbers, and never looked at to find out what it holds.
DataTable.type("rank", { detect: () => false, order: { pre: (rank) => rank } });

function readTable(id) {
  const raw = JSON.parse(document.getElementById(`${id}-data`).textContent);
  const columns = new Map();
  for (const { name, words, codes } of raw.columns) {
    columns.set(name, makeColumn(name, words, codes ? Int32Array.from(codes) : null));
  }
  return { rows: raw.rows, columns };
}

function makeColumn(name, words, codes) {
  const known = settings.words[name] ?? {};
  const labels = words.map((word) => (Object.hasOwn(known, word) ? known[word] : String(word)));
  // What a search sees: each word as stored and as shown.
  const lowered = words.map((word, place) =>
    (labels[place] === String(word) ? labels[place] : `${word}\n${labels[place]}`).toLowerCase());
  const code = codes ? (row) => codes[row] : (row) => row;
  let ranks;
  return {
    name, words, codes, labels, lowered, code,
    label: (row) => labels[code(row)] ?? settings.missing,
    word: (row) => words[code(row)] ?? null,
    rank: (row) => (ranks ??= rankWords(name, words))[code(row)] ?? -1,
  };
}

function rankWords(name, words) {
  const order = settings.ranks[name] ?? [];
  const place = (word) => { const found = order.indexOf(word); return found < 0 ? order.length : found; };
  const compare = typeof words[0] === "number"
    ? (a, b) => words[a] - words[b]
    : (a, b) => place(words[a]) - place(words[b]) || collator.compare(words[a], words[b]);
  const ranks = new Int32Array(words.length);
  words.map((_, index) => index).sort(compare).forEach((index, rank) => { ranks[index] = rank; });
  return ranks;
}

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// Text that may break after the signs that part names, so that a path does not break within a word.
function showText(name, text, className) {
  const made = element(name, undefined, className);
  text.split(/(?<=[/@._-])/).forEach((part, index) => made.append(...(index ? [element("wbr"), part] : [part])));
  return made;
}

function showCell(table, column, row) {
  const main = table.columns.get(column.name);
  const word = main.word(row);
  const marked = ["verdict", "severity", "outcome"].includes(column.kind) && word !== null;
  const text = column.kind === "time" ? showTime(main.label(row)) : main.label(row);
  const cell = showText(column.kind === "name" ? "bdi" : "span", text, marked ? `${column.kind} ${word}` : "");
  const under = column.under && table.columns.get(column.under).word(row);
  if (!under) return cell;
  const both = element("div");
  both.append(cell, showText("bdi", showTime(under), "under"));
  return both;
}

function showTime(text) {
  return text.replace(/^([\d-]+)T(\d\d:\d\d)[\d:.]*Z$/, "$1 $2 UTC");
}

function drawGrid(grid) {
  const table = readTable(grid.id);
  const form = document.getElementById(`${grid.id}-filters`);
  const keep = new Uint8Array(table.rows).fill(1);
  const prefix = grid.id === "findings" ? "" : `${grid.id}.`;
  const narrow = { ...table, form, grid, prefix };
  fillChoices(narrow);
  restore(narrow);
  sift(narrow, keep);
  const api = window.$(`#${grid.id}-table`).DataTable({
    data: Array.from({ length: table.rows }, (_, row) => [row]),
    columns: [
      { data: () => "", render: (_, type, [row]) => (type === "display" ? moreButton(table, row) : ""), orderable: false, searchable: false, type: "rank", className: "more" },
      ...grid.columns.map((column) => ({
        data: ([row], type) => (type === "display" ? showCell(table, column, row) : table.columns.get(column.name).rank(row)),
        className: `is-${column.kind} ${column.name.replace(/[^a-z_-]/g, "-")}`, searchable: false, type: "rank",
      })),
    ],
    order: grid.order.map((name) => [1 + grid.columns.findIndex((column) => column.name === name), "asc"]),
    autoWidth: false, deferRender: true, orderMulti: true, pageLength: 25, lengthMenu: [25, 50, 100, 500],
    layout: { topStart: null, topEnd: null, bottomStart: ["info", "pageLength"], bottomEnd: "paging" },
    language: {
      info: `_START_ to _END_ of _TOTAL_ ${grid.noun}`, infoEmpty: `0 ${grid.noun}`, infoFiltered: "(_MAX_ in all)",
      emptyTable: `No ${grid.noun}.`, zeroRecords: `No ${grid.noun} match these filters.`,
      lengthMenu: "_MENU_ on a page", thousands: ",",
      aria: { paginate: { first: "First", last: "Last", next: "Next", previous: "Previous" } },
    },
  });
  api.search.fixed("filters", (_text, _data, row) => keep[row] === 1).draw();
  const refresh = () => { sift(narrow, keep); api.draw(); };
  form.addEventListener("input", () => { refresh(); rememberSoon(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => { event.preventDefault(); clear(narrow); refresh(); rememberSoon(); });
  form.querySelector(".export").addEventListener("click", () => saveCsv(narrow, api));
  api.table().body().addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) toggleDetails(narrow, api.row(button.closest("tr")), button);
  });
  return { narrow, refresh };
}

// ---- filters

function listFields({ form }) {
  return [...form.elements].filter((field) => field.name);
}

function fillChoices({ columns, rows, form, grid }) {
  for (const filter of grid.filters) {
    const column = columns.get(filter.name);
    const before = filter.label ? columns.get(filter.label) : null;
    const names = new Map();
    let lacks = false;
    for (let row = 0; row < rows; row += 1) {
      const code = column.code(row);
      if (code < 0) lacks = true;
      else if (!names.has(code)) names.set(code, before ? `${before.label(row)} (${column.labels[code]})` : column.labels[code]);
    }
    const rank = new Map([...names.keys()].map((code) => [code, names.get(code)]));
    const order = rankWords(filter.name, column.words);
    const options = [...rank].sort((a, b) => (before ? collator.compare(a[1], b[1]) : order[a[0]] - order[b[0]]));
    const list = form.elements[filter.name];
    for (const [code, name] of options) list.append(new Option(name, String(column.words[code])));
    if (lacks) list.append(new Option("none", settings.missing));
  }
}

// Say for each row whether it is kept. Each word is looked at once, and a row only by the number of its word.
function sift({ columns, rows, form, grid }, keep) {
  keep.fill(1);
  for (const filter of grid.filters) {
    const wanted = form.elements[filter.name].value;
    if (wanted) keepOnly(keep, markRows([columns.get(filter.name)], rows, "words", (word) => String(word) === wanted, wanted === settings.missing));
  }
  for (const part of form.elements.q.value.toLowerCase().split(/\s+/).filter(Boolean)) {
    keepOnly(keep, markRows(columns.values(), rows, "lowered", (word) => word.includes(part), false));
  }
}

function keepOnly(keep, marked) {
  for (let row = 0; row < keep.length; row += 1) keep[row] &= marked[row];
}

// Mark the rows that have, in one of these columns, a word that suits.
function markRows(columns, rows, which, suits, orMissing) {
  const marked = new Uint8Array(rows);
  for (const { [which]: words, codes } of columns) {
    const suited = new Uint8Array(words.length);
    let any = orMissing;
    for (let place = 0; place < words.length; place += 1) {
      if (suits(words[place])) {
        suited[place] = 1;
        any = true;
      }
    }
    if (!any) continue;
    for (let row = 0; row < rows; row += 1) {
      const place = codes ? codes[row] : row;
      marked[row] |= place < 0 ? Number(orMissing) : suited[place];
    }
  }
  return marked;
}

function clear(narrow) {
  for (const field of listFields(narrow)) field.value = "";
}

// ---- the address: #q=alice&verdict=fail&accounts.outcome=not-collected

let waiting = 0;

function rememberSoon() {
  clearTimeout(waiting);
  waiting = setTimeout(remember, ADDRESS_PAUSE);
}

function remember() {
  const words = new URLSearchParams();
  for (const { narrow } of grids) {
    for (const field of listFields(narrow)) if (field.value) words.set(narrow.prefix + field.name, field.value);
  }
  try {
    history.replaceState(null, "", `#${words}`);
  } catch {
    // Some viewers of mail allow no address of its own. Filters work without one.
  }
}

function restore(narrow) {
  const words = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  for (const field of listFields(narrow)) {
    field.value = words.get(narrow.prefix + field.name) ?? "";
    // A list without such a choice chooses nothing: then all of it.
    if (field.selectedIndex === -1) field.value = "";
  }
}

// ---- one row in full

function moreButton({ columns }, row) {
  const button = element("button", "+");
  button.type = "button";
  button.setAttribute("aria-expanded", "false");
  const names = ["user", "account_name", "name", "account_id"].map((name) => columns.get(name)?.word(row));
  button.setAttribute("aria-label", `Details: ${names.filter(Boolean).join(", ")}`);
  return button;
}

function toggleDetails({ columns }, row, button) {
  const isOpen = !row.child.isShown();
  button.setAttribute("aria-expanded", String(isOpen));
  button.textContent = isOpen ? "\u2212" : "+";
  if (!isOpen) {
    row.child.hide();
    return;
  }
  const list = element("dl", undefined, "details");
  for (const column of columns.values()) {
    list.append(element("dt", column.name), element("dd", column.label(row.data()[0])));
  }
  row.child(list).show();
}

// ---- CSV: RFC 4180, as findings.csv has it

function writeField(word) {
  if (word === null) return '""';
  const text = typeof word === "string" && FORMULA.test(word) ? `'${word}` : String(word);
  return `"${text.replaceAll('"', '""')}"`;
}

function saveCsv({ columns, grid }, api) {
  const kept = [...columns.values()];
  const lines = [kept.map((column) => writeField(column.name)).join(",")];
  for (const row of api.rows({ search: "applied", order: "applied" }).indexes().toArray()) {
    lines.push(kept.map((column) => writeField(column.word(row))).join(","));
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\ufeff", lines.join("\r\n"), "\r\n"], { type: "text/csv" }));
  link.download = `${settings.file}-${grid.id}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// ---- theme

function startTheme() {
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try { chosen = localStorage.getItem("orgproof-theme"); } catch { /* refused: then for this time only */ }
  const show = () => {
    const isDark = chosen ? chosen === "dark" : system.matches;
    document.documentElement.classList.toggle("dark", isDark);
    document.documentElement.classList.toggle("light", !isDark);
    button.setAttribute("aria-pressed", String(isDark));
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    chosen = document.documentElement.classList.contains("dark") ? "light" : "dark";
    try { localStorage.setItem("orgproof-theme", chosen); } catch { /* as above */ }
    show();
  });
  system.addEventListener("change", show);
  show();
}

// An extension in the bundle counts selected rows and cells at each draw. Nothing can be selected here.
window.$(document).off(".dtSelect");

startTheme();
const grids = settings.grids.map(drawGrid);
addEventListener("hashchange", () => {
  // A link to a section leaves the filters as they are.
  if (!location.hash.includes("=")) return;
  for (const { narrow, refresh } of grids) { restore(narrow); refresh(); }
});
