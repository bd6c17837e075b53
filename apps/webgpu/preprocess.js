/**
 * What was done to the digits of MNIST, done to a drawing: crop, scale to 20 pixels, centre by mass in 28 x 28.
 * A network sees only what it was trained on: without this, a digit drawn in a corner is a guess.
 * A picture here is {data: Float32Array, width, height}, row by row, 0 for paper and 1 for ink.
 */

export const SIDE = 28;
const LONGER = 20;
const FAINT = 0.1; // less is the soft edge of a stroke

/** A picture from the ImageData of a canvas that is transparent where nothing was drawn. */
export function fromImageData({ data, width, height }) {
  return { data: Float32Array.from({ length: width * height }, (_, i) => data[4 * i + 3] / 255), width, height };
}

/** All steps, each of which the page shows; null where nothing is drawn. */
export function prepare(picture) {
  const cropped = crop(picture);
  if (!cropped) return null;
  const scaled = scale(cropped);
  return { cropped, scaled, centred: centre(scaled) };
}

/** The smallest part with all the ink in it. */
export function crop({ data, width, height }) {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (data[y * width + x] < FAINT) continue;
      [left, right] = [Math.min(left, x), Math.max(right, x)];
      [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
    }
  }
  if (right < 0) return null;
  const part = blank(right - left + 1, bottom - top + 1);
  for (let y = 0; y < part.height; y++) {
    const start = (top + y) * width + left;
    part.data.set(data.subarray(start, start + part.width), y * part.width);
  }
  return part;
}

/** The longer side to 20 pixels, the other in proportion; each new pixel is the mean of the area that it covers. */
export function scale(picture) {
  const factor = LONGER / Math.max(picture.width, picture.height);
  const width = Math.max(1, Math.round(picture.width * factor));
  const height = Math.max(1, Math.round(picture.height * factor));
  const columns = shares(picture.width, width);
  const rows = shares(picture.height, height);
  const scaled = blank(width, height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (const [row, tall] of rows[y]) {
        for (const [column, wide] of columns[x]) sum += picture.data[row * picture.width + column] * wide * tall;
      }
      scaled.data[y * width + x] = sum;
    }
  }
  return scaled;
}

/** For each of `to` new pixels in a line, the old ones that it covers, and each one's share of it. */
function shares(from, to) {
  const size = from / to;
  return Array.from({ length: to }, (_, i) => {
    const [start, end] = [i * size, (i + 1) * size];
    const covered = [];
    for (let old = Math.floor(start); old < Math.min(from, Math.ceil(end)); old++) {
      covered.push([old, (Math.min(end, old + 1) - Math.max(start, old)) / size]);
    }
    return covered;
  });
}

/** In 28 x 28, with the centre of mass in the middle; never so far to a side that ink is cut off. */
export function centre({ data, width, height }) {
  let [mass, acrossMass, downMass] = [0, 0, 0];
  data.forEach((ink, i) => {
    mass += ink;
    acrossMass += ink * ((i % width) + 0.5);
    downMass += ink * (Math.floor(i / width) + 0.5);
  });
  const left = clamp(Math.round(SIDE / 2 - acrossMass / mass), SIDE - width);
  const top = clamp(Math.round(SIDE / 2 - downMass / mass), SIDE - height);
  const centred = blank(SIDE, SIDE);
  for (let y = 0; y < height; y++) {
    centred.data.set(data.subarray(y * width, (y + 1) * width), (top + y) * SIDE + left);
  }
  return centred;
}

const clamp = (value, most) => Math.min(Math.max(value, 0), most);

const blank = (width, height) => ({ data: new Float32Array(width * height), width, height });
