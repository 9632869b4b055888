// Comfort for the keyboard and the eye; every page works without it.
(function () {
  "use strict";

  const typing = (target) => target.closest("input, textarea, select, [contenteditable]");
  const links = () => Array.from(document.querySelectorAll("tr.row a.open"));

  function move(step) {
    const all = links();
    const here = all.indexOf(document.activeElement);
    const next = all[Math.min(Math.max(here + step, 0), all.length - 1)];
    if (next) {
      next.focus();
      next.closest("tr").scrollIntoView({ block: "nearest" });
    }
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (typing(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "/" && document.getElementById("q")) {
      event.preventDefault();
      document.getElementById("q").focus();
    } else {
      const bound = document.querySelector(`a[data-key="${CSS.escape(event.key)}"]`);
      if (bound) bound.click();
    }
  });

  // A click anywhere in a row opens it, unless somebody is selecting text to copy.
  document.addEventListener("click", (event) => {
    const row = event.target.closest("tr.row");
    if (!row || event.target.closest("a, button, summary") || String(getSelection())) return;
    row.querySelector("a.open").click();
  });

  // Rows that are new, or say something else than before, are marked for a moment.
  let versions = null;
  function markChanged() {
    const rows = Array.from(document.querySelectorAll("tr.row"));
    const now = new Map(rows.map((row) => [row.dataset.study, row.dataset.version]));
    if (versions) {
      for (const row of rows) {
        if (versions.get(row.dataset.study) !== row.dataset.version) row.classList.add("changed");
      }
    }
    versions = now;
  }

  // On a narrow screen a row of such a table stands as a list: each cell says of what it is.
  function label() {
    for (const table of document.querySelectorAll("table.stack")) {
      const names = Array.from(table.querySelectorAll("thead th"), (cell) =>
        cell.querySelector(".sr") ? "" : cell.textContent.trim());
      for (const row of table.querySelectorAll("tbody tr, tfoot tr")) {
        const cells = Array.from(row.children);
        if (cells.length !== names.length) continue;
        cells.forEach((cell, at) => {
          if (at && names[at] && !cell.matches(".strong")) cell.dataset.label = names[at];
          if (cell.textContent.trim() === "–") cell.classList.add("none");
        });
      }
    }
  }

  // The place where one is stays in sight where not all places fit.
  function showPlace() {
    const place = document.querySelector(".top nav a[aria-current]");
    if (place) place.parentElement.scrollLeft = place.offsetLeft - place.parentElement.offsetLeft - 40;
  }

  // No more may be chosen than can be shown side by side.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-most]");
    if (!form || event.target.name !== "code") return;
    const boxes = Array.from(form.querySelectorAll("input[name=code]"));
    const isFull = boxes.filter((box) => box.checked).length >= Number(form.dataset.most);
    for (const box of boxes) box.disabled = isFull && !box.checked;
  });

  function settle() {
    label();
    const list = document.getElementById("list");
    if (list) document.title = list.dataset.title;
    markChanged();
  }

  function sayLive(isOn) {
    const sign = document.getElementById("live");
    if (!sign) return;
    sign.hidden = false;
    sign.classList.toggle("off", !isOn);
    sign.lastElementChild.textContent = isOn ? sign.dataset.on : sign.dataset.off;
  }

  document.addEventListener("htmx:sseOpen", () => sayLive(true));
  document.addEventListener("htmx:sseError", () => sayLive(false));
  document.addEventListener("htmx:afterSwap", settle);
  // A session that ended answers with the sign-in page: go there instead of nesting it in here.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.responseURL.includes("/login/")) {
      event.preventDefault();
      location.reload();
    }
  });
  settle();
  showPlace();
})();
