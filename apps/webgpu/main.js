/**
 * Wires the page: the backend, the digit and the race.
 *
 * For a notebook or a test there is `window.lab`, once <body> has data-ready ("webgpu", "wasm" or "error"):
 *   lab.classify(pixels, batch, backend) -> Promise of an array with 10 logits an image; `pixels` is an array of
 *     batch x 784 numbers from 0 (paper) to 1 (ink), `backend` "webgpu" or "wasm", or left out for the one in use
 *   lab.race({backends, batches, budgetMs, least, most}) -> Promise of what "Download as JSON" gives; each is optional
 *   lab.show(result) draws the result of a race, as the button does
 *   lab.samples -> Promise of {labels, pixels}: the 64 samples as they go into the network
 *   lab.lose() -> Promise: takes the device of WebGPU away, and waits until the page has recovered
 * <body> also has data-digit, the digit that was read last, and data-racing while a race runs.
 */

import { chart, rows } from "./chart.js";
import * as digit from "./digit.js";
import { Engine, NAMES } from "./engine.js";
import { race, summary } from "./race.js";
import { open, THREADS } from "./session.js";

const at = (id) => document.getElementById(id);
const state = document.body.dataset;

at("no-server").remove(); // this module runs, so there is a server

/* The backend */

const engine = new Engine(({ state: now, note }) => {
  const { backend, device } = engine;
  for (const each of ["webgpu", "wasm"]) at(each).checked = each === backend;
  at("webgpu").disabled = !device.webgpu || now === "starting";
  at("wasm").disabled = now === "starting";
  at("webgpu-why").textContent = device.webgpu ? `${named(device)}. ${device.fix}` : `Not available. ${device.fix}`;
  at("wasm-why").textContent = `the processor, ${THREADS} thread of ${navigator.hardwareConcurrency}`;
  at("start-race").disabled = now !== "ready";
  if (now === "starting") {
    delete state.ready;
    at("status").textContent = `${NAMES[backend]} is starting.`;
    return;
  }
  if (now === "error") {
    problem(note);
    return;
  }
  at("problem").hidden = true;
  at("status").textContent = `Runs on ${backend === "webgpu" ? `WebGPU: ${named(device)}` : "WASM"}. ${note}`;
  at("input").textContent = tensor(engine.session.input);
  at("output").textContent = tensor(engine.session.output);
  state.ready = backend;
  digit.readAgain();
});

const named = ({ name, software }) => `${name}${software ? " (software)" : ""}`;
const tensor = ({ name, type, shape }) => `${name}, ${type} [${shape.join(", ")}]`;

for (const backend of ["webgpu", "wasm"]) {
  at(backend).addEventListener("change", () => engine.use(backend, "You chose it."));
}

function problem(message) {
  state.ready = "error";
  at("status").textContent = "The network does not run.";
  at("problem").textContent = message;
  at("problem").hidden = false;
}

/* The race */

let stopping = null;
let file = "";

/** Races, with nothing else at work beside it. */
async function raced({ backends, batches, ...limits } = {}) {
  if ("racing" in state) throw new Error("A race is running already.");
  state.racing = "";
  const { device } = engine;
  const byHand = document.activeElement === at("start-race");
  const { pixels } = await digit.samples;
  stopping = new AbortController();
  for (const each of [at("digit"), at("backends")]) each.inert = true;
  [at("start-race").disabled, at("stop-race").disabled] = [true, false];
  at("progress").textContent = "The race runs.";
  if (byHand) at("stop-race").focus();
  try {
    return await race({
      open,
      backends: backends ?? (device.webgpu ? ["wasm", "webgpu"] : ["wasm"]),
      batches,
      limits,
      images: (batch) => pixels.slice(0, batch * 784),
      machine: {
        adapter: device.name,
        software: device.software,
        userAgent: navigator.userAgent,
        cores: navigator.hardwareConcurrency,
      },
      onProgress: ({ backend, batch, run }) =>
        (at("counter").textContent = `${NAMES[backend]}, batch ${batch}: ${run ? `run ${run}` : "first run"}`),
      signal: stopping.signal,
    });
  } finally {
    for (const each of [at("digit"), at("backends")]) each.inert = false;
    [at("start-race").disabled, at("stop-race").disabled] = [false, true];
    if (byHand) at("start-race").focus();
    at("counter").textContent = "";
    delete state.racing;
  }
}

at("start-race").addEventListener("click", async () => {
  try {
    showRace(await raced());
  } catch (error) {
    at("progress").textContent = `The race broke off. ${error.message} Start it again.`;
  }
});

at("stop-race").addEventListener("click", () => {
  stopping.abort();
  at("progress").textContent = "Stopping after the run that is under way.";
  at("stop-race").disabled = true;
});

function showRace(result) {
  const { machine, runs, stopped } = result;
  at("progress").textContent = `${stopped ? "Stopped." : "Done."} ${summary(runs, NAMES)}`;
  at("result").hidden = runs.length === 0;
  if (runs.length === 0) return;
  at("machine").textContent =
    `${machine.adapter ? `Adapter: ${named({ ...machine, name: machine.adapter })}` : "No graphics adapter"}; ` +
    `${machine.cores} cores; WASM with ${THREADS} thread.`;
  at("chart").replaceChildren(chart(result, NAMES));
  at("times").tBodies[0].replaceChildren(...rows(result, NAMES));
  URL.revokeObjectURL(file);
  file = URL.createObjectURL(new Blob([JSON.stringify(result, null, 2)], { type: "application/json" }));
  at("download").href = file;
}

window.lab = {
  classify: async (pixels, batch, backend) => [...(await engine.classify(Float32Array.from(pixels), batch, backend))],
  race: raced,
  show: showRace,
  samples: digit.samples,
  lose: () => engine.lose(),
};

digit.start(engine, problem);
engine.start();
