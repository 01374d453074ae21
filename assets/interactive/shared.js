// What the interactive figures share. Each reads its numbers from the page, computes nothing, and
// stands in the place of a picture, which stays for print.
"use strict";

var bloodlib = {
  make(tag, { attributes = {}, ...about } = {}, ...children) {
    const element = Object.assign(document.createElement(tag), about);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  },

  read: (figure) => JSON.parse(document.getElementById(`data-${figure}`).textContent),

  // Puts elements in the place of a figure's picture.
  replace(figure, ...elements) {
    const picture = document.querySelector(`#${figure} img`);
    picture.classList.add("interactive-picture");
    picture.before(bloodlib.make("div", { className: "interactive" }, ...elements));
  },

  // A table, which can be pushed aside where it is too wide. Above its header there may be a row of
  // headings, each over so many columns: [words, columns].
  table(caption, header, rows, headings = []) {
    const { make } = bloodlib;
    const above = headings.map(([text, colSpan]) =>
      text ? make("th", { scope: "colgroup", colSpan }, text) : make("td", { colSpan }));
    const about = { role: "region", "aria-label": caption, tabindex: 0 };
    const found = make("table", { className: "table interactive-table" }, make("caption", {}, caption),
      make("thead", {}, ...(above.length ? [make("tr", {}, ...above)] : []),
        make("tr", {}, ...header.map((text) => make("th", { scope: "col" }, text)))),
      make("tbody", {}, ...rows.map(([first, ...others]) => make("tr", {},
        make("th", { scope: "row" }, first), ...others.map((text) => make("td", {}, text))))));
    return make("div", { className: "interactive-wide", attributes: about }, found);
  },

  // One stop of the Tab key for many buttons: arrows lead to the nearest one that way, Home and End
  // to the first and the last.
  roam(buttons) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const middle = (button) => {
      const { left, top, width, height } = button.getBoundingClientRect();
      return [left + width / 2, top + height / 2];
    };
    const next = (from, [right, down]) => {
      const [x, y] = middle(from);
      let best, least = Infinity;
      for (const button of buttons) {
        const [dx, dy] = middle(button).map((place, i) => place - [x, y][i]);
        const along = dx * right + dy * down, aside = Math.abs(dx * down) + Math.abs(dy * right);
        if (along > 1 && along + 3 * aside < least) [best, least] = [button, along + 3 * aside];
      }
      return best;
    };
    const reach = (button) => buttons.forEach((one) => { one.tabIndex = one === button ? 0 : -1; });
    reach(buttons[0]);
    for (const button of buttons) {
      button.addEventListener("focus", () => reach(button));
      button.addEventListener("keydown", (event) => {
        const there = event.key === "Home" ? buttons[0] : event.key === "End" ? buttons.at(-1)
          : ways[event.key] && next(button, ways[event.key]);
        if (ways[event.key] || there) event.preventDefault();
        there?.focus();
      });
    }
  },

  percent: (share) => `${Math.round(100 * share)}%`,
};
