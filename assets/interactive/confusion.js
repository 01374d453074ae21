// A confusion matrix: which photographs are behind a cell.
"use strict";

(() => {
  const { make, percent } = bloodlib, figure = "fig-confusion";
  const { classes, cells } = bloodlib.read(figure);
  const said = make("div", { className: "interactive-said", attributes: { "aria-live": "polite" } });
  const small = (name) => name.toLowerCase();

  const name = (i, j) => i === j ? `${classes[i]}, right` : `${classes[i]} taken for ${small(classes[j])}`;
  const listed = (words, found) => found.length ? [make("p", {}, make("b", {}, words), found.join(", "))] : [];

  function show(i, j) {
    const { images, share, photographs } = cells[i][j];
    const whole = photographs.filter(([, here, all]) => here === all);
    const part = photographs.filter(([, here, all]) => here < all).sort((a, b) => b[1] - a[1]);
    const n = photographs.length;
    said.replaceChildren(
      make("p", {}, make("b", {}, name(i, j)),
        `: ${images} images, ${percent(share)} of the class, from ${n} photograph${n === 1 ? "" : "s"}.`),
      ...listed("With all their images: ", whole.map(([number]) => number)),
      ...listed("With some: ", part.map(([number, here, all]) => `${number} (${here} of ${all})`)));
    buttons.forEach((button) => button.classList.toggle("chosen", button === buttons[i * classes.length + j]));
  }

  const buttons = cells.flatMap((row, i) => row.map((cell, j) => {
    const button = make("button", {
      type: "button", attributes: { "aria-label": `${name(i, j)}: ${cell.images} images` },
    }, `${cell.images}`);
    button.style.backgroundColor = cell.colour;
    button.style.color = cell.ink;
    for (const event of ["pointerenter", "focus", "click"]) button.addEventListener(event, () => show(i, j));
    return button;
  }));

  const head = classes.map((predicted) => make("th", { scope: "col" }, predicted));
  const body = cells.map((row, i) => make("tr", {}, make("th", { scope: "row" }, classes[i]),
    ...row.map((_, j) => make("td", {}, buttons[i * classes.length + j]))));
  const matrix = make("table", { className: "interactive-matrix" },
    make("caption", {}, "True classes in rows, answers in columns. Point at an entry, or go there with the arrow keys."),
    make("thead", {}, make("tr", {}, make("td", {}), ...head)), make("tbody", {}, ...body));
  bloodlib.roam(buttons);
  show(0, 0);
  bloodlib.replace(figure, matrix, said);
})();
