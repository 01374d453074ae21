// The page "Try it": takes a picture, shows what the networks answer. Nothing leaves the browser.
"use strict";

(() => {
  const here = document.currentScript.src.replace(/[^/]*$/, "");
  const box = document.getElementById("dclnn");
  const given = {};
  bloodlib.give = (name, value) => { given[name] = value; };

  const make = (tag, about = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), about);
    element.append(...children);
    return element;
  };

  const load = (file) => new Promise((done, failed) => {
    const script = make("script", { src: here + file, onload: done });
    script.onerror = () => failed(new Error(`${file} is not beside this page: build the book again`));
    document.head.append(script);
  });

  const status = make("p", { className: "try-it-status" });
  status.setAttribute("role", "status");
  const said = make("section", { className: "try-it-answer", hidden: true });
  said.setAttribute("aria-label", "Answer");
  const offered = make("div", { className: "try-it-offered" });

  // the stain of the picture that was taken last: less or more of the blue dye
  const stain = make("input", {
    type: "range", id: "try-it-stain", min: 0.6, max: 1.4, step: 0.05, value: 1,
  });
  const amount = make("output", { htmlFor: "try-it-stain" });
  const slider = make("div", { className: "try-it-stain", hidden: true },
    make("label", { htmlFor: "try-it-stain" }, "Change its stain: "), stain, amount);
  function tellStain() {
    const factor = Number(stain.value).toFixed(2);
    const words = factor === "1.00" ? "as it is" : `blue ×\u00a0${factor}, eosin\u00a0÷\u00a0${factor}`;
    amount.textContent = words;
    stain.setAttribute("aria-valuetext", words);
  }
  tellStain();

  let networks; // read when the first picture comes: they are 26 MB
  async function ready() {
    await load("../tfjs/tf-core.min.js");
    await load("../tfjs/tf-backend-cpu.min.js");
    await tf.setBackend("cpu");
    await Promise.all(["four", "two"].map((task) => load(`weights-${task}.js`)));
    return ["four", "two"].map((task) => new bloodlib.Network(given[`weights-${task}`]));
  }

  function percent(share) {
    const off = Math.min(share, 1 - share); // from 0 % or 100 %
    return `${(100 * share).toFixed(off > 0.0005 && off < 0.005 ? 1 : 0)}%`;
  }
  const small = (name) => name.charAt(0) + name.slice(1).toLowerCase();

  function table(caption, classes, chances) {
    const order = classes.map((_, i) => i).sort((a, b) => chances[b] - chances[a]);
    return make("table", { className: "table" }, make("caption", {}, caption), make("tbody", {},
      ...order.map((i) => make("tr", {},
        Object.assign(make("th", {}, small(classes[i])), { scope: "row" }),
        make("td", {}, percent(chances[i])),
        make("td", { className: "try-it-bar" }, Object.assign(make("span"), {
          style: `width: ${100 * chances[i]}%`,
        }))))));
  }

  // A map as a picture: its largest number is white, zero is black.
  function drawn(values, height, width, step, offset, colour) {
    const canvas = make("canvas", { width, height });
    const pen = canvas.getContext("2d"), picture = pen.createImageData(width, height);
    let top = 0;
    for (let n = 0; n < width * height; n++) top = Math.max(top, values[n * step + offset]);
    for (let n = 0; n < width * height; n++) {
      const share = top ? Math.max(0, values[n * step + offset]) / top : 0;
      picture.data.set(colour(share), 4 * n);
    }
    pen.putImageData(picture, 0, 0);
    return canvas;
  }
  const grey = (share) => [255 * share, 255 * share, 255 * share, 255];
  const glow = (share) => [255, 180 * share, 0, 230 * Math.sqrt(share)];

  function seen(pixels) {
    const { WIDTH: width, HEIGHT: height } = bloodlib;
    const canvas = make("canvas", { width, height });
    const pen = canvas.getContext("2d"), picture = pen.createImageData(width, height);
    for (let n = 0; n < width * height; n++) {
      picture.data.set([pixels[3 * n], pixels[3 * n + 1], pixels[3 * n + 2], 255], 4 * n);
    }
    pen.putImageData(picture, 0, 0);
    return canvas;
  }

  function picture(caption, label, ...layers) {
    const stack = make("div", { className: "try-it-stack" }, ...layers);
    stack.setAttribute("role", "img");
    stack.setAttribute("aria-label", label);
    return make("figure", {}, stack, make("figcaption", {}, caption));
  }

  function maps({ values, height, width, filters }, which) {
    const grid = make("div", { className: "try-it-maps" });
    grid.setAttribute("role", "img");
    grid.setAttribute("aria-label", `The ${filters} maps of the ${which} convolution`);
    for (let f = 0; f < filters; f++) grid.append(drawn(values, height, width, filters, f, grey));
    return make("details", {}, make("summary", {}, `What the ${which} convolution sees: ${filters} maps`), grid);
  }

  // Like `text` of bloodlib/analyses/prediction.py: a flagged answer has no probabilities.
  function show(pixels, [four, two], { distance, nearer }, of) {
    const unlike = nearer >= given.facts.limit;
    const answer = small(four.answer), other = two.answer.toLowerCase();
    const agree = given.facts.nuclei[four.answer] === two.answer;
    const statement = agree ? `${answer}, ${other}` : `${answer} or ${other}: the networks contradict each other`;
    const tables = make("div", { className: "try-it-tables" },
      table("Four classes", given["weights-four"].classes, four.chances),
      table("Two classes", given["weights-two"].classes, two.chances));
    said.replaceChildren(
      make("h2", {}, unlike ? `Flagged: ${statement}` : statement),
      make("p", {}, `The networks' answer for ${of}.`),
      make("p", { className: unlike ? "try-it-unlike" : "" },
        unlike ? "The picture is unlike the training slides, so its probabilities are not shown. " : "",
        `The picture is further from the training photographs (distance ${distance.toFixed(1)}) than ${percent(nearer)} of them are from the others.`),
      ...(unlike ? [] : [tables]),
      make("div", { className: "try-it-pictures" },
        picture("What they see: 60 × 80 pixels.", "The picture, reduced", seen(pixels)),
        picture(`Where “${answer.toLowerCase()}” comes from (HiResCAM).`,
          "The places of the picture that influence the answer, brighter where they do more",
          seen(pixels), drawn(four.where.values, four.where.height, four.where.width, 1, 0, glow))),
      maps(four.maps[0], "first"), maps(four.maps[1], "second"),
      make("p", { className: "try-it-warning" }, given.facts.warning));
    said.hidden = false;
    said.dataset.distance = distance;
    said.dataset.unlike = unlike;
    said.dataset.four = JSON.stringify(four.chances);
    said.dataset.two = JSON.stringify(two.chances);
  }

  let turn = 0, taken; // `taken`: the last picture, reduced, and what it is
  async function answer() {
    const mine = turn;
    status.className = "try-it-status";
    status.textContent = "Thinking …";
    await new Promise((done) => setTimeout(done, 100)); // let the page say so, and a slider move on
    if (mine !== turn) return; // another picture came, or another stain
    const factor = Number(stain.value);
    const pixels = factor === 1 ? taken.pixels
      : bloodlib.changeStain(taken.pixels, factor, given.facts.stain);
    const of = factor === 1 ? taken.of : `${taken.of}, ${amount.textContent}`;
    if (bloodlib.contrast(pixels) < given.facts.contrast) {
      said.hidden = true;
      status.textContent = `No white cell is seen in ${of}: less than a hundredth of it is as purple as a stained nucleus. Choose a colour picture with one white cell.`;
      return;
    }
    const answers = taken.networks.map((network) => network.answer(pixels));
    show(pixels, answers, bloodlib.outOfDistribution(answers[0].features, given.facts.reference), of);
    status.className = "try-it-status quiet"; // for a screen reader: the page shows it
    status.textContent = `Answer: ${answers.map((one) => one.answer.toLowerCase()).join(", ")}.`;
  }
  stain.oninput = () => { turn++; tellStain(); answer(); };

  async function take(source, of, button) { // from a button, or a file
    const mine = ++turn;
    for (const one of offered.children) one.setAttribute("aria-pressed", one === button);
    if (button) chooser.value = "";
    status.className = "try-it-status";
    status.textContent = networks ? "Thinking …" : "Loading the networks …";
    said.hidden = slider.hidden = true;
    try {
      const image = make("img", { src: source });
      await image.decode().catch(() => { throw new Error(`${of} is no picture that this browser can read: choose a PNG or JPEG.`); });
      const { naturalWidth: width, naturalHeight: height } = image;
      if (!width || width * height > 50e6) throw new Error(`${of} is too large: reduce it first.`);
      networks ??= ready();
      const ours = await networks.catch((error) => { networks = undefined; throw error; });
      if (mine !== turn) return; // another picture came
      const [left, top, wide, tall] = bloodlib.middle(width, height);
      const pen = make("canvas", { width: wide, height: tall }).getContext("2d", { willReadFrequently: true });
      pen.fillStyle = "white";
      pen.fillRect(0, 0, wide, tall);
      pen.drawImage(image, -left, -top);
      const pixels = bloodlib.resize(pen.getImageData(0, 0, wide, tall).data, wide, tall);
      taken = { pixels, of, networks: ours };
      stain.value = 1;
      tellStain();
      await answer();
      slider.hidden = mine !== turn;
    } catch (error) {
      if (mine === turn) status.textContent = error.message;
    }
  }

  function takeFile(file) {
    if (!file) return;
    const source = URL.createObjectURL(file);
    take(source, file.name).finally(() => URL.revokeObjectURL(source));
  }

  const chooser = make("input", { type: "file", accept: "image/*", id: "try-it-file" });
  chooser.onchange = () => takeFile(chooser.files[0]);
  const label = make("label", { htmlFor: "try-it-file" }, "Choose a picture of a cell, or drop one here: ");
  const place = make("div", { className: "try-it-place" }, label, chooser);
  place.ondragover = (event) => { event.preventDefault(); place.classList.add("over"); };
  place.ondragleave = () => place.classList.remove("over");
  place.ondrop = (event) => {
    event.preventDefault();
    place.classList.remove("over");
    takeFile(event.dataTransfer.files[0]);
  };

  load("facts.js").then(() => {
    for (const { name, words, picture: source } of given.facts.pictures) {
      const button = make("button", { type: "button" },
        make("img", { src: source, alt: "", width: 120, height: 90 }), name);
      button.onclick = () => take(source, words, button);
      offered.append(button);
    }
    if (given.facts.credit) offered.after(make("p", { className: "try-it-credit" }, given.facts.credit));
  }).catch((error) => { status.textContent = error.message; });

  box.replaceChildren(place, make("p", {}, "Or take one of these:"), offered, slider, status, said);
})();
