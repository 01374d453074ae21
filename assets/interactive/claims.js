// The claims of the paper: shows those of one verdict. Without it all are shown.
"use strict";

(() => {
  const { make } = bloodlib, verdicts = bloodlib.read("claims");
  const cards = [...document.querySelectorAll(".claim")];
  const said = make("p", { attributes: { "aria-live": "polite" } });

  function choose(verdict) {
    const name = verdict.replaceAll(" ", "-").replaceAll("'", "");
    for (const card of cards) card.hidden = verdict !== "all" && !card.classList.contains(name);
    for (const button of buttons) button.setAttribute("aria-pressed", button.dataset.verdict === verdict);
    said.textContent = `${cards.filter((card) => !card.hidden).length} of ${cards.length} claims are shown.`;
  }

  const buttons = [["all", cards.length], ...Object.entries(verdicts)].map(([verdict, number]) => {
    const button = make("button", { type: "button" }, `${verdict.replace("'", "’")} (${number})`);
    button.dataset.verdict = verdict;
    button.addEventListener("click", () => choose(verdict));
    return button;
  });
  const group = make("div", { className: "claims-choices", attributes: { role: "group", "aria-label": "Verdicts" } },
    ...buttons);
  document.getElementById("data-claims").before(make("div", { className: "interactive" }, group, said));
  choose("all");
})();
