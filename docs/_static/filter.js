"use strict";
// A box above each long table, into which one types what its rows must hold. Without scripts the tables are whole.
(() => {
  const FEWEST = 12;
  const addBox = (table, rows) => {
    const [line, box, count] = ["p", "input", "span"].map((name) => document.createElement(name));
    box.type = "search";
    box.placeholder = "words that a row has";
    box.setAttribute("aria-label", "Filter the rows of the table below");
    count.setAttribute("role", "status");
    line.className = "filter";
    line.append(box, count);
    const texts = rows.map((row) => row.textContent.toLowerCase());
    box.addEventListener("input", () => {
      const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
      rows.forEach((row, k) => { row.hidden = !words.every((word) => texts[k].includes(word)); });
      count.textContent = words.length ? `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows` : "";
    });
    (table.closest(".pst-scrollable-table-container") || table).before(line);
  };
  const begin = () => {
    for (const table of document.querySelectorAll(".bd-article table")) {
      const rows = [...table.querySelectorAll("tbody tr")];
      if (rows.length >= FEWEST) addBox(table, rows);
    }
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
