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
  function unfold() { // what a link leads to may be folded
    const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const folded = document.querySelectorAll("details:not([open])");
    const around = [...folded].filter((fold) => place && fold.contains(place));
    around.forEach((fold) => { fold.open = true; });
    if (around.length) place.scrollIntoView();
  }
  addEventListener("hashchange", unfold);
  addEventListener("DOMContentLoaded", unfold);
  addEventListener("DOMContentLoaded", () => {
    new ResizeObserver(markAll).observe(document.body); // also when equations and figures have come
  });
})();
