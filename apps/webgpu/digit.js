/** The first section of the page: a digit is drawn or chosen, prepared, read, shown and said. */

import { NAMES } from "./engine.js";
import { drawingPad, paint } from "./pad.js";
import { prepare, SIDE } from "./preprocess.js";
import { argmax, softmax } from "./session.js";

const QUIET_MS = 700; // without a further stroke: then the drawing is done, and a screen reader says what it is
const PIXELS = SIDE * SIDE;
const at = (id) => document.getElementById(id);
const state = document.body.dataset;
const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
const percent = (share) => (share > 0.9995 ? "> 99.9 %" : `${(100 * share).toFixed(1)} %`);

let current = null; // the pixels on show
let saying = 0;
let pad, classify, problem;

/** The samples of the test images, fetched once. */
export const samples = fetch("samples.json").then(async (reply) => {
  if (!reply.ok) throw new Error(`samples.json is missing (HTTP ${reply.status}): see training/README.md.`);
  const { labels, pixels } = await reply.json();
  return { labels, pixels: Float32Array.from(atob(pixels), (byte) => byte.charCodeAt(0) / 255) };
});

/** Wires the section. `onProblem` is told what a person should know. */
export function start(engine, onProblem) {
  classify = async (pixels) => ({ logits: await engine.classify(pixels), backend: engine.backend });
  problem = onProblem;
  pad = drawingPad(at("pad"), { onStart, onStroke });
  at("clear").addEventListener("click", clear);
  bars(new Array(10).fill(0));
  samples.then(offer, (error) => (at("steps-note").textContent = error.message));
  tellAccuracy();
}

/** With another backend, the same digit. */
export function readAgain() {
  if (current) read(current);
}

function onStart() {
  clearTimeout(saying);
  current = null; // what is being read is out of date
  unchoose();
}

function onStroke() {
  const steps = prepare(pad.picture());
  if (!steps) return;
  show(steps, "");
  read(steps.centred.data);
}

function clear() {
  pad.clear();
  unchoose();
  show({}, "");
  bars(new Array(10).fill(0));
  clearTimeout(saying);
  current = null;
  delete state.digit;
  at("answer").textContent = "No digit yet";
  at("said").textContent = "";
  at("argmax").textContent = at("took").textContent = "-";
}

function unchoose() {
  for (const radio of document.getElementsByName("sample")) radio.checked = false;
}

function show({ cropped, scaled, centred }, note) {
  paint(at("cropped"), cropped);
  paint(at("scaled"), scaled);
  paint(at("centred"), centred);
  at("steps-note").textContent = note;
}

/** Reads the digit, shows it at once, and says it when no other stroke follows. */
async function read(pixels) {
  current = pixels;
  clearTimeout(saying);
  if (!["webgpu", "wasm"].includes(state.ready)) return; // it is read when there is a session
  const start = performance.now();
  let logits, backend;
  try {
    ({ logits, backend } = await classify(pixels));
  } catch (error) {
    problem(error.message);
    return;
  }
  if (pixels !== current) return; // something newer is being read
  const took = performance.now() - start;
  const shares = softmax(logits);
  const digit = argmax(shares);
  const result = `${digit}, with ${percent(shares[digit]).replace(">", "over")}`;
  bars(shares);
  at("answer").textContent = result;
  at("argmax").textContent = `${digit} (logit ${logits[digit].toFixed(2)})`;
  at("took").textContent = `${took.toFixed(1)} ms for one image on ${NAMES[backend]}`;
  at("said").textContent = "";
  saying = setTimeout(() => (at("said").textContent = `This is read as ${result}.`), QUIET_MS);
  state.digit = digit;
}

function bars(shares) {
  const top = Math.max(...shares);
  at("bars").tBodies[0].replaceChildren(
    ...shares.map((share, digit) => {
      const row = make("tr", { className: share > 0 && share === top ? "top" : "" });
      const bar = make("div", { className: "bar" });
      bar.style.setProperty("--share", `${100 * share}%`);
      row.append(make("th", { scope: "row", textContent: digit }), make("td", {}), make("td", {}));
      row.cells[1].append(bar);
      row.cells[2].append(percent(share));
      return row;
    }),
  );
}

/** Of each digit the first sample. */
function offer({ labels, pixels }) {
  for (let digit = 0; digit < 10; digit++) {
    const place = labels.indexOf(digit);
    const picture = { data: pixels.subarray(place * PIXELS, (place + 1) * PIXELS), width: SIDE, height: SIDE };
    const radio = make("input", { type: "radio", name: "sample", value: digit });
    radio.setAttribute("aria-label", `a written ${digit}`);
    radio.addEventListener("change", () => {
      pad.show(picture);
      show({ centred: picture }, "A sample of MNIST comes cropped, scaled and centred.");
      read(picture.data);
    });
    const label = make("label", {});
    const canvas = make("canvas", {});
    paint(canvas, picture);
    label.append(radio, canvas);
    at("samples").append(label);
  }
}

async function tellAccuracy() {
  const reply = await fetch("digits.json");
  if (!reply.ok) return; // the page works without
  const { parameters, test } = await reply.json();
  at("accuracy").textContent =
    `It has ${parameters.toLocaleString("en")} numbers and reads ${(100 * test.accuracy).toFixed(2)} % of ` +
    `${test.images.toLocaleString("en")} test digits right.`;
}
