/** The network in onnxruntime-web, on WebGPU or on WASM, and never on the one while saying the other. */

const LIBRARY = "./vendor/onnxruntime-web/ort.webgpu.bundle.min.mjs"; // its .wasm is in the same folder
const SIDE = 28;
const FIX = "Start the page with: python lab.py webgpu";
export const THREADS = 1; // of WASM: so that a figure of one machine can be compared with that of another

/** Something went wrong that a person can fix. The message says how. */
export class SessionError extends Error {}

/** The device went away under a session. */
export class DeviceLost extends Error {}

let loading = null;

/** onnxruntime-web, loaded once. A failed import says nothing useful, so the server is asked what it has. */
function library() {
  loading ??= import(LIBRARY).then(
    (ort) => {
      ort.env.wasm.numThreads = THREADS;
      ort.env.logLevel = "error";
      return ort;
    },
    async (error) => {
      loading = null;
      const reply = await fetch(new URL(LIBRARY, import.meta.url), { method: "HEAD" }).catch(() => null);
      const kind = reply?.headers.get("content-type") ?? "no type";
      if (!reply) throw new SessionError(`The server does not answer any more. ${FIX}`);
      if (!reply.ok) throw new SessionError(`onnxruntime-web is not there (HTTP ${reply.status}). ${FIX}`);
      if (!/javascript/.test(kind)) {
        throw new SessionError(`The server sends a module as ${kind}, and browsers run only text/javascript. ${FIX}`);
      }
      throw new SessionError(`onnxruntime-web did not load: ${error.message}. Reload the page.`);
    },
  );
  return loading;
}

/** The bytes of a model file. */
async function fetched(model) {
  const reply = await fetch(model).catch(() => null);
  if (!reply) throw new SessionError(`The server does not answer any more. ${FIX}`);
  if (reply.status === 404) {
    throw new SessionError(
      `The model ${model} is missing (HTTP 404). It belongs beside index.html: get it back with ` +
        `"git checkout apps/webgpu/${model}", or train it as training/README.md says, and reload the page.`,
    );
  }
  if (!reply.ok) throw new SessionError(`The model ${model} could not be loaded (HTTP ${reply.status}). ${FIX}`);
  const kind = reply.headers.get("content-type") ?? "";
  if (kind.startsWith("text/")) {
    throw new SessionError(`The server sends ${kind} where the model ${model} should be. ${FIX}`);
  }
  return new Uint8Array(await reply.arrayBuffer());
}

/** A device of our own: it can be watched, and replaced after a loss, which onnxruntime-web's own cannot. */
async function newDevice() {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) throw new SessionError("There is no graphics adapter any more. Look at chrome://gpu, or use WASM.");
  return adapter.requestDevice();
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let last = Promise.resolve();

/** onnxruntime-web does one thing at a time: what comes meanwhile waits. */
function inTurn(work) {
  const done = last.then(work);
  last = done.catch(() => {});
  return done;
}

/**
 * A session of a model on exactly one backend, "webgpu" or "wasm". A list of backends would switch without a word,
 * and so would single layers of the model, from WebGPU to the processor, were they not forbidden to.
 * `onLost` is called, once, when the session's device goes away without `close`.
 */
export async function open(backend, { model = "digits.onnx", onLost = () => {} } = {}) {
  const [ort, bytes] = await Promise.all([library(), fetched(model)]);
  const device = backend === "webgpu" ? await newDevice() : null;
  const options = device
    ? { executionProviders: [{ name: "webgpu", device }], extra: { session: { disable_cpu_ep_fallback: "1" } } }
    : { executionProviders: ["wasm"] };
  let session;
  try {
    session = await inTurn(() => ort.InferenceSession.create(bytes, options));
  } catch (error) {
    device?.destroy();
    throw new SessionError(`${model} does not start on ${backend}: ${error.message}`);
  }
  let [closed, lost] = [false, null];
  const noticed = device?.lost.then(({ message, reason }) => {
    lost = new DeviceLost(`The WebGPU device was lost (${message || reason}).`);
    if (!closed) onLost(lost);
  });
  const [input] = session.inputMetadata;
  const [output] = session.outputMetadata;

  return {
    backend,
    input,
    output,
    /** Logits of `batch` images in one array: 28 rows of 28 pixels each, 0 for paper and 1 for ink. */
    async run(pixels, batch = 1) {
      if (!(pixels instanceof Float32Array) || pixels.length !== batch * SIDE * SIDE) {
        throw new TypeError(`run needs a Float32Array of ${batch} x 784 pixels, not ${describe(pixels)}`);
      }
      const image = new ort.Tensor("float32", pixels, [batch, 1, SIDE, SIDE]);
      const results = await inTurn(async () => {
        if (lost) throw lost; // onnxruntime-web would wait for the device without end
        try {
          return await session.run({ [input.name]: image });
        } catch (error) {
          await Promise.race([noticed, pause(500)]); // a loss is told a moment after what failed because of it
          throw lost ?? error;
        }
      });
      return Float32Array.from(results[output.name].data);
    },
    /** Gives everything back. */
    async close() {
      closed = true;
      await inTurn(() => session.release());
      device?.destroy();
    },
    /** Takes the device away, as a driver that starts again does. For tests, and to see what the page then does. */
    async lose() {
      device?.destroy();
      await noticed;
    },
  };
}

const describe = (value) =>
  value?.length === undefined ? typeof value : `${value.constructor.name} of ${value.length}`;

/** Softmax: e to the power of each logit, divided by the sum of these. */
export function softmax(logits) {
  const top = Math.max(...logits);
  const raised = Array.from(logits, (each) => Math.exp(each - top));
  const sum = raised.reduce((total, each) => total + each, 0);
  return raised.map((each) => each / sum);
}

/** The place of the largest. */
export const argmax = (values) => values.indexOf(Math.max(...values));
