/** The parts of apps/webgpu that need no page. test_webgpu_modules.py copies them beside this file and runs it. */

import assert from "node:assert/strict";
import test from "node:test";

import { probe } from "./device.js";
import { lacking } from "./llm.js";
import { prepare } from "./preprocess.js";
import { inFigures, race, spread, summary } from "./race.js";
import { argmax, softmax } from "./session.js";

const NAMES = { wasm: "WASM", webgpu: "WebGPU" };
const withAdapter = (requestAdapter) => ({ isSecureContext: true, navigator: { gpu: { requestAdapter } } });
const near = (found, wanted, most = 1e-6) => assert.ok(Math.abs(found - wanted) <= most, `${found} is not ${wanted}`);
const sum = (values) => values.reduce((total, value) => total + value, 0);

const INSECURE = { isSecureContext: false, navigator: {}, location: { origin: "http://lab:5173", port: "5173" } };
const broken = async () => {
  throw new Error("oh");
};
for (const [name, scope, reason, fix] of [
  ["an insecure origin", INSECURE, "http://lab:5173 is not a secure origin", "http://127.0.0.1:5173/"],
  ["an old browser", { isSecureContext: true, navigator: {} }, "no WebGPU", "chrome://gpu"],
  ["no adapter", withAdapter(async () => null), "no graphics adapter", "driver"],
  ["a broken browser", withAdapter(broken), "failed to give a graphics adapter (oh)", "chrome://gpu"],
]) {
  test(`${name} has its reason and its fix`, async () => {
    const found = await probe(scope);
    assert.deepEqual([found.webgpu, found.name], [false, ""]);
    assert.ok(found.reason.includes(reason), found.reason);
    assert.ok(found.fix.includes(fix), found.fix);
  });
}

for (const [info, name, software] of [
  [{ vendor: "nvidia", architecture: "ampere", device: "", description: "" }, "nvidia ampere", false],
  [{ vendor: "google", architecture: "swiftshader" }, "google swiftshader", true],
  [{ vendor: "mesa", description: "llvmpipe (LLVM 19)" }, "llvmpipe (LLVM 19)", true],
  [{ vendor: "microsoft", description: "Microsoft Basic Render Driver" }, "Microsoft Basic Render Driver", true],
  [{ vendor: "x", isFallbackAdapter: true }, "x", true],
  [{}, "an adapter that keeps its name to itself", false],
]) {
  test(`${name}: ${software ? "software" : "not software"}`, async () => {
    const found = await probe(withAdapter(async () => ({ info })));
    assert.deepEqual([found.webgpu, found.name, found.software], [true, name, software]);
    assert.equal(found.reason.includes("software"), software);
  });
}

const memory = (construct) => ({ Memory: class { constructor() { construct(); } } });
const refuses = () => {
  throw new TypeError();
};
for (const [name, isSecureContext, webAssembly, lacks] of [
  ["a browser that has all", true, memory(() => {}), /^$/],
  ["an insecure origin", false, memory(() => {}), /http:\/\/lab:5173 .* Open http:\/\/127\.0\.0\.1:5173\/chat\.html/],
  ["no WebAssembly", true, undefined, /^This browser has no WebAssembly/],
  ["no 64-bit memory", true, memory(refuses), /no 64-bit memory/],
]) {
  test(`the language model and ${name}`, (context) => {
    const kept = globalThis.WebAssembly;
    context.after(() => (globalThis.WebAssembly = kept));
    globalThis.WebAssembly = webAssembly;
    const location = { origin: "http://lab:5173", port: "5173", pathname: "/chat.html" };
    assert.match(lacking({ isSecureContext, location }), lacks);
  });
}

/** A picture of 100 x 120 with ink in rectangles of [top, bottom, left, right], in every `step`th row. */
function drawing(...rectangles) {
  const picture = { data: new Float32Array(100 * 120), width: 100, height: 120 };
  for (const [top, bottom, left, right, step = 1] of rectangles) {
    for (let y = top; y < bottom; y += step) picture.data.fill(1, y * 100 + left, y * 100 + right);
  }
  return picture;
}

/** The rows and the columns of a picture that have ink. */
function inked({ data, width }) {
  const places = [...data.keys()].filter((place) => data[place] > 0);
  return [places.map((place) => Math.floor(place / width)), places.map((place) => place % width)];
}

test("an empty picture has nothing to prepare", () => assert.equal(prepare(drawing()), null));

test("a drawing is cropped, scaled to 20 pixels and centred, wherever it was drawn", () => {
  const { cropped, scaled, centred } = prepare(drawing([10, 70, 80, 95]));
  assert.deepEqual([cropped.height, cropped.width, scaled.height, scaled.width], [60, 15, 20, 5]);
  for (const ink of scaled.data) near(ink, 1);
  near(sum(centred.data), 100, 1e-3);
  for (const axis of inked(centred)) near(sum(axis) / axis.length, 13.5, 0.51);
  assert.deepEqual(prepare(drawing([40, 100, 20, 35])).centred, centred);
});

test("lines too fine for 20 pixels become their mean", () => {
  const { scaled } = prepare(drawing([0, 60, 0, 60, 2]));
  assert.ok(Math.min(...scaled.data) > 0.3 && Math.max(...scaled.data) < 0.7);
});

test("no ink is cut off where the centre of mass is far from the middle", () => {
  const { scaled, centred } = prepare(drawing([20, 100, 10, 18], [98, 100, 10, 90], [70, 100, 10, 40]));
  for (const axis of inked(centred)) assert.equal(Math.max(...axis) - Math.min(...axis) + 1, 20);
  near(sum(centred.data), sum(scaled.data), 1e-3);
});

test("softmax gives probabilities, of very large logits too", () => {
  for (const logits of [[0, 0], [1000, 0], [-1000, -1001], Float32Array.of(2, 1, 0)]) {
    near(sum(softmax(logits)), 1);
    assert.ok(softmax(logits).every((share) => share >= 0 && share <= 1));
  }
  near(softmax([1, 0])[0], Math.E / (Math.E + 1));
  assert.equal(argmax([0.1, 0.7, 0.2]), 1);
});

test("quartiles are those of numpy", () => {
  assert.deepEqual(spread([4, 1, 1.5]), { median_ms: 1.5, q1_ms: 1.25, q3_ms: 2.75 });
  assert.deepEqual(spread([30, 20, 40, 10]), { median_ms: 25, q1_ms: 17.5, q3_ms: 32.5 });
});

test("a result in words has three figures", () => {
  assert.deepEqual([0.4213, 43.06, 3960.4].map(inFigures), ["0.421", "43.1", "3,960"]);
  const runs = [{ backend: "wasm", batch: 1, median_ms: 0.4213 }, { backend: "webgpu", batch: 1, median_ms: 43.06 }];
  assert.equal(summary(runs, NAMES), "Median of a run. batch 1: WASM 0.421 ms, WebGPU 43.1 ms.");
  assert.equal(summary([], NAMES), "Nothing was measured.");
});

test("a race has a fresh session for each backend, keeps the first run apart, and ends when stopped", async () => {
  const [events, stop] = [[], new AbortController()];
  const open = async (backend) => {
    events.push(`open ${backend}`);
    return { run: async (_, batch) => events.push(`run ${batch}`), close: async () => events.push("close") };
  };
  const told = { open, backends: ["wasm", "webgpu"], images: () => [], machine: {}, batches: [1, 8] };
  const limits = { budgetMs: 0, least: 3, most: 3 };
  const whole = await race({ ...told, limits });
  assert.deepEqual(whole.runs.map((run) => run.ms.length), [3, 3, 3, 3]);
  const { ms, ...run } = whole.runs[3];
  const keys = ["backend", "batch", "first_ms", "median_ms", "q1_ms", "q3_ms"];
  assert.deepEqual(Object.keys(run).sort(), keys);
  assert.deepEqual([run.backend, run.batch, run.median_ms], ["webgpu", 8, spread(ms).median_ms]);
  const runs = [1, 1, 1, 1, 8, 8, 8, 8].map((batch) => `run ${batch}`);
  assert.deepEqual(events.splice(0), ["open wasm", ...runs, "close", "open webgpu", ...runs, "close"]);
  const onProgress = ({ batch }) => batch === 8 && stop.abort();
  const part = await race({ ...told, limits, onProgress, signal: stop.signal });
  assert.deepEqual([part.stopped, part.runs.length], [true, 1]);
  assert.deepEqual([events[0], events.at(-1), events.includes("open webgpu")], ["open wasm", "close", false]);
});
