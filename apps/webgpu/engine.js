/** The backend in use: the best that works, then what the person chooses; and another session after a loss. */

import { probe, without } from "./device.js";
import { DeviceLost, open } from "./session.js";

export const NAMES = { webgpu: "WebGPU", wasm: "WASM" };
const PATIENCE = 3; // losses after which WebGPU is left alone

export class Engine {
  backend = null;
  device = null;
  #sessions = new Map();
  #losses = 0;
  #onChange;

  /** `onChange({state, note})` is called with the state "starting", "ready" or "error". */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /** WebGPU where there is an adapter and it works, else WASM. */
  async start() {
    this.device = await probe();
    if (this.device.webgpu) {
      if (await this.#starts("webgpu", this.device.reason)) return;
      this.#giveUp(this.error);
    }
    await this.use("wasm", this.device.reason);
  }

  /** Changes to a backend, and to no other if it does not start. */
  async use(backend, note) {
    if (!(await this.#starts(backend, note))) this.#onChange({ state: "error", note: this.error });
  }

  async #starts(backend, note) {
    this.backend = backend;
    this.#onChange({ state: "starting", note: "" });
    try {
      this.session = await this.#open(backend);
      await this.session.run(new Float32Array(784)); // the first run compiles: better now than at the first digit
    } catch (error) {
      this.error = error.message;
      return false;
    }
    this.#onChange({ state: "ready", note });
    return true;
  }

  /** Logits, from the backend in use or from another. A run that a lost device broke off is made again. */
  async classify(pixels, batch = 1, backend = this.backend) {
    if (backend === "webgpu" && !this.device.webgpu) throw new Error(`${this.device.reason} ${this.device.fix}`);
    try {
      return await (await this.#open(backend)).run(pixels, batch);
    } catch (error) {
      if (!(error instanceof DeviceLost)) throw error;
      await this.recovering;
      return (await this.#open(this.device.webgpu ? backend : "wasm")).run(pixels, batch);
    }
  }

  /** Takes the device of WebGPU away, and waits until what follows is done. */
  async lose() {
    await this.session.lose();
    await this.recovering;
  }

  /** One session for each backend, kept. */
  #open(backend) {
    if (!this.#sessions.has(backend)) {
      const opening = open(backend, { onLost: (lost) => (this.recovering = this.#recover(lost)) });
      opening.catch(() => this.#sessions.delete(backend));
      this.#sessions.set(backend, opening);
    }
    return this.#sessions.get(backend);
  }

  async #recover(lost) {
    this.#sessions.delete("webgpu");
    this.#losses += 1;
    this.device = await probe();
    if (this.#losses > PATIENCE) this.#giveUp(`${lost.message} It is the ${this.#losses}th time.`);
    if (this.backend !== "webgpu") return;
    if (this.device.webgpu) {
      if (await this.#starts("webgpu", `${lost.message} A new one was made. ${this.device.reason}`)) return;
      this.#giveUp(this.error);
    }
    await this.use("wasm", `${lost.message} ${this.device.reason} WASM takes over.`);
  }

  #giveUp(reason) {
    this.device = without(reason, "Reload the page to try it again.");
  }
}
