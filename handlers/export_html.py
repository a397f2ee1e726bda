"""Audit entries as one page that a reviewer can read, filter and print: no other file, no network, no rig.

Whatever is written into it is escaped, and its Content-Security-Policy lets nothing run or load but the one script and
the one style that are part of it, by their hashes.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html import escape

from rig.contract.review import AuditEntry

STYLE = """
:root { color-scheme: light dark; font: 14px/1.4 system-ui, sans-serif; }
body { margin: 2rem; }
h1 { font-size: 1.3rem; margin: 0 0 .3rem; }
p { margin: .2rem 0; }
form { display: flex; flex-wrap: wrap; gap: .5rem; margin: 1rem 0; align-items: end; }
label { display: grid; font-size: .8rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid #8884; }
td { overflow-wrap: break-word; }
td:last-child { overflow-wrap: anywhere; }
th { position: sticky; top: 0; background: Canvas; }
td:first-child, time { font-variant-numeric: tabular-nums; white-space: nowrap; }
.denied td, .failure td, .error td { background: #c0392b22; }
.unknown td { background: #f1c40f22; }
@media print { form { display: none; } body { margin: 0; font-size: 10px; } thead { display: table-header-group; } }
"""

SCRIPT = """
const rows = [...document.querySelectorAll("tbody tr")];
const form = document.querySelector("form");
const count = document.querySelector("#count");
for (const name of ["who", "what", "outcome"]) {
  const values = [...new Set(rows.map((row) => row.dataset[name]))].sort();
  for (const value of values) form.elements[name].append(new Option(value || "(none)", value));
}
function filter() {
  const text = form.elements.text.value.toLowerCase();
  let shown = 0;
  for (const row of rows) {
    const fits = ["who", "what", "outcome"].every((name) => {
      const wanted = form.elements[name];
      return wanted.selectedIndex === 0 || wanted.value === row.dataset[name];
    });
    row.hidden = !(fits && (!text || row.textContent.toLowerCase().includes(text)));
    shown += row.hidden ? 0 : 1;
  }
  count.textContent = `${shown} of ${rows.length} entries shown`;
}
form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(filter));
// A link can ask for a part: audit.html#who=user:ana&outcome=denied
for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
  if (form.elements[name]) form.elements[name].value = value;
}
form.hidden = false;
filter();
"""

COLUMNS = ("#", "When", "Who", "What", "Target", "Outcome", "From", "Why")


def page(entries: Iterator[AuditEntry], facts: list[str]) -> Iterator[str]:
    """The page, part by part. ``facts`` say above the table what this is, and what it is not."""
    policy = f"default-src 'none'; style-src '{_hash(STYLE)}'; script-src '{_hash(SCRIPT)}'; base-uri 'none'"
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>rig: audit</title>\n<style>{STYLE}</style></head>\n<body><h1>Audit</h1>\n"
    )
    yield "".join(f"<p>{escape(fact)}</p>\n" for fact in facts)
    choices = "".join(
        f'<label>{name.capitalize()}<select name="{name}"><option>everything</option></select></label>\n'
        for name in ("who", "what", "outcome")
    )
    yield (
        f'<form hidden>{choices}<label>Text<input name="text" type="search"></label>\n'
        '<button type="reset">Show all</button><output id="count"></output></form>\n'
        "<table><thead><tr>" + "".join(f'<th scope="col">{name}</th>' for name in COLUMNS) + "</tr></thead>\n<tbody>\n"
    )
    for entry in entries:
        yield _row(entry)
    yield f"</tbody></table>\n<script>{SCRIPT}</script></body></html>\n"


def _row(entry: AuditEntry) -> str:
    number = f"n{entry.pos}" if entry.source == "observed" else str(entry.pos)
    why = ": ".join(text for text in (entry.code, entry.reason) if text)
    target = entry.target + (f" v{entry.version}" if entry.version else "")
    cells = (number, entry.actor, entry.action, target, entry.outcome, entry.src, why)
    first, *others = (f"<td>{escape(cell)}</td>" for cell in cells)
    data = "".join(
        f' data-{name}="{escape(value)}"'
        for name, value in (("who", entry.actor), ("what", entry.action), ("outcome", entry.outcome))
    )
    at = escape(entry.at)
    when = f'<td><time datetime="{at}">{at}</time></td>'
    return f'<tr id="{escape(entry.id)}" class="{escape(entry.outcome)}"{data}>{first}{when}{"".join(others)}</tr>\n'


def _hash(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()
