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

  function settle() {
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
})();
