/**
 * The page of the language model: what it will fetch, the conversation, and what each answer took.
 *
 * The address may end in `?threads=2` (how many threads) or `?context=512` (how many tokens the model sees at once).
 * For a notebook or a test, <body> has data-state (starting, idle, loading, ready, answering or error), data-tokens
 * (of the newest answer, so far) and data-prompt (how many tokens the model was given for it), and `window.lab.model`
 * is the LanguageModel of llm.js: its `messages` are those that the model was given last.
 */

import { lacking, LanguageModel, sizes, TooLong } from "./llm.js";

const told = new URLSearchParams(location.search);
// Half of them. Threads wait for each other: where each core has one, a second busy program slows all of them.
const THREADS = Number(told.get("threads")) || Math.max(1, Math.floor(navigator.hardwareConcurrency / 2));
const CONTEXT = Number(told.get("context")) || 2048;

const at = (id) => document.getElementById(id);
const page = document.documentElement;
const state = document.body.dataset;
const model = new LanguageModel();
const megabytes = (bytes) => (bytes ? `${(bytes / 1e6).toFixed(0)} MB` : "of unknown size");
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
const count = (number, unit) => `${number} ${unit}${number === 1 ? "" : "s"}`;

let size = 0; // of the model, in bytes
let stopping = null;

window.lab = { model };
at("no-server").remove(); // this module runs, so there is a server

function enter(now) {
  state.state = now;
  at("load").hidden = !at("load").textContent || !["idle", "error"].includes(now);
  at("progress").hidden = now !== "loading";
  at("send").disabled = now !== "ready";
  at("stop").disabled = now !== "answering";
}

async function fail({ message }) {
  await model.close();
  at("problem").textContent = message;
  at("problem").hidden = false;
  at("status").textContent = "";
  enter("error");
  at("problem").scrollIntoView();
}

/* The model */

async function start() {
  at("isolation").hidden = window.crossOriginIsolated;
  try {
    const { model: bytes, engine } = await sizes();
    at("size").textContent =
      `The model: one file, ${megabytes(bytes)}. wllama, which runs it: ${megabytes(engine)}. Both come from ` +
      `${location.host}, and only when you press the button. The tab then takes about 400 MB of memory.`;
    const reason = lacking(window);
    if (reason) throw new Error(reason);
    [size, at("loaded").max] = [bytes, bytes];
    at("load").textContent = `Load the model (${megabytes(bytes)})`;
    enter("idle");
  } catch (error) {
    await fail(new Error(`${error.message} Then reload this page.`));
  }
}

async function load() {
  const started = performance.now();
  at("problem").hidden = true;
  at("status").textContent = "The model is loading.";
  enter("loading");
  try {
    await model.load({
      threads: THREADS,
      context: CONTEXT,
      onBytes(seen) {
        at("loaded").value = seen;
        at("bytes").textContent = `${megabytes(seen)} of ${megabytes(size)}`;
      },
      onStart: () => (at("status").textContent = "The model is starting."),
    });
  } catch (error) {
    return fail(error);
  }
  at("status").textContent =
    `Ready after ${seconds(performance.now() - started)}. It runs on the processor, as WebAssembly, with ` +
    `${count(model.threads, "thread")} on ${count(navigator.hardwareConcurrency, "core")}.`;
  at("chat").hidden = false;
  enter("ready");
  at("question").focus();
}

/* The conversation */

function entry(who, text) {
  const item = at("entry").content.cloneNode(true).firstElementChild;
  const parts = { item, text: item.querySelector(".text"), note: item.querySelector(".note") };
  item.querySelector("h3").textContent = who;
  parts.text.textContent = text; // as text and never as HTML: nobody knows what a model writes
  at("log").append(item);
  return parts;
}

async function ask(question) {
  entry("You", question).item.className = "you";
  const { item, text, note } = entry("SmolLM2", "");
  stopping = new AbortController();
  [state.tokens, state.prompt] = [0, 0];
  item.ariaBusy = "true";
  at("said").textContent = "";
  at("question").value = "";
  enter("answering");
  page.scrollTop = page.scrollHeight;
  const show = (answer) => {
    const atEnd = page.scrollHeight - page.scrollTop - page.clientHeight < 40;
    text.textContent = answer.text;
    note.textContent = summary(answer);
    state.tokens = answer.tokens;
    if (atEnd) page.scrollTop = page.scrollHeight; // a reader who has scrolled up stays there
  };
  try {
    const answer = await model.ask(question, {
      signal: stopping.signal,
      onReading(read, of) {
        state.prompt = of;
        note.textContent = `Reading: ${read} of ${of} tokens.`;
      },
      onText: show,
    });
    show(answer);
    const stopped = answer.end === "stopped";
    item.classList.toggle("stopped", stopped);
    at("said").textContent = `The answer ${stopped ? "was stopped" : "is finished"}: ${count(answer.tokens, "token")}.`;
  } catch (error) {
    item.classList.add("stopped");
    at("question").value = question;
    note.textContent = error instanceof TooLong ? error.message : `Broken off. ${note.textContent}`;
    if (!(error instanceof TooLong)) return fail(error);
  } finally {
    item.ariaBusy = "false";
    at("forgotten").hidden = model.forgotten === 0;
    const oldest = count(model.forgotten, "question");
    at("forgotten").textContent = `The context is full. No longer in it: your oldest ${oldest}, with the answers.`;
  }
  enter("ready");
  at("question").focus();
}

function summary({ tokens, prompt, first, rate, end }) {
  const ended = { stopped: "Stopped. ", length: `Cut off at ${tokens} tokens. ` }[end] ?? "";
  if (tokens === 0) return ended || "The model wrote nothing.";
  const speed = rate ? `${rate.toFixed(1)} tokens/s, ` : "";
  const took = `First token after ${seconds(first)}, ${speed}${count(tokens, "token")}.`;
  return `${ended}${took} Context: ${prompt + tokens} of ${model.window} tokens.`;
}

at("load").addEventListener("click", load);
at("stop").addEventListener("click", () => stopping.abort());
at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const question = at("question").value.trim();
  if (question && state.state === "ready") ask(question);
});
at("question").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  at("form").requestSubmit();
});
start();
