"use strict";
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const key = (row, place) => row.cells[place].dataset.sort ?? row.cells[place].textContent;
  const compare = (one, other) => {
    const [a, b] = [Number(one), Number(other)];
    if (one !== "" && other !== "" && !Number.isNaN(a) && !Number.isNaN(b)) return a - b;
    return one.localeCompare(other, "en", { numeric: true });
  };
  heads.forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const was = head.getAttribute("aria-sort");
      const first = head.classList.contains("number") ? "descending" : "ascending";
      const now = was === null ? first : was === "ascending" ? "descending" : "ascending";
      const sign = now === "ascending" ? 1 : -1;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", now);
      const rows = [...body.rows].map((row) => [key(row, place), row]);
      const missing = (value) => value === "–";
      rows.sort(([a], [b]) => missing(a) - missing(b) || sign * compare(a, b));
      body.append(...rows.map(([, row]) => row));
    });
  });
  if (!table.hasAttribute("data-filter")) continue;
  const tools = document.createElement("div");
  tools.className = "tools";
  const chosen = new Map();
  const count = document.createElement("output");
  const labelled = (text, control) => {
    const label = document.createElement("label");
    label.append(text, control);
    tools.append(label);
    return control;
  };
  const apply = () => {
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    for (const row of body.rows) {
      const fits = [...chosen].every(([place, menu]) => !menu.value || row.cells[place].textContent === menu.value);
      row.hidden = !(fits && row.textContent.toLowerCase().includes(wanted));
      shown += !row.hidden;
    }
    count.textContent = `${shown} of ${body.rows.length} rows`;
  };
  const search = labelled("Filter", document.createElement("input"));
  search.type = "search";
  search.addEventListener("input", apply);
  heads.forEach((head, place) => {
    if (!head.hasAttribute("data-choose")) return;
    const menu = labelled(head.textContent, document.createElement("select"));
    menu.append(new Option("all", ""));
    const values = new Map([...body.rows].map((row) => [row.cells[place].textContent, key(row, place)]));
    for (const [value] of [...values].sort(([, a], [, b]) => compare(a, b))) menu.append(new Option(value, value));
    menu.addEventListener("change", apply);
    chosen.set(place, menu);
  });
  tools.append(count);
  const window_ = table.closest(".window");
  window_.before(tools);
  apply();
}
