// DCLNN in the browser: what bloodlib/analyses/prediction.py does, on TensorFlow.js (its processor backend).
"use strict";

(function (root) {
  const HEIGHT = 60, WIDTH = 80;
  const MIDDLE = [6, 22, 8, 30]; // rows and columns of the pooled maps: bloodlib/models/weights.py

  // Weights of Pillow's bilinear filter: for each place of the result, where it begins and how
  // much it takes of each place, as whole numbers of 2^-22.
  function taps(from, to) {
    const scale = from / to, wide = Math.max(scale, 1), found = [];
    for (let place = 0; place < to; place++) {
      const centre = (place + 0.5) * scale;
      const first = Math.max(0, Math.trunc(centre - wide + 0.5));
      const end = Math.min(from, Math.trunc(centre + wide + 0.5));
      const shares = [];
      for (let k = first; k < end; k++) {
        shares.push(Math.max(0, 1 - Math.abs((k - centre + 0.5) / wide)));
      }
      const sum = shares.reduce((a, b) => a + b, 0);
      found.push([first, shares.map((share) => Math.round((share / sum) * 2 ** 22))]);
    }
    return found;
  }

  const whole = (sum) => Math.min(255, Math.max(0, Math.floor((sum + 2 ** 21) / 2 ** 22)));

  // The middle of a picture with the shape 4:3, reduced to 60 x 80: [left, top, width, height].
  function middle(width, height) {
    const scale = Math.min(height / HEIGHT, width / WIDTH);
    const wide = Math.round(WIDTH * scale), tall = Math.round(HEIGHT * scale);
    return [Math.floor((width - wide) / 2), Math.floor((height - tall) / 2), wide, tall];
  }

  // From RGBA as a canvas has it to RGB of 60 x 80, as Pillow reduces: first rows, then columns.
  function resize(rgba, width, height) {
    const across = taps(width, WIDTH), down = taps(height, HEIGHT);
    const narrow = new Uint8Array(height * WIDTH * 3), found = new Uint8Array(HEIGHT * WIDTH * 3);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < WIDTH; x++) {
        const [first, shares] = across[x];
        for (let c = 0; c < 3; c++) {
          let sum = 0;
          for (let k = 0; k < shares.length; k++) {
            sum += shares[k] * rgba[4 * (y * width + first + k) + c];
          }
          narrow[3 * (y * WIDTH + x) + c] = whole(sum);
        }
      }
    }
    for (let y = 0; y < HEIGHT; y++) {
      const [first, shares] = down[y];
      for (let x = 0; x < 3 * WIDTH; x++) {
        let sum = 0;
        for (let k = 0; k < shares.length; k++) sum += shares[k] * narrow[3 * (first + k) * WIDTH + x];
        found[3 * y * WIDTH + x] = whole(sum);
      }
    }
    return found;
  }

  function decoded({ shape, type, data }) {
    const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
    const values = type === "int8" ? new Int8Array(bytes.buffer) : new Float32Array(bytes.buffer);
    return { shape, values };
  }

  class Network {
    // `given` is what bloodlib/book/interactive.py writes: classes, and the arrays of results/weights-*.onnx.
    constructor({ classes, block, arrays }) {
      const found = {};
      for (const name of Object.keys(arrays)) found[name] = decoded(arrays[name]);
      this.classes = classes;
      this.kernels = [1, 2].map((n) => {
        const { shape, values } = found[`conv_${n}/kernel`]; // filters first
        return tf.transpose(tf.tensor(values, shape), [2, 3, 1, 0]);
      });
      this.biases = [1, 2].map((n) => tf.tensor(found[`conv_${n}/bias`].values));
      const { shape: [rows, nodes], values } = found["hidden/quantised"];
      const scale = found["hidden/scale"].values;
      this.hidden = new Float32Array(rows * nodes);
      for (let row = 0; row < rows; row++) {
        const of = Math.floor(row / block) * nodes;
        for (let node = 0; node < nodes; node++) {
          this.hidden[row * nodes + node] = values[row * nodes + node] * scale[of + node];
        }
      }
      this.nodes = nodes;
      this.hiddenBias = found["hidden/bias"].values;
      this.output = found["output/kernel"].values;
      this.outputBias = found["output/bias"].values;
    }

    // What it answers for RGB of 60 x 80: probabilities, the maps of both convolutions
    // ([height, width, filters]), their means after pooling, and where the answer comes from (HiResCAM, [height, width]).
    answer(pixels) {
      const maps = tf.tidy(() => {
        let now = tf.div(tf.tensor4d(Float32Array.from(pixels), [1, HEIGHT, WIDTH, 3]), 255);
        return this.kernels.map((kernel, n) => {
          now = tf.relu(tf.add(tf.conv2d(now, kernel, 1, "valid"), this.biases[n]));
          const [, height, width, filters] = now.shape;
          return { values: now.dataSync().slice(), height, width, filters };
        });
      });
      const { values, height, width, filters } = maps[1];
      const down = height >> 1, across = width >> 1;
      const pooled = new Float32Array(down * across * filters);
      const places = new Int32Array(pooled.length); // of the maximum, the first one of equals
      for (let y = 0, n = 0; y < down; y++) {
        for (let x = 0; x < across; x++) {
          for (let f = 0; f < filters; f++, n++) {
            let best = -1;
            for (const [i, j] of [[0, 0], [0, 1], [1, 0], [1, 1]]) {
              const place = ((2 * y + i) * width + 2 * x + j) * filters + f;
              if (best < 0 || values[place] > values[best]) best = place;
            }
            pooled[n] = values[best];
            places[n] = best;
          }
        }
      }
      const features = new Array(filters).fill(0); // means of the maps over the picture's middle
      for (let y = MIDDLE[0]; y < MIDDLE[1]; y++) {
        for (let n = (y * across + MIDDLE[2]) * filters; n < (y * across + MIDDLE[3]) * filters; n++) {
          features[n % filters] += pooled[n] / ((MIDDLE[1] - MIDDLE[0]) * (MIDDLE[3] - MIDDLE[2]));
        }
      }
      const sums = Float32Array.from(this.hiddenBias), nodes = this.nodes;
      for (let n = 0; n < pooled.length; n++) {
        if (!pooled[n]) continue;
        for (let k = 0; k < nodes; k++) sums[k] += pooled[n] * this.hidden[n * nodes + k];
      }
      const size = this.classes.length, scores = Array.from(this.outputBias);
      for (let k = 0; k < nodes; k++) {
        if (sums[k] > 0) for (let c = 0; c < size; c++) scores[c] += sums[k] * this.output[k * size + c];
      }
      const top = Math.max(...scores), powers = scores.map((score) => Math.exp(score - top));
      const total = powers.reduce((a, b) => a + b, 0);
      const answer = scores.indexOf(top);
      // the gradient of the answer's score, back to the second convolution
      const back = Array.from(sums, (sum, k) => (sum > 0 ? this.output[k * size + answer] : 0));
      const where = new Float32Array(height * width);
      for (let n = 0; n < pooled.length; n++) {
        if (!pooled[n]) continue;
        let slope = 0;
        for (let k = 0; k < nodes; k++) slope += back[k] * this.hidden[n * nodes + k];
        where[Math.floor(places[n] / filters)] += slope * pooled[n];
      }
      return {
        chances: powers.map((power) => power / total), answer: this.classes[answer], maps, features,
        where: { values: where, height, width },
      };
    }
  }

  // A percentile of numbers in order, between two of them as NumPy takes it.
  function percentile(sorted, share) {
    const place = share * (sorted.length - 1), below = Math.floor(place);
    const above = sorted[Math.min(below + 1, sorted.length - 1)];
    return sorted[below] + (place - below) * (above - sorted[below]);
  }

  // RGB with the blue dye times `factor` and eosin divided by it: change_stain of
  // bloodlib/analyses/robustness.py, counted from the picture's own background.
  function changeStain(pixels, factor, { dyes, inverse }) {
    const change = [0, 1, 2].map((i) => [0, 1, 2].map((j) => inverse[i][0] * factor * dyes[0][j]
      + (inverse[i][1] / factor) * dyes[1][j] + inverse[i][2] * dyes[2][j]));
    const background = [0, 1, 2].map((c) =>
      Math.log(percentile(pixels.filter((_, n) => n % 3 === c).sort(), 0.95) + 1));
    const found = new Uint8Array(pixels.length);
    for (let n = 0; n < pixels.length; n += 3) {
      const density = background.map((glass, c) => glass - Math.log(pixels[n + c] + 1));
      for (let c = 0; c < 3; c++) {
        const sum = density.reduce((all, one, i) => all + one * change[i][c], 0);
        found[n + c] = Math.min(255, Math.max(0, Math.round(Math.exp(background[c] - sum) - 1)));
      }
    }
    return found;
  }

  // How much the most purple hundredth stands out: contrast of bloodlib/analyses/out_of_distribution.py.
  function contrast(pixels) {
    const purple = new Float64Array(pixels.length / 3);
    for (let n = 0; n < purple.length; n++) {
      purple[n] = (pixels[3 * n] + pixels[3 * n + 2]) / 2 - pixels[3 * n + 1];
    }
    purple.sort();
    return percentile(purple, 0.99) - percentile(purple, 0.5);
  }

  // How unlike the training slides the features of the network for four classes are: the same module.
  function outOfDistribution(features, { mean, precision, distances }) {
    const apart = features.map((value, i) => value - mean[i]);
    let square = 0;
    apart.forEach((a, i) => apart.forEach((b, j) => (square += a * b * precision[i][j])));
    const distance = Math.sqrt(square), last = distances.length - 1;
    let nearer = distance >= distances[last] ? 1 : 0;
    for (let i = 0; i < last; i++) {
      if (distance >= distances[i] && distance < distances[i + 1]) {
        nearer = (i + (distance - distances[i]) / (distances[i + 1] - distances[i])) / last;
      }
    }
    return { distance, nearer };
  }

  root.bloodlib = { HEIGHT, WIDTH, Network, changeStain, contrast, outOfDistribution, middle, resize };
})(globalThis);
