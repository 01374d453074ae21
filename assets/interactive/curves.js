// Training curves of DCLNN's runs, and its rows of the paper's tables after each epoch.
"use strict";

(() => {
  const { make } = bloodlib, figure = "fig-paper-7";
  const { start, classes, printed, runs } = bloodlib.read(figure);
  const COLOURS = { training: "#D1242F", TEST: "#1F5FBF" }; // as in the book's figures
  const WORDS = { four: "four classes", two: "two classes", max: "max pooling", average: "average pooling" };
  const unique = (values) => [...new Set(values)];

  const chooser = (name, label) => {
    const select = make("select", { id: `curves-${name}` }, ...unique(runs.map((run) => run[name])).map((value) =>
      make("option", { value, selected: value === start[name] }, WORDS[value] ?? `${value}`)));
    return [select, make("label", {}, `${label} `, select)];
  };
  const [task, taskLabel] = chooser("task", "Classes");
  const [pooling, poolingLabel] = chooser("pooling", "Pooling");
  const [seed, seedLabel] = chooser("seed", "Seed");
  const epoch = make("input", { type: "range", id: "curves-epoch", min: 1, max: 25, value: start.epoch });
  const drawn = make("div", { className: "curves-drawn" });
  const said = make("p", { className: "interactive-said", attributes: { "aria-live": "polite" } });
  const scores = make("div");

  function plot(run, measure, title, n) {
    const rows = Object.keys(COLOURS).flatMap((images) =>
      run[images][measure].map((value, i) => ({ images, epoch: i + 1, value })));
    const band = measure === "accuracy" ? run.band.map(([low, high], i) => ({ epoch: i + 1, low, high })) : [];
    const drawing = Plot.plot({
      width: 340, height: 230, marginLeft: 34, x: { label: "epoch" }, y: { label: title, domain: [0, 1], grid: true },
      color: { domain: Object.keys(COLOURS), range: Object.values(COLOURS) },
      marks: [
        Plot.areaY(band, { x: "epoch", y1: "low", y2: "high", fill: COLOURS.TEST, fillOpacity: 0.15 }),
        Plot.ruleX([n], { stroke: "#555555", strokeDasharray: "2 3" }),
        Plot.lineY(rows, { x: "epoch", y: "value", stroke: "images", strokeWidth: 1.8 }),
        Plot.dot(rows.filter((row) => row.epoch === n), { x: "epoch", y: "value", fill: "images", r: 4 }),
      ],
    });
    drawing.setAttribute("aria-hidden", "true"); // its parts have names that say nothing here
    const words = `${title} over epochs. After epoch ${n}: training ${run.training[measure][n - 1].toFixed(2)}, `
      + `TEST ${run.TEST[measure][n - 1].toFixed(2)}.`;
    return make("div", { className: "curves-plot", attributes: { role: "img", "aria-label": words } }, drawing);
  }

  function show() {
    const alike = runs.filter((one) => one.task === task.value && one.pooling === pooling.value);
    for (const option of seed.options) option.disabled = !alike.some((one) => `${one.seed}` === option.value);
    if (seed.selectedOptions[0].disabled) seed.value = `${alike[0].seed}`; // not every network has every seed
    const run = alike.find((one) => `${one.seed}` === seed.value);
    epoch.max = run.scores.length;
    const n = Number(epoch.value), ours = run.scores[n - 1];
    const { table, method, scores: paper } = printed[run.task][run.pooling];
    epoch.setAttribute("aria-valuetext", `epoch ${n}`);
    drawn.replaceChildren(plot(run, "precision", "Average precision", n), plot(run, "accuracy", "Accuracy", n));
    said.textContent = `After epoch ${n}: accuracy ${run.TEST.accuracy[n - 1].toFixed(2)} on TEST, `
      + `${run.training.accuracy[n - 1].toFixed(2)} in training.`;
    scores.replaceChildren(bloodlib.table(
      `${method}'s rows of Table ${table}, ${WORDS[run.task]}: the paper's numbers, and ours after epoch ${n}`
        + (typeof run.seed === "number" ? `, seed ${run.seed}` : ", mean over seeds"),
      ["Class", "paper", "ours", "paper", "ours", "paper", "ours"],
      classes[run.task].map((name, c) =>
        [name, ...paper[c].flatMap((value, m) => [value.toFixed(2), ours[c][m].toFixed(2)])]),
      [["", 1], ["Precision", 2], ["Recall", 2], ["F1", 2]]));
  }

  for (const control of [task, pooling, seed]) control.addEventListener("change", show);
  epoch.addEventListener("input", show);
  const legend = Object.entries(COLOURS).map(([name, colour]) => {
    const line = make("span", { className: "curves-line" });
    line.style.backgroundColor = colour;
    return make("span", {}, line, name);
  });
  show();
  bloodlib.replace(figure,
    make("div", { className: "curves-choices" }, taskLabel, poolingLabel, seedLabel,
      make("label", { className: "curves-epoch" }, "Epoch ", epoch)),
    make("div", { className: "curves-card" }, make("p", { className: "curves-legend" }, ...legend), drawn),
    said, scores);
})();
