// TEST's photographs: what every run makes of the images of one.
"use strict";

(() => {
  const { make, percent } = bloodlib, figure = "fig-wall";
  const { answers, runs, blocks } = bloodlib.read(figure);
  const said = make("div", { className: "interactive-said", attributes: { "aria-live": "polite" } });
  const votes = make("div");

  function table(caption, tile, which) {
    const rows = runs.flatMap(({ method, task, settings, seed, compared }, r) => {
      if (compared !== which) return [];
      const [right, answer] = tile.votes[r];
      return [[method, task, settings, `${seed}`, `${right}`, answers[task][answer] ?? "a tie"]];
    });
    const header = ["Method", "Classes", "Settings", "Seed", `Right of ${tile.images}`, "Mostly taken for"];
    return make("div", { className: "interactive-wide" }, bloodlib.table(caption, header, rows));
  }

  function show(tile, block) {
    said.replaceChildren(make("p", {}, make("b", {}, `Photograph ${tile.number}`),
      `, ${block.name.toLowerCase()}, ${tile.images} images. DCLNN gets ${percent(tile.share)} of them right.`
      + (tile.starred ? " Another photograph of the same cell is in TRAIN." : "")));
    const others = runs.filter((run) => !run.compared).length;
    votes.replaceChildren(table(`Photograph ${tile.number}: the runs of Tables 1 and 2`, tile, true),
      make("details", { open: votes.querySelector("details")?.open ?? false },
        make("summary", {}, `The other ${others} runs`), table(`Photograph ${tile.number}: other runs`, tile, false)));
    for (const button of buttons) button.setAttribute("aria-pressed", button.dataset.number === `${tile.number}`);
  }

  const buttons = [];
  const walls = blocks.map((block) => {
    const tiles = block.tiles.map((tile) => {
      const words = `Photograph ${tile.number}, ${tile.images} images, ${percent(tile.share)} right`
        + (tile.starred ? ", its cell also in TRAIN" : "");
      const button = make("button", { type: "button", attributes: { "aria-label": words } },
        make("span", {}, `${tile.number}${tile.starred ? "*" : ""}`));
      if (tile.picture) button.append(make("img", { src: tile.picture, alt: "", className: "dark-light" }));
      else button.append(make("span", {}, percent(tile.share)));
      button.dataset.number = tile.number;
      const [left, top, width, height] = tile.box.map((part) => `${part}%`);
      Object.assign(button.style, { left, top, width, height, backgroundColor: tile.colour, color: tile.ink });
      button.addEventListener("click", () => show(tile, block));
      buttons.push(button);
      return button;
    });
    const title = `${block.name}: ${tiles.length} photographs, ${block.images} images`;
    return make("div", { className: `wall-block wall-${block.name.toLowerCase()}` },
      make("p", {}, title), make("div", { className: "wall-tiles", attributes: { role: "group", "aria-label": title } }, ...tiles));
  });
  bloodlib.roam(buttons);
  said.append(make("p", {}, "Choose a photograph: click, or go there with the arrow keys and press Enter."));
  const shades = make("p", { className: "wall-shades" }, "Right in no image ", make("span"), " in all");
  bloodlib.replace(figure, make("div", { className: "wall" }, ...walls), shades, said, votes);
})();
