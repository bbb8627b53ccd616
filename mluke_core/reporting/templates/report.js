// Cells are [value, count] or null; the page gets them as data and builds every element itself, so
// that no text of the data is ever read as markup.
const matrices = JSON.parse(document.getElementById("matrices").textContent);

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function select(label, options, change) {
  const box = element("select", {}, ...options.map((text) => element("option", {}, text)));
  box.addEventListener("change", change);
  return [element("label", {}, `${label} `, box), box];
}

function drawMatrix(matrix) {
  const long = matrix.columns.some((name) => name.length > 8);
  const head = element("tr", {}, element("td"));
  for (const name of matrix.columns) {
    const heading = element("th", { scope: "col" }, element("span", {}, name));
    if (long) heading.className = "tilted";
    head.append(heading);
  }
  const body = element("tbody");
  matrix.rows.forEach((name, r) => {
    const label = element("th", { scope: "row" }, name);
    if (matrix.hints[r]) label.append(element("small", {}, matrix.hints[r]));
    const row = element("tr", {}, label);
    matrix.cells[r].forEach((cell, c) => {
      const made = element("td");
      if (cell) {
        made.textContent = cell[0].toFixed(0);
        made.style.setProperty("--share", (cell[0] / 100).toFixed(3));
        made.title = `${name} → ${matrix.columns[c]}: ${cell[0].toFixed(1)} % (${cell[1]})`;
      }
      row.append(made);
    });
    body.append(row);
  });
  return element("table", {}, element("thead", {}, head), body);
}

for (const place of document.querySelectorAll("[data-matrix]")) {
  const all = matrices[place.dataset.matrix];
  if (!all.length) {
    place.append(element("p", { className: "remark" }, "Nothing to show in this run."));
    continue;
  }
  const unique = (key) => [...new Set(all.map((matrix) => matrix[key]))];
  const area = element("div", { className: "scroll", tabIndex: 0 });
  area.setAttribute("role", "region");
  const draw = () => {
    const chosen = all.find((m) => m.system === system.value && m.view === view.value);
    const nothing = element("p", { className: "remark" }, "Not measured for this system.");
    area.replaceChildren(chosen ? drawMatrix(chosen) : nothing);
    area.setAttribute("aria-label", `${system.value}, ${view.value}`);
  };
  const [systemLabel, system] = select("System", unique("system"), draw);
  const [viewLabel, view] = select("Of", unique("view"), draw);
  system.value = all.at(-1).system;
  const preferred = all.find((matrix) => matrix.system === system.value);
  view.value = preferred.view;
  place.append(element("form", { className: "filters" }, systemLabel, viewLabel), area);
  draw();
}

// One pass decides what is shown: the search over the whole page, and the filters of the examples.
const search = document.getElementById("search");
const found = document.getElementById("found");
const filters = document.querySelector(".filters[data-for]");
const normal = (text) => text.normalize("NFKC").toLocaleLowerCase();
const items = [...document.querySelectorAll("[data-item]")].map((node) => ({ node, text: normal(node.textContent) }));
const parts = [...document.querySelectorAll(".part")].map((node) => ({ node, text: normal(node.textContent) }));

function passes(node) {
  if (!filters || !node.classList.contains("card")) return true;
  return [...filters.elements].every((box) => !box.name || !box.value || node.dataset[box.name] === box.value);
}

function apply() {
  const query = normal(search.value.trim());
  let count = 0;
  let cards = 0;
  for (const { node, text } of items) {
    const match = !query || text.includes(query);
    // A search looks at every example; without one the filters choose.
    node.hidden = !match || (!query && !passes(node));
    if (query && match) count += 1;
    if (node.classList.contains("card") && !node.hidden) cards += 1;
    if (query && match) node.closest("details")?.setAttribute("open", "");
  }
  for (const { node, text } of parts) {
    const match = !query || text.includes(query);
    node.hidden = !match;
    for (const link of document.querySelectorAll(`a[href="#${node.id}"]`)) {
      link.parentElement.classList.toggle("empty", !match);
    }
    if (query && match && !node.querySelector("[data-item]:not([hidden])")) count += 1;
  }
  found.textContent = query ? `${count} found` : "";
  const shown = filters?.querySelector(".count");
  if (shown) shown.textContent = `${cards} examples`;
}

search.addEventListener("input", apply);
search.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    search.value = "";
    apply();
  }
});
filters?.addEventListener("change", apply);
for (const form of document.querySelectorAll("form")) form.addEventListener("submit", (event) => event.preventDefault());
apply();

// A link into a part that the search hides shows everything again first.
window.addEventListener("hashchange", () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target?.closest("[hidden]")) {
    search.value = "";
    apply();
    target.scrollIntoView();
  }
});

const contents = document.querySelector("#contents > ol");
const menu = document.querySelector(".menu");
menu.append(contents.cloneNode(true));
menu.addEventListener("click", (event) => {
  if (event.target.closest("a")) menu.open = false;
});

const links = new Map([...document.querySelectorAll("#contents a")].map((link) => [link.hash.slice(1), link]));
const observer = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  },
  { rootMargin: "-15% 0px -75% 0px" },
);
for (const id of links.keys()) observer.observe(document.getElementById(id));

window.addEventListener("beforeprint", () => {
  for (const box of document.querySelectorAll("main details")) box.open = true;
});
