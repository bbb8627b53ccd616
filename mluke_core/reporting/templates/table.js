"use strict";

// Sort a table by a column: numbers by size, texts by the alphabet, dashes always last.
function sortBy(table, heading) {
  const index = [...heading.parentElement.children].indexOf(heading);
  const descending = heading.getAttribute("aria-sort") !== "descending";
  const body = table.tBodies[0];
  const key = (row) => {
    const cell = row.children[index];
    const raw = cell.dataset.sort === undefined ? cell.textContent.trim() : cell.dataset.sort;
    const number = Number(raw);
    return raw === "" ? null : Number.isNaN(number) ? raw : number;
  };
  const compare = (a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === null || y === null) return (x === null) - (y === null);
    const order =
      typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
    return descending ? -order : order;
  };
  [...body.rows].sort(compare).forEach((row) => body.append(row));
  for (const other of table.querySelectorAll("th[aria-sort]")) other.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
}

for (const table of document.querySelectorAll("table")) {
  for (const heading of table.querySelectorAll("th[aria-sort]")) {
    heading.querySelector("button").addEventListener("click", () => sortBy(table, heading));
  }
}

for (const box of document.querySelectorAll("input[data-line]")) {
  box.addEventListener("change", () => {
    document.body.classList.toggle(`hide-${box.dataset.line}`, !box.checked);
  });
}
