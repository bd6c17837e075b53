/** How long a run takes, for each backend and batch size: the first run apart, then as many as a time allows. */

export const BATCHES = [1, 8, 64];
export const LIMITS = { budgetMs: 2000, least: 3, most: 50 };

/**
 * Races `backends`, each in a fresh session from `open(backend)`, so that its first run includes compiling.
 * `images(batch)` gives the pixels; `onProgress({backend, batch, run})` is called before each run. With `signal`
 * aborted the race ends after the run that is under way, and what was measured until then is kept.
 * @returns {Promise<{machine: object, stopped: boolean, runs: object[]}>}
 */
export async function race({ open, backends, images, machine, batches = BATCHES, limits = {}, onProgress, signal }) {
  const bounds = { ...LIMITS, ...limits };
  const runs = [];
  for (const backend of backends) {
    if (signal?.aborted) break;
    const session = await open(backend);
    try {
      for (const batch of batches) {
        const pixels = images(batch);
        const next = (run) => onProgress?.({ backend, batch, run });
        const times = await timed(() => session.run(pixels, batch), bounds, next, signal);
        if (times.ms.length) runs.push({ backend, batch, ...times, ...spread(times.ms) });
      }
    } finally {
      await session.close();
    }
  }
  return { machine, stopped: Boolean(signal?.aborted), runs };
}

/** The first run, then at least `least` and at most `most` more, no new one once `budgetMs` are spent. */
async function timed(run, { budgetMs, least, most }, next, signal) {
  const ms = [];
  let first = null;
  let spent = 0;
  while (!signal?.aborted && ms.length < most && (ms.length < least || spent < budgetMs)) {
    next(ms.length);
    await new Promise((resolve) => setTimeout(resolve)); // lets the page show it, and hear Stop
    const start = performance.now();
    await run();
    const took = performance.now() - start;
    if (first === null) {
      first = took;
    } else {
      ms.push(took);
      spent += took;
    }
  }
  return { first_ms: first, ms };
}

/** Median and quartiles, between two values in proportion, as numpy does it. */
export function spread(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const at = (part) => {
    const place = (sorted.length - 1) * part;
    const [low, high] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
    return low + (high - low) * (place % 1);
  };
  return { median_ms: at(0.5), q1_ms: at(0.25), q3_ms: at(0.75) };
}

/** Three significant figures: 0.421, 43.1, 3,960. */
export function inFigures(ms) {
  return ms.toLocaleString("en", { maximumSignificantDigits: 3 });
}

/** What was found, in words. */
export function summary(runs, names) {
  const batches = [...new Set(runs.map((run) => run.batch))];
  const said = batches.map((batch) => {
    const each = runs.filter((run) => run.batch === batch);
    return `batch ${batch}: ${each.map((run) => `${names[run.backend]} ${inFigures(run.median_ms)} ms`).join(", ")}`;
  });
  return said.length ? `Median of a run. ${said.join("; ")}.` : "Nothing was measured.";
}
