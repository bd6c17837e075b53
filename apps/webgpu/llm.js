/** The language model: SmolLM2-135M-Instruct on wllama, which is llama.cpp compiled to WebAssembly. */

const MODEL = "model/smollm2.gguf"; // relative, as the others, so that a proxy may put a folder before it
const ENGINE = "./vendor/wllama/index.min.js";
const WASM = "vendor/wllama/wllama.wasm";
const BATCH = 16; // tokens of a prompt that are read at a time: Stop waits for them, and more at a time were no faster
const NO_SERVER = "The server of this page does not answer. Start it again: python lab.py webgpu";

/** The sizes in bytes of the model and of what runs it, without fetching either; 0 where the server does not tell. */
export async function sizes() {
  const size = async (url) => Number((await asked(url, { method: "HEAD" })).headers.get("content-length"));
  const [model, script, wasm] = await Promise.all([MODEL, ENGINE, WASM].map(size));
  return { model, engine: script + wasm };
}

/** The answer to a request. Where the server refuses, its own words are the error. */
async function asked(url, options) {
  const reply = await fetch(url, options).catch(() => Promise.reject(new Error(NO_SERVER)));
  if (reply.ok) return reply;
  throw new Error(await (await fetch(url)).text()); // the answer to HEAD has no words
}

/** What this browser lacks to run the model, and what to do about it; or "". */
export function lacking({ isSecureContext, location: { origin, port, pathname } }) {
  const here = `http://127.0.0.1:${port || 80}${pathname}`;
  if (!isSecureContext) return `${origin} is not a secure origin. Open ${here} on the machine that serves this page.`;
  if (!globalThis.WebAssembly) return "This browser has no WebAssembly. Some switch it off to be safer: allow it here.";
  try {
    new WebAssembly.Memory({ address: "i64", initial: 1n });
    return "";
  } catch {
    return "This browser's WebAssembly has no 64-bit memory, which wllama needs. Use a recent Chrome, Edge or Firefox.";
  }
}

/** Of `ask`, where the question alone is too long. */
export class TooLong extends Error {}

/** A model in memory, and the conversation with it. */
export class LanguageModel {
  /** The messages that the model was given last; its own chat template makes the prompt out of them. */
  messages = [];
  /** How many turns the model has had to forget. */
  forgotten = 0;
  #turns = [];
  #wllama = null;
  #broken;

  /**
   * Fetches the model and starts it, on the processor only. After `close` it can be loaded again, and knows the turns.
   * @param {{threads: number, context: number, onBytes: (seen: number) => void, onStart: () => void}} options
   */
  async load({ threads, context, onBytes, onStart }) {
    const file = await fetched(onBytes);
    onStart();
    try {
      await this.#start(file, { n_gpu_layers: 0, n_threads: threads, n_ctx: context, n_parallel: 1, n_batch: BATCH });
    } catch (error) {
      throw explained(error);
    }
  }

  async #start(file, options) {
    const { Wllama } = await import(ENGINE);
    const logger = { debug() {}, log() {}, warn: console.warn };
    this.#broken = new Promise((_, reject) => {
      // wllama only logs that its worker failed, and would wait for ever.
      logger.error = (what) => what instanceof Event && reject(new Error(what.message || "its worker did not start"));
    });
    this.#wllama = new Wllama({ default: WASM }, { logger });
    this.#wllama.setCompat(null); // or in some browsers it asks an outside host for another build
    await Promise.race([this.#wllama.loadModel([file], options), this.#broken]);
  }

  /** How many threads it really has: one where the page is not cross-origin isolated. */
  get threads() {
    return this.#wllama.getNumThreads();
  }

  /** How many tokens it can see at once. */
  get window() {
    return this.#wllama.getLoadedContextInfo().n_ctx;
  }

  /** Frees its memory. */
  async close() {
    await this.#wllama?.exit();
    this.#wllama = null;
  }

  /**
   * Asks, with the earlier turns. As long as these leave no room for an answer, the oldest is forgotten.
   * @param {string} question
   * @param {{signal: AbortSignal, onReading: (read: number, of: number) => void, onText: (answer: Answer) => void}} how
   * @returns {Promise<Answer>} as far as it came; `end` is "stop", "length", or "stopped" by the signal
   * @typedef {{text: string, tokens: number, prompt: number, first: number, rate: number, end: string}} Answer
   */
  async ask(question, { signal, onReading, onText }) {
    const answer = { text: "", tokens: 0, prompt: 0, first: 0, rate: 0, end: "" };
    const started = performance.now();
    const take = ({ choices: [choice], timings, prompt_progress: reading }) => {
      if (reading) {
        answer.prompt = reading.total;
        onReading(reading.processed, reading.total);
      }
      if (choice.delta.content) {
        answer.text += choice.delta.content;
        answer.tokens = timings.predicted_n;
        const now = performance.now() - started;
        answer.first ||= now;
        answer.rate = (1000 * (answer.tokens - 1)) / (now - answer.first) || 0;
        onText(answer);
      }
      answer.end = choice.finish_reason ?? "";
    };
    try {
      await this.#complete(question, signal, take);
    } catch (error) {
      if (!signal.aborted) throw error instanceof TooLong ? error : explained(error);
      answer.end = "stopped";
    }
    if (answer.text) {
      this.#turns.push([{ role: "user", content: question }, { role: "assistant", content: answer.text }]);
    }
    return answer;
  }

  async #complete(question, signal, take) {
    const most = Math.min(256, this.window / 4);
    for (;;) {
      this.messages = [...this.#turns.flat(), { role: "user", content: question }];
      const full = new AbortController();
      const done = this.#wllama.createChatCompletion({
        messages: this.messages,
        max_tokens: most,
        temperature: 0.2, // this and the next are what the model's authors advise
        top_p: 0.9,
        stream: true,
        timings_per_token: true,
        return_progress: true,
        abortSignal: AbortSignal.any([signal, full.signal]),
        onData: (chunk) => {
          // wllama 3 cannot count tokens beforehand; it tells their number once the first few are read.
          if (this.#turns.length && chunk.prompt_progress?.total > this.window - most) full.abort();
          else if (!signal.aborted) take(chunk);
        },
      });
      try {
        return await Promise.race([done, this.#broken]);
      } catch (error) {
        const tooLong = full.signal.aborted || /exceeds the available context/.test(error.message);
        if (signal.aborted || !tooLong) throw error;
        if (!this.#turns.length) throw new TooLong(`That is too long: the model sees ${this.window} tokens at once.`);
        this.#turns.shift();
        this.forgotten += 1;
      }
    }
  }
}

function explained({ message }) {
  const what = /memory|alloc|OOM/i.test(message)
    ? "The browser has not enough memory for the model. Close other tabs, and load it again."
    : "The model broke off. Load it again.";
  return new Error(`${what} (${message})`);
}

/** The model's file, with its progress told. */
async function fetched(onBytes) {
  const { body } = await asked(MODEL);
  let seen = 0;
  const counted = new TransformStream({
    transform(piece, onward) {
      seen += piece.byteLength;
      onBytes(seen);
      onward.enqueue(piece);
    },
  });
  const whole = new Response(body.pipeThrough(counted)).blob();
  return whole.catch(() => Promise.reject(new Error("The model was not loaded whole. Load it again.")));
}
