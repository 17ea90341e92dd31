// The page's own search for the best split: every posterior draw, each time a slider moves. Nothing leaves the page.
const explorer = (() => {
  const data = JSON.parse(document.getElementById("explorer-data").textContent);
  const FLOPS_PER_TOKEN = 6, SERVING_PART = 1 / 3, NEWTON = 20;
  const RATIOS = [1e-3, 1e6]; // tokens per parameter that are searched, as in the library
  const COARSE = 61, POINTS = 33, FINER = 9, FEW = 32, MARGIN = Math.log(100);

  const decode = (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new Float64Array(Float32Array.from(new Float32Array(bytes.buffer)));
  };

  const interpolate = (a, b, c, d, t) =>
    b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));

  // A law without a formula in JavaScript: its log on a grid of ln N and ln D, by draw, joined by cubics.
  const gridLaw = (grid, values) => (N, D, C, ln_N, ln_D, ln_C, p, i) => {
    const place = (x, axis) => Math.min(Math.max((x - axis.low) / axis.step, 1), axis.count - 2.000001);
    const u = place(ln_N, grid.N), v = place(ln_D, grid.D);
    const j = Math.floor(u), k = Math.floor(v);
    const row = (n) => {
      const at = (i * grid.N.count + n) * grid.D.count + k;
      return interpolate(values[at - 1], values[at], values[at + 1], values[at + 2], v - k);
    };
    return Math.exp(interpolate(row(j - 1), row(j), row(j + 1), row(j + 2), u - j));
  };

  // What a law misses of ln N at the best size: by ln of training compute, then by draw; straight between knots.
  const pathOf = (told) => {
    if (!told) return () => () => 0;
    const bytes = Uint8Array.from(atob(told.values), (letter) => letter.charCodeAt(0));
    const values = Float64Array.from(new Int16Array(bytes.buffer), (value, k) => value * told.units[k % told.count]);
    const { low, step, count } = told;
    return (all) => {
      const place = Math.min(Math.max((all - low) / step, 0), count - 1), k = Math.min(Math.floor(place), count - 2), t = place - k;
      return (i) => values[i * count + k] + t * (values[i * count + k + 1] - values[i * count + k]);
    };
  };

  // ln of the FLOP of one training token at ln N: 6 N, times what the table's own runs cost more or less.
  const perToken = (x) => {
    const plain = Math.log(FLOPS_PER_TOKEN) + x;
    if (!data.cost) return plain;
    const { coefficients, center, low, high, fade } = data.cost;
    const off = x - center, inside = Math.min(Math.max(off, low), high), beyond = off - inside;
    const faded = Math.sign(beyond) * fade * -Math.expm1(-Math.abs(beyond) / fade);
    let factor = coefficients[0];
    for (let k = 1; k < coefficients.length; k++) {
      factor += coefficients[k] * (inside ** k + k * inside ** (k - 1) * faded);
    }
    return plain + factor;
  };

  // ln N of the run that costs a budget with so many tokens, of which some are so many for each parameter.
  const sizeFor = (budget, tokens, ratio) => {
    const target = Math.log(budget), cost = (x) => perToken(x) + Math.log(tokens + ratio * Math.exp(x)), h = 1e-4;
    let x = 20;
    for (let k = 0; k < NEWTON; k++) {
      const step = (target - cost(x)) / ((cost(x + h) - cost(x - h)) / (2 * h));
      x += step;
      if (Math.abs(step) < 1e-12) break;
    }
    return x;
  };

  const laws = data.laws.map((law) => {
    const parameters = Object.fromEntries(Object.entries(law.parameters).map(([name, text]) => [name, decode(text)]));
    const { N, D, C } = law.grid ? { N: 1, D: 1, C: 1 } : law.reference;
    const value = law.grid ? gridLaw(law.grid, decode(law.grid.values)) : TWINS[law.twin];
    const missed = pathOf(law.paths);
    // A law that misses its best size is read at another one, of the same compute.
    const lossAt = (x, y, i) => {
      const all = perToken(x) + y, size = x - missed(all)(i), c = all - Math.log(C);
      const n = size - Math.log(N), d = all - perToken(size) - Math.log(D);
      return value(Math.exp(n), Math.exp(d), Math.exp(c), n, d, c, parameters, i);
    };
    const lossesAt = (x, y, indices, into) => {
      const all = perToken(x) + y, c = all - Math.log(C), e = Math.exp(c), path = missed(all);
      for (let k = 0; k < indices.length; k++) {
        const size = x - path(indices[k]), n = size - Math.log(N), d = all - perToken(size) - Math.log(D);
        into[k] = value(Math.exp(n), Math.exp(d), e, n, d, c, parameters, indices[k]);
      }
      return into;
    };
    return { name: law.name, weight: law.weight, draws: law.draws, lossAt, lossesAt };
  });

  // Draws of the chosen laws: all of one law, or of each in proportion to its weight, evenly spaced.
  const choose = (choice) => {
    const chosen = choice === "average" ? laws.filter((law) => law.weight > 0) : [laws[Number(choice)]];
    const total = Math.max(...chosen.map((law) => law.draws));
    return chosen.map((law) => {
      const share = chosen.length === 1 ? 1 : law.weight;
      const count = Math.min(law.draws, Math.max(1, Math.round(share * total)));
      const step = count > 1 ? (law.draws - 1) / (count - 1) : 0;
      return { law, indices: Int32Array.from({ length: count }, (_, k) => Math.round(k * step)) };
    });
  };
  const chosen = new Map();
  const members = (choice) => {
    if (!chosen.has(choice)) chosen.set(choice, choose(choice));
    return chosen.get(choice);
  };

  // The run that spends a budget, served tokens included, at these tokens per parameter: ln N and ln D.
  const run = (budget, served, logRatio) => {
    const ratio = Math.exp(logRatio);
    const x = sizeFor(budget, SERVING_PART * served, ratio);
    return [x, x + logRatio];
  };

  // What tokens are worth: repeats of unique ones are worth less and less, by R_D (Muennighoff et al. 2023).
  const worthOf = (unique, repeat) => (y) => {
    const beyond = Math.exp(y) / unique - 1;
    return repeat && beyond > 0 ? Math.log(unique * (1 - repeat * Math.expm1(-beyond / repeat))) : y;
  };

  // Logs of the tokens per parameter that are searched; without repeats, no run uses more than all unique tokens.
  const limits = (budget, served, unique, repeat) => {
    const [low, high] = RATIOS.map(Math.log);
    if (repeat) return { low, high, capped: false };
    const most = Number.isFinite(unique) ? Math.log(unique) - sizeFor(budget, unique + SERVING_PART * served, 0) : Infinity;
    return { low, high: Math.min(high, most), capped: most < high };
  };

  const spaced = (low, high, count) => Array.from({ length: count }, (_, k) => low + ((high - low) * k) / (count - 1));

  // Where to look closely: near the best splits of some draws.
  const around = (set, range, at) => {
    const grid = spaced(range.low, range.high, COARSE), runs = grid.map(at);
    let first = COARSE, last = 0;
    for (const { law, indices } of set) {
      const stride = Math.max(1, Math.floor(indices.length / FEW));
      for (let m = 0; m < indices.length; m += stride) {
        const row = runs.map(([x, y]) => law.lossAt(x, y, indices[m]));
        const best = row.indexOf(Math.min(...row));
        first = Math.min(first, best);
        last = Math.max(last, best);
      }
    }
    return [Math.max(range.low, grid[first] - MARGIN), Math.min(range.high, grid[last] + MARGIN)];
  };

  const vertex = (low, middle, high) => {
    const bend = low - 2 * middle + high;
    return bend > 0 ? Math.min(1, Math.max(-1, (0.5 * (low - high)) / bend)) : low < high ? -1 : 1;
  };

  // The best ln N of one draw: the lowest point of the grid, then two parabolas.
  const refine = (of, x, at, best, step) => {
    const centre = Math.min(Math.max(best, 1), x.length - 2), h = step / 8;
    const low = x[0], high = x[x.length - 1];
    let place = x[centre] + step * vertex(at(centre - 1), at(centre), at(centre + 1));
    place = Math.min(Math.max(place, low + h), high - h);
    const a = of(place - h), b = of(place), c = of(place + h), bend = a - 2 * b + c;
    const move = bend > 0 ? Math.min(8, Math.max(-8, (0.5 * (a - c)) / bend)) : 0;
    return Math.min(Math.max(place + h * move, low), high);
  };

  const quantile = (sorted, p) => {
    const at = p * (sorted.length - 1), k = Math.floor(at);
    return k + 1 < sorted.length ? sorted[k] + (at - k) * (sorted[k + 1] - sorted[k]) : sorted[k];
  };

  const interval = (values) => {
    const sorted = values.slice().sort(), tail = (1 - data.probability) / 2;
    return { median: quantile(sorted, 0.5), lower: quantile(sorted, tail), upper: quantile(sorted, 1 - tail) };
  };

  // The interval of what falls as its cause grows.
  const through = ({ median, lower, upper }, of) => ({ median: of(median), lower: of(upper), upper: of(lower) });

  const curve = (x, y, count) =>
    spaced(0, x.length - 1, count).map((at) => {
      const k = Math.min(Math.floor(at), x.length - 2), t = at - k;
      const before = k > 0 ? y[k - 1] : 2 * y[0] - y[1];
      const after = k + 2 < x.length ? y[k + 2] : 2 * y[k + 1] - y[k];
      return [x[0] + ((x[x.length - 1] - x[0]) * at) / (x.length - 1), interpolate(before, y[k], y[k + 1], after, t)];
    });

  // Smaller models that read all the data there are and leave compute unspent: ln N and expected loss.
  const short = (set, size, unique, count) => {
    const x = spaced(size - MARGIN / 2, size, 9), mean = new Float64Array(9);
    for (const { law, indices } of set) {
      const row = new Float64Array(indices.length);
      x.forEach((place, k) => {
        law.lossesAt(place, Math.log(unique), indices, row).forEach((loss) => { mean[k] += loss / count; });
      });
    }
    return curve(x, mean, 101).slice(0, -1);
  };

  // The loss of a run that costs a little less than this one: fewer tokens, or fewer parameters.
  const withLess = (law, x, y, i, served, loss, worth) => {
    const D = Math.exp(y), less = 1 + data.tolerance, all = D + SERVING_PART * served;
    const fewer = all / less - SERVING_PART * served;
    const cheaper = fewer > 0 ? law.lossAt(x, worth(Math.log(fewer)), i) : Infinity;
    return Math.max(loss, Math.min(cheaper, law.lossAt(sizeFor(Math.exp(perToken(x)) * all / less, all, 0), worth(y), i)));
  };

  // Between which ln N a draw costs less than the tolerance: where the root of its extra loss, in tolerances, is 1.
  const ends = (x, loss, best, worse, below) => {
    const root = (k) => Math.sqrt(Math.max(0, loss(k)) / worse), first = x.findIndex((place) => place < best);
    const between = (a, b, from, to) => from + (to - from) * Math.min(1, Math.max(0, (1 - a) / (b - a)));
    let [last, from] = [0, best], k = first < 0 ? x.length : first;
    for (; k < x.length && root(k) <= 1; k++) [last, from] = [root(k), x[k]];
    let low = k < x.length ? between(last, root(k), from, x[k]) : below(from, last, between);
    [last, from] = [0, best];
    for (k = (first < 0 ? x.length : first) - 1; k >= 0 && root(k) <= 1; k--) [last, from] = [root(k), x[k]];
    return [low, k >= 0 ? between(last, root(k), from, x[k]) : from];
  };

  // The range that lies inside those of most draws: of its pieces, the one that holds the median middle.
  const shared = (lows, highs) => {
    const count = lows.length, middle = lows.map((low, k) => (low + highs[k]) / 2).sort()[count >> 1];
    const begun = lows.slice().sort(), ended = highs.slice().sort(), pieces = [];
    let i = 0, j = 0, from = null;
    while (j < count) {
      const begins = i < count && begun[i] <= ended[j], place = begins ? begun[i++] : ended[j++];
      const sure = (i - j) / count >= data.probability;
      if (sure && from === null) from = place;
      if (!sure && from !== null) {
        pieces.push([from, place]);
        from = null;
      }
    }
    const length = ([low, high]) => high - low;
    return pieces.find(([low, high]) => low <= middle && middle <= high) ?? pieces.sort((a, b) => length(b) - length(a))[0] ?? null;
  };

  // The lowest point of the mean loss between grid points: exact means on a finer grid, then a parabola.
  const lowest = (set, at, centre, step, range, count) => {
    const finer = spaced(Math.max(range.low, centre - step), Math.min(range.high, centre + step), FINER);
    const means = finer.map((place) => {
      const [x, y] = at(place);
      let sum = 0;
      for (const { law, indices } of set) for (const i of indices) sum += law.lossAt(x, y, i);
      return sum / count;
    });
    const k = Math.min(Math.max(means.indexOf(Math.min(...means)), 1), FINER - 2), h = finer[1] - finer[0];
    const place = finer[k] + h * vertex(means[k - 1], means[k], means[k + 1]);
    return [at(place)[0], Math.min(...means)];
  };

  const solve = (choice, budget, served, unique, repeat = 0) => {
    const set = members(choice), range = limits(budget, served, unique, repeat), worth = worthOf(unique, repeat);
    if (!(range.high > range.low)) return null;
    const at = (place) => { const [x, y] = run(budget, served, place); return [x, worth(y), y]; };
    const [low, high] = around(set, range, at);
    const grid = spaced(low, high, POINTS), step = grid[1] - grid[0], runs = grid.map(at);
    const count = set.reduce((sum, { indices }) => sum + indices.length, 0);
    const sizes = new Float64Array(count), losses = new Float64Array(count), mean = new Float64Array(POINTS);
    const runsOut = range.capped && high === range.high;
    const worse = new Float64Array(count), lows = new Float64Array(count), highs = new Float64Array(count);
    const places = runs.map(([x]) => x);
    let outside = 0, bound = 0, done = 0;
    for (const { law, indices } of set) {
      const rows = runs.map(([x, y]) => law.lossesAt(x, y, indices, new Float64Array(indices.length)));
      rows.forEach((row, k) => { for (let m = 0; m < row.length; m++) mean[k] += row[m] / count; });
      for (let m = 0; m < indices.length; m++, done++) {
        const i = indices[m];
        let best = 0;
        for (let k = 1; k < POINTS; k++) if (rows[k][m] < rows[best][m]) best = k;
        const of = (place) => { const [x, y] = at(place); return law.lossAt(x, y, i); };
        const place = refine(of, grid, (k) => rows[k][m], best, step), [x, y, tokens] = at(place);
        if (high - place < 1e-9 && runsOut) bound++;
        else if (place - range.low < 1e-9 || range.high - place < 1e-9) outside++;
        sizes[done] = Math.exp(x);
        losses[done] = law.lossAt(x, y, i);
        worse[done] = withLess(law, x, tokens, i, served, losses[done], worth) - losses[done];
        const below = (from, last, between) => {
          for (let step = MARGIN / 64, next = from - step; runsOut && next > from - MARGIN; next -= step) {
            const root = Math.sqrt(Math.max(0, law.lossAt(next, Math.log(unique), i) - losses[done]) / worse[done]);
            if (root > 1) return between(last, root, next + step, next);
            last = root;
          }
          return from;
        };
        [lows[done], highs[done]] = ends(places, (k) => rows[k][m] - losses[done], x, worse[done], below);
      }
    }
    if (outside > count / 2) return null;
    const ideal = losses.reduce((sum, loss) => sum + loss, 0) / count;
    const points = curve(grid, mean, 401).map(([place, loss]) => [at(place)[0], loss]).reverse();
    if (runsOut) points.unshift(...short(set, points[0][0], unique, count));
    let least = points.reduce((a, b) => (b[1] < a[1] ? b : a));
    if (!runsOut || least[0] > points[0][0]) {
      const k = grid.reduce((a, _, j) => (mean[j] < mean[a] ? j : a), 0);
      if (k > 0 && k < POINTS - 1) least = lowest(set, at, grid[k], step, { low, high }, count);
    }
    const allowed = worse.reduce((sum, value) => sum + value, 0) / count, near = shared(lows, highs);
    const cost = (N) => Math.exp(perToken(Math.log(N)));
    const tokens = (N) => Math.min(budget / cost(N) - SERVING_PART * served, repeat ? Infinity : unique);
    const size = Math.exp(least[0]), N = interval(sizes), extra = new Float64Array(count);
    done = 0;
    for (const { law, indices } of set) {
      for (const loss of law.lossesAt(least[0], worth(Math.log(tokens(size))), indices, new Float64Array(indices.length))) {
        extra[done] = Math.expm1((Math.log1p(data.tolerance) * Math.max(0, loss - losses[done])) / worse[done++]);
      }
    }
    extra.sort();
    return {
      N, D: through(N, tokens), loss: interval(losses), tokens_per_parameter: through(N, (value) => tokens(value) / value),
      recommended: { N: size, D: tokens(size), loss: least[1], regret: least[1] - ideal },
      near: near && near.map(Math.exp), allowed, extra: [quantile(extra, 0.5), quantile(extra, 0.95)],
      training: cost(size) * tokens(size), serving: SERVING_PART * cost(size) * served,
      bound: bound / count, outside: outside / count, epochs: tokens(size) / unique,
      points: points.map(([place, loss]) => [place, loss - least[1]]),
    };
  };

  // Words

  const significant = (value, digits) => {
    if (!Number.isFinite(value)) return "\u2013";
    if (value === 0) return "0";
    const text = Number(value.toPrecision(digits));
    return Math.abs(text) >= 1e-3 && Math.abs(text) < 1e5 ? String(text) : text.toExponential().replace("e+", "e");
  };
  const UNITS = [[1e15, "Q"], [1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]];
  const counted = (value) => {
    const unit = UNITS.find(([size]) => value >= size * 0.9995);
    return unit ? `${significant(value / unit[0], 3)}${unit[1]}` : significant(value, 3);
  };
  const flops = (value) => Number(value.toPrecision(3)).toExponential().replace("e+", "e");

  // The page

  const byId = (name) => document.getElementById(`explorer-${name}`);
  const put = (name, value, text) => {
    const place = byId(name);
    place.textContent = text;
    if (place.tagName === "DATA") place.value = String(value);
  };
  const putInterval = (name, found, write) => {
    put(name, found.median, write(found.median));
    put(`${name}-low`, found.lower, write(found.lower));
    put(`${name}-high`, found.upper, write(found.upper));
  };

  // What is asked for: numbers, from sliders, from what is typed, or from the address.
  const SLIDERS = ["budget", "served", "unique"], LETTERS = { k: 1e3, M: 1e6, B: 1e9, G: 1e9, T: 1e12, Q: 1e15 };
  const parse = (text) => {
    const found = /^\s*([0-9.]+(?:e[+-]?[0-9]+)?)\s*([kMBGTQ]?)\s*$/i.exec(text.replaceAll(",", ""));
    const letter = found && (LETTERS[found[2]] ?? LETTERS[found[2].toUpperCase()] ?? 1);
    return found ? Number(found[1]) * letter : NaN;
  };
  const atEnd = { served: ["min", 0], unique: ["max", Infinity] };
  const fromSlider = (name) => {
    const slider = byId(name), [end, value] = atEnd[name] ?? ["", 0];
    return end && Number(slider.value) === Number(slider[end]) ? value : 10 ** Number(slider.value);
  };
  const written = {
    budget: (value) => flops(value),
    served: (value) => (value ? counted(value) : ""),
    unique: (value) => (Number.isFinite(value) ? counted(value) : ""),
  };
  const first = () => ({ choice: byId("law").options[0].value, repeat: 0, ...Object.fromEntries(SLIDERS.map((name) => [name, fromSlider(name)])) });
  const start = first();
  let asked = { ...start };

  // Puts what is asked for into the controls.
  const tell = (state) => {
    byId("law").value = state.choice;
    byId("repeat").value = state.repeat ? String(state.repeat) : "";
    for (const name of SLIDERS) {
      const slider = byId(name), [end, value] = atEnd[name] ?? ["", null], text = written[name](state[name]);
      if (fromSlider(name) !== state[name]) slider.value = state[name] === value ? slider[end] : Math.log10(state[name]);
      byId(`${name}-text`).value = text;
      slider.setAttribute("aria-valuetext", text ? `${text} ${name === "budget" ? "FLOP" : "tokens"}` : name === "served" ? "none" : "no limit");
    }
  };

  const remember = (state) => {
    const kept = Object.entries(state).filter(([name, value]) => value !== start[name]).map(([name, value]) => `${name}=${String(value).replace("e+", "e")}`);
    if (kept.length || location.hash.startsWith("#explore")) history.replaceState(null, "", `#explore${kept.length ? "?" : ""}${kept.join("&")}`);
  };
  const recall = () => {
    const found = { ...start };
    for (const [name, text] of new URLSearchParams(location.hash.split("?")[1] ?? "")) {
      if (name === "choice" && [...byId("law").options].some((option) => option.value === text)) found.choice = text;
      else if (name in found && name !== "choice" && Number(text) >= 0) found[name] = Number(text);
    }
    return found;
  };

  const WIDTH = 620, HEIGHT = 300, LEFT = 76, RIGHT = 12, TOP = 34, BOTTOM = 50;
  const element = (name, attributes, text) => {
    const made = document.createElementNS(byId("chart").namespaceURI, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const ticks = (low, high) => {
    const all = [], leads = high - low > 4 ? [1, 3] : high - low > 1.5 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9];
    for (let power = Math.floor(low / Math.LN10); power <= Math.ceil(high / Math.LN10); power++) {
      for (const lead of leads) all.push(lead * 10 ** power);
    }
    return all.filter((value) => Math.log(value) >= low && Math.log(value) <= high);
  };

  // The part of the curve that is not too high to be drawn, and a little more.
  const visible = (points, top) => {
    const low = points.findIndex(([, y]) => y <= top), high = points.findLastIndex(([, y]) => y <= top);
    return points.slice(Math.max(0, low - 20), high + 21);
  };

  const draw = (found) => {
    const percent = (loss) => 100 * Math.expm1((Math.log1p(data.tolerance) * loss) / Math.max(found.allowed, 1e-12));
    const top = 600 * data.tolerance;
    const shown = visible(found.points.map(([x, loss]) => [x, percent(Math.max(loss, 0))]), top), low = shown[0][0], high = shown[shown.length - 1][0];
    const across = (x) => LEFT + ((x - low) / (high - low)) * (WIDTH - LEFT - RIGHT);
    const up = (y) => HEIGHT - BOTTOM - (Math.min(y, top) / top) * (HEIGHT - TOP - BOTTOM);
    const [from, to] = found.near ? found.near.map((value) => across(Math.log(value))) : [0, 0];
    const parts = [
      ...(found.near ? [element("rect", { x: from, y: TOP, width: Math.max(1, to - from), height: HEIGHT - TOP - BOTTOM, class: "near" })] : []),
      element("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: up(0), y2: up(0), class: "axis" }),
      element("line", { x1: LEFT, x2: LEFT, y1: TOP, y2: up(0), class: "axis" }),
    ];
    for (const value of ticks(low, high)) {
      const x = across(Math.log(value));
      parts.push(element("line", { x1: x, x2: x, y1: up(0), y2: up(0) + 4, class: "axis" }));
      parts.push(element("text", { x, y: up(0) + 17, "text-anchor": "middle" }, counted(value)));
    }
    const rough = top / 4, power = 10 ** Math.floor(Math.log10(rough));
    const gap = power * [1, 2, 5, 10].find((lead) => lead * power >= rough);
    for (let k = 0; k * gap <= top; k++) {
      parts.push(element("text", { x: LEFT - 6, y: up(k * gap) + 4, "text-anchor": "end" }, significant(k * gap, 2)));
    }
    const inside = shown.filter(([, y]) => y <= top).map(([x, y]) => `${across(x).toFixed(1)},${up(y).toFixed(1)}`);
    parts.push(element("polyline", { points: inside.join(" "), class: "curve" }));
    const bar = up(0) - 7;
    parts.push(element("line", { x1: across(Math.log(found.N.lower)), x2: across(Math.log(found.N.upper)), y1: bar, y2: bar, class: "bar" }));
    parts.push(element("circle", { cx: across(Math.log(found.recommended.N)), cy: up(0), r: 5, class: "choice" }));
    parts.push(element("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, "model size N (parameters)"));
    parts.push(element("text", { x: LEFT, y: 16, class: "title" }, "What another size costs"));
    parts.push(element("text", { x: 16, y: (TOP + up(0)) / 2, "text-anchor": "middle", transform: `rotate(-90 16 ${(TOP + up(0)) / 2})` }, "expected extra compute (%)"));
    byId("chart").replaceChildren(...parts);
  };

  const remarks = (state, found) => {
    const all = [];
    const reach = state.budget / data.largest;
    if (reach > 1.005) all.push(`This budget is ${significant(reach, 2)} times the largest run; section Forecasts says how far out forecasts were checked.`);
    if (found.bound > 0) all.push(`All unique tokens are used in ${significant(100 * found.bound, 2)}% of draws; the rest of the compute goes into parameters, unless data are repeated (R_D).`);
    if (state.repeat && found.epochs > 1) all.push(`The data are seen ${significant(found.epochs, 2)} times.`);
    if (found.outside > 0.01) all.push(`${significant(100 * found.outside, 2)}% of draws have no best size in the range that was searched: do not trust these numbers.`);
    return all.join(" ");
  };

  const show = (state) => {
    tell(state);
    const found = solve(state.choice, state.budget, state.served, state.unique, state.repeat);
    byId("results").hidden = !found;
    byId("none").hidden = Boolean(found);
    if (!found) return byId("none").textContent;
    putInterval("N", found.N, counted);
    putInterval("D", found.D, counted);
    putInterval("ratio", found.tokens_per_parameter, (value) => significant(value, 3));
    putInterval("loss", found.loss, (value) => significant(value, 4));
    put("best-N", found.recommended.N, counted(found.recommended.N));
    put("best-D", found.recommended.D, counted(found.recommended.D));
    byId("safe").hidden = !found.near;
    byId("unsafe").hidden = Boolean(found.near);
    found.near?.forEach((value, k) => put(["near-low", "near-high"][k], value, counted(value)));
    found.extra.forEach((value, k) => put(["extra", "extra-high"][k], value, `${significant(100 * value, 2)}%`));
    put("unsafe-N", found.recommended.N, counted(found.recommended.N));
    put("training", found.training, flops(found.training));
    put("serving", found.serving, found.serving > 0 ? flops(found.serving) : "0");
    put("remarks", "", remarks(state, found));
    draw(found);
    return `Train about ${counted(found.recommended.N)} parameters on ${counted(found.recommended.D)} tokens.`;
  };

  let waiting = false;
  const update = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      show(asked);
    });
  };
  const settle = () => {
    byId("said").textContent = show(asked);
    remember(asked);
  };
  const typed = (name, empty) => {
    const text = byId(name === "repeat" ? name : `${name}-text`).value;
    const value = text.trim() ? parse(text) : empty;
    if (value >= 0 && (value > 0 || name !== "budget")) asked = { ...asked, [name]: value };
    settle();
  };
  for (const name of SLIDERS) {
    byId(name).addEventListener("input", () => { asked = { ...asked, [name]: fromSlider(name) }; update(); });
    byId(name).addEventListener("change", settle);
    byId(`${name}-text`).addEventListener("change", () => typed(name, name === "unique" ? Infinity : name === "served" ? 0 : NaN));
  }
  byId("repeat").addEventListener("change", () => typed("repeat", 0));
  byId("law").addEventListener("change", () => { asked = { ...asked, choice: byId("law").value }; settle(); });
  byId("reset").addEventListener("click", () => { asked = { ...start }; settle(); });
  document.querySelector("#explore form").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", () => { if (location.hash.startsWith("#explore?")) { asked = recall(); show(asked); } });
  byId("panel").hidden = false;
  asked = recall();
  show(asked);
  return { solve, laws };
})();
