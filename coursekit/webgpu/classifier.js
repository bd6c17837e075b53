// The digit network in a notebook's own front end. Python sends the library, its WebAssembly and the model as bytes:
// where a notebook is shown, nothing else may be reachable, and nothing has to be.

const SIDE = 28;
let ort;
let model;
const sessions = {};
const devices = {};

async function support() {
  const { webgpu, name, software } = await probe(); // of device.js, which Python puts before this file
  const gpu = Boolean(navigator.gpu);
  return { secure: isSecureContext, gpu, adapter: webgpu ? name : "", software, userAgent: navigator.userAgent };
}

async function open(_, [library, wasm, onnx]) {
  const address = URL.createObjectURL(new Blob([library], { type: "text/javascript" }));
  ort = await import(address);
  URL.revokeObjectURL(address);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength);
  model = new Uint8Array(onnx.buffer, onnx.byteOffset, onnx.byteLength);
  return [{}, []];
}

// One backend, never a list of them: a list switches to the other one without a word, and so would single layers if we allowed it.
async function session(backend) {
  sessions[backend] ??= create(backend);
  try {
    return await sessions[backend];
  } catch (error) {
    delete sessions[backend]; // so that another try is one
    throw error;
  }
}

// A device of our own for WebGPU, as on the page: what was compiled belongs to a device.
async function create(backend) {
  if (backend === "wasm") return ort.InferenceSession.create(model, { executionProviders: [backend] });
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) throw new Error("There is no graphics adapter any more");
  devices[backend] = await adapter.requestDevice();
  const executionProviders = [{ name: backend, device: devices[backend] }];
  const extra = { session: { disable_cpu_ep_fallback: "1" } };
  return ort.InferenceSession.create(model, { executionProviders, extra });
}

// A fresh session, whose first run is a first one: what ran before has compiled already.
async function forget(backend) {
  await (await session(backend)).release();
  devices[backend]?.destroy();
  delete sessions[backend];
}

async function classify({ backend, batch }, [bytes]) {
  const pixels = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  const image = new ort.Tensor("float32", pixels, [batch, 1, SIDE, SIDE]);
  const { logits } = await (await session(backend)).run({ image });
  return [{}, [Float32Array.from(logits.data).buffer]];
}

async function time({ backend, batch, least, budget, fresh }, buffers) {
  if (fresh && sessions[backend]) await forget(backend);
  await session(backend);
  const taken = [];
  while (taken.length < least + 1 || taken.reduce((all, each) => all + each, 0) < budget) {
    const begin = performance.now();
    await classify({ backend, batch }, buffers);
    taken.push(performance.now() - begin);
  }
  return [{ first_ms: taken[0], ms: taken.slice(1) }, []];
}

const WORK = { open, classify, time };

async function render({ model: python, el }) {
  el.textContent = "The digit network runs in this page.";
  python.on("msg:custom", async ({ kind, number, ...told }, buffers) => {
    try {
      const [content, bytes] = await WORK[kind](told, buffers);
      python.send({ number, ...content }, undefined, bytes);
    } catch (error) {
      python.send({ number, error: String(error?.message ?? error) }); // WebAssembly may throw a number
    }
  });
  python.send({ number: 0, ...(await support()) });
}

export default { render };
