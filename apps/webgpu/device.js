/** Which backend this browser can use, and why: what happened, and what to do about it. */

// Words in the names of software adapters, which are programs on the processor: of Chrome, of Mesa, of Windows.
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|microsoft basic render|software/i;
const AT_NO_ADAPTER =
  "Look at chrome://gpu (in Firefox about:support) for the reason, update the graphics driver, and switch on " +
  "graphics acceleration in the browser's settings.";

/**
 * Asks the browser for a graphics adapter. `scope` is the window, or in a test something that looks like one.
 * @returns {Promise<{webgpu: boolean, name: string, software: boolean, reason: string, fix: string}>}
 */
export async function probe(scope = globalThis) {
  if (!scope.isSecureContext) {
    return without(
      `${scope.location.origin} is not a secure origin, and browsers offer WebGPU only on those.`,
      `Open the page on the machine that serves it, as http://127.0.0.1:${scope.location.port || 80}/, or use https.`,
    );
  }
  if (!scope.navigator.gpu) {
    return without(
      "This browser has no WebGPU.",
      "Use a recent Chrome, Edge, Firefox or Safari. In Chrome and Edge, chrome://gpu says whether it is switched off.",
    );
  }
  try {
    const adapter = await scope.navigator.gpu.requestAdapter();
    if (!adapter) return without("The browser has WebGPU, but no graphics adapter for it.", AT_NO_ADAPTER);
    return described(adapter);
  } catch (error) {
    return without(`The browser failed to give a graphics adapter (${error.message}).`, AT_NO_ADAPTER);
  }
}

/** What `probe` gives where there is no WebGPU. */
export function without(reason, fix) {
  return { webgpu: false, name: "", software: false, reason, fix };
}

/** What `probe` gives for an adapter. */
function described(adapter) {
  const info = adapter.info ?? {};
  const name = info.description || info.device || [info.vendor, info.architecture].filter(Boolean).join(" ");
  const said = [info.vendor, info.architecture, info.device, info.description].join(" ");
  const software = Boolean(info.isFallbackAdapter ?? adapter.isFallbackAdapter) || SOFTWARE.test(said);
  return {
    webgpu: true,
    name: name || "an adapter that keeps its name to itself",
    software,
    reason: software
      ? "This adapter is software: the processor plays the graphics card. The numbers are right, but it is slow, and " +
        "WASM is likely to be much faster."
      : "The browser gave a graphics adapter.",
    fix: software ? "If this machine has a graphics card, chrome://gpu says why the browser does not use it." : "",
  };
}
