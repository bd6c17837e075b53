/** The canvas to draw on, with mouse, touch or pen, and small pictures of what was made of the drawing. */

import { fromImageData } from "./preprocess.js";

const PEN = 22; // of 280: about as thick, once scaled, as the strokes of MNIST
const INK = 17; // the grey of all ink, of 0 to 255

/** Draws while a pointer is down. `onStart` is called at the start of each stroke, `onStroke` at its end. */
export function drawingPad(canvas, { onStart, onStroke }) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  let pointer = null;
  let shown = false; // a sample, which a stroke replaces

  const clear = () => {
    context.clearRect(0, 0, canvas.width, canvas.height);
    pointer = null;
    shown = false;
  };

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) * canvas.width) / box.width,
      ((event.clientY - box.top) * canvas.height) / box.height,
    ];
  };

  const draw = (event) => {
    // A quick hand makes several points between two frames.
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) context.lineTo(...place(each));
    context.stroke();
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button !== 0) return;
    if (shown) clear();
    pointer = event.pointerId;
    canvas.setPointerCapture(pointer);
    Object.assign(context, { lineWidth: PEN, lineCap: "round", lineJoin: "round" });
    context.strokeStyle = `rgb(${INK} ${INK} ${INK})`;
    context.beginPath();
    context.moveTo(...place(event));
    draw(event); // so that a tap makes a dot
    onStart();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId === pointer) draw(event);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, (event) => {
      if (event.pointerId !== pointer) return;
      pointer = null;
      onStroke();
    });
  }

  return {
    clear,
    /** What is drawn. */
    picture: () => fromImageData(context.getImageData(0, 0, canvas.width, canvas.height)),
    /** A sample in place of a drawing, enlarged. */
    show(picture) {
      clear();
      shown = true;
      const small = Object.assign(document.createElement("canvas"), { width: picture.width, height: picture.height });
      paint(small, picture);
      context.imageSmoothingEnabled = false;
      context.drawImage(small, 0, 0, canvas.width, canvas.height);
    },
  };
}

/** A picture on a canvas of its size, ink dark on nothing; no picture makes the canvas empty. */
export function paint(canvas, picture) {
  canvas.width = picture?.width ?? 1;
  canvas.height = picture?.height ?? 1;
  if (!picture) return;
  const image = new ImageData(picture.width, picture.height);
  picture.data.forEach((ink, i) => image.data.set([INK, INK, INK, 255 * ink], 4 * i));
  canvas.getContext("2d").putImageData(image, 0, 0);
}
