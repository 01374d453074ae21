// What is wider than the screen can be pushed aside: its edge fades while there is more to the right.
"use strict";

(() => {
  function mark(wide) {
    const hidden = wide.scrollWidth - wide.clientWidth;
    wide.classList.toggle("cut", hidden - wide.scrollLeft > 4);
    if (wide.tagName === "FIGURE") wide.tabIndex = hidden > 0 ? 0 : -1; // to push it by keyboard
  }
  function markAll() {
    document.querySelectorAll(
      ".bd-article :is(.pst-scrollable-table-container, pre, figure, mjx-container[display=true])",
    ).forEach(mark);
  }
  document.addEventListener("scroll", ({ target }) => {
    if (target.matches?.(".bd-article *")) mark(target);
  }, true);
  addEventListener("DOMContentLoaded", () => {
    new ResizeObserver(markAll).observe(document.body); // also when equations and figures have come
  });
})();
