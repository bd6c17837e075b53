/** The race as a picture and as a table. No style in the markup, which the page's policy forbids: see style.css. */

import { inFigures, summary } from "./race.js";

const [WIDTH, HEIGHT] = [460, 330];
const PLOT = { left: 76, right: 448, top: 64, bottom: 266 };

/** An SVG: milliseconds on a log scale by batch size; the backends differ in colour, in shape and in their line. */
export function chart({ runs }, names) {
  const backends = [...new Set(runs.map((run) => run.backend))];
  const batches = [...new Set(runs.map((run) => run.batch))];
  const values = runs.flatMap((run) => [run.first_ms, run.q1_ms, run.q3_ms, run.median_ms]);
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  const y = (ms) => PLOT.bottom - ((Math.log10(ms) - low) / (high - low)) * (PLOT.bottom - PLOT.top);
  const step = (PLOT.right - PLOT.left) / batches.length;
  const middle = (batch) => PLOT.left + step * (batches.indexOf(batch) + 0.5);
  const x = (run) => middle(run.batch) + 40 * (backends.indexOf(run.backend) - (backends.length - 1) / 2);

  const described = { role: "img", "aria-labelledby": "chart-name chart-text" };
  const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, ...described });
  svg.append(element("title", { id: "chart-name" }, "Time of a run by batch size"));
  svg.append(element("desc", { id: "chart-text" }, summary(runs, names)));
  for (let power = low; power <= high; power++) {
    const at = y(10 ** power);
    svg.append(element("line", { class: "grid", x1: PLOT.left, x2: PLOT.right, y1: at, y2: at }));
    svg.append(element("text", { x: PLOT.left - 8, y: at + 4, "text-anchor": "end" }, inFigures(10 ** power)));
  }
  for (const batch of batches) {
    svg.append(element("text", { x: middle(batch), y: PLOT.bottom + 36, "text-anchor": "middle" }, batch));
  }
  const across = (PLOT.left + PLOT.right) / 2;
  svg.append(element("text", { x: across, y: HEIGHT - 10, "text-anchor": "middle" }, "images in a run (batch size)"));
  const upright = { transform: `translate(14 ${(PLOT.top + PLOT.bottom) / 2}) rotate(-90)`, "text-anchor": "middle" };
  svg.append(element("text", upright, "time of a run in ms (log scale)"));
  backends.forEach((backend, place) => {
    const own = runs.filter((run) => run.backend === backend);
    svg.append(series(backend, own, x, y));
    svg.append(key(backend, names[backend], PLOT.left + place * 100));
  });
  svg.append(element("text", { x: PLOT.left, y: 44 }, "filled: median of n runs; bar: quartiles; hollow: first run"));
  return svg;
}

/** The line through one backend's medians, with quartiles, first runs and the number of runs. */
function series(backend, runs, x, y) {
  const group = element("g", { class: backend });
  group.append(element("polyline", { points: runs.map((run) => `${x(run)},${y(run.median_ms)}`).join(" ") }));
  for (const run of runs) {
    group.append(element("line", { class: "quartiles", x1: x(run), x2: x(run), y1: y(run.q1_ms), y2: y(run.q3_ms) }));
    group.append(marker(backend, x(run), y(run.first_ms), "hollow"));
    group.append(marker(backend, x(run), y(run.median_ms), "filled"));
    group.append(element("text", { x: x(run), y: PLOT.bottom + 17, "text-anchor": "middle" }, `n=${run.ms.length}`));
  }
  return group;
}

function key(backend, name, left) {
  const group = element("g", { class: backend });
  group.append(marker(backend, left + 6, 18, "filled"), element("text", { x: left + 18, y: 22 }, name));
  return group;
}

/** A square for WASM, a circle for WebGPU. */
function marker(backend, x, y, kind) {
  if (backend === "wasm") return element("rect", { class: kind, x: x - 5, y: y - 5, width: 10, height: 10 });
  return element("circle", { class: kind, cx: x, cy: y, r: 5.5 });
}

/** The rows of the table beside the chart. */
export function rows({ runs }, names) {
  return runs.map((run) => {
    const row = document.createElement("tr");
    const quartiles = `${inFigures(run.q1_ms)}–${inFigures(run.q3_ms)}`;
    const cells = [run.batch, inFigures(run.first_ms), inFigures(run.median_ms), quartiles, run.ms.length];
    const head = Object.assign(document.createElement("th"), { scope: "row", textContent: names[run.backend] });
    row.append(head, ...cells.map((text) => Object.assign(document.createElement("td"), { textContent: text })));
    return row;
  });
}

/** One element of SVG. */
function element(name, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}
