"use strict";
const collator = new Intl.Collator("en", { numeric: true });
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const held = table.parentElement.querySelector("template");
  let rows = [...body.rows];
  const atOnce = rows.length;
  let most = atOnce;
  if (held) {
    rows = rows.concat([...held.content.querySelectorAll("tr")]);
    held.previousElementSibling.remove();
    held.remove();
  }
  let fitting = rows;
  let afterwards = () => {};
  const show = () => {
    body.replaceChildren(...fitting.slice(0, most));
    afterwards();
  };
  const key = (row, place) => row.cells[place].dataset.sort ?? row.cells[place].textContent;
  const compare = (one, other) => {
    const [a, b] = [Number(one), Number(other)];
    if (one !== "" && other !== "" && !Number.isNaN(a) && !Number.isNaN(b)) return a - b;
    return collator.compare(one, other);
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
      const missing = (value) => value === "–";
      const order = ([a], [b]) => missing(a) - missing(b) || sign * compare(a, b);
      const sorted = (some) => some.map((row) => [key(row, place), row]).sort(order).map(([, row]) => row);
      const all = fitting === rows;
      rows = sorted(rows);
      fitting = all ? rows : sorted(fitting);
      show();
    });
  });
  if (!table.hasAttribute("data-filter")) continue;
  const tools = document.createElement("div");
  tools.className = "tools";
  const chosen = new Map();
  const count = document.createElement("output");
  const texts = new Map();
  const text = (row) => {
    if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
    return texts.get(row);
  };
  const labelled = (name, control) => {
    const label = document.createElement("label");
    label.append(name, control);
    tools.append(label);
    return control;
  };
  const apply = () => {
    const wanted = search.value.trim().toLowerCase();
    const menus = [...chosen].filter(([, menu]) => menu.value);
    const fits = (row) => menus.every(([place, menu]) => row.cells[place].textContent === menu.value);
    fitting = wanted || menus.length ? rows.filter((row) => fits(row) && text(row).includes(wanted)) : rows;
    most = atOnce;
    show();
  };
  const search = labelled("Filter", document.createElement("input"));
  search.type = "search";
  search.addEventListener("input", apply);
  heads.forEach((head, place) => {
    if (!head.hasAttribute("data-choose")) return;
    const menu = labelled(head.textContent, document.createElement("select"));
    menu.append(new Option("all", ""));
    const values = new Map(rows.map((row) => [row.cells[place].textContent, key(row, place)]));
    for (const [value] of [...values].sort(([, a], [, b]) => compare(a, b))) menu.append(new Option(value, value));
    menu.addEventListener("change", apply);
    chosen.set(place, menu);
  });
  const more = document.createElement("button");
  more.type = "button";
  more.className = "more";
  more.addEventListener("click", () => {
    most += atOnce;
    show();
  });
  afterwards = () => {
    const shown = Math.min(fitting.length, most);
    more.hidden = shown === fitting.length;
    more.textContent = `Show ${Math.min(atOnce, fitting.length - shown)} more`;
    const listed = more.hidden ? "" : `, ${shown} of them listed`;
    count.textContent = `${fitting.length} of ${rows.length} rows${listed}`;
  };
  tools.append(count, more);
  const window_ = table.closest(".window");
  window_.before(tools);
  show();
}
