// Pointers, wheel and keys of the canvas, turned into strokes and moves of the view.

import { MOST_RADIUS, clamp } from "./view.js";

export class Input {
  constructor(editor) {
    this.editor = editor;
    this.pointers = new Map(); // those that are down
    this.panning = null; // the pointer that moves the view
    this.bordering = null; // the pointer that moves the border between photo and completion
    this.pinch = null;
    this.space = false;
    const { canvas } = editor;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, (event) => this.#up(event));
    }
    canvas.addEventListener("pointerleave", () => {
      this.editor.hover = null;
      this.editor.redraw();
    });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("keyup", (event) => {
      if (event.key === " ") this.space = false;
    });
    canvas.addEventListener("blur", () => (this.space = false));
  }

  #screen(event) {
    const { canvas, ratio } = this.editor;
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio];
  }

  #pixel(event) {
    return this.editor.view.toPhoto(...this.#screen(event)).map(Math.floor);
  }

  #down(event) {
    if (!this.editor.mask) return;
    this.editor.canvas.focus({ preventScroll: true, focusVisible: false });
    this.editor.canvas.setPointerCapture(event.pointerId);
    const at = this.#screen(event);
    this.pointers.set(event.pointerId, { at, touch: event.pointerType === "touch" });
    this.editor.crosshair = null;
    const touches = [...this.pointers.values()].filter((p) => p.touch);
    if (touches.length > 1) {
      this.editor.cancel();
      this.pinch = spread(touches);
    } else if (event.button === 1 || this.space) {
      event.preventDefault();
      this.panning = event.pointerId;
    } else if (event.button === 0 && this.editor.mode === "compare") {
      this.bordering = event.pointerId;
      this.#moveBorder(at);
    } else if (event.button === 0 || event.button === 2) {
      if (this.editor.mode !== "mask") this.editor.on.paint();
      const opposite = (event.button === 2) !== event.altKey;
      this.editor.begin(this.#pixel(event), { opposite, straight: event.shiftKey });
    }
  }

  #move(event) {
    if (!this.editor.mask) return;
    this.editor.hover = event.pointerType === "touch" ? null : this.#pixel(event);
    const pointer = this.pointers.get(event.pointerId);
    if (!pointer) {
      this.editor.redraw();
      return;
    }
    const before = pointer.at;
    pointer.at = this.#screen(event);
    if (this.pinch) this.#pinched();
    else if (this.bordering === event.pointerId) this.#moveBorder(pointer.at);
    else if (this.panning === event.pointerId) {
      this.editor.view.pan(pointer.at[0] - before[0], pointer.at[1] - before[1]);
      this.editor.viewChanged(true);
    } else if (this.editor.stroke) {
      const events = event.getCoalescedEvents?.() ?? [];
      for (const one of events.length ? events : [event]) this.editor.extend(this.#pixel(one));
    }
    this.editor.redraw();
  }

  #up(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    if (this.pinch) {
      const left = [...this.pointers.values()];
      this.pinch = left.length < 2 ? null : spread(left);
      return;
    }
    if (this.bordering === event.pointerId) this.bordering = null;
    else if (this.panning === event.pointerId) this.panning = null;
    else if (event.type === "pointercancel") this.editor.cancel();
    else this.editor.finish();
  }

  #moveBorder([x]) {
    const { editor } = this;
    const [from, to] = editor.seen;
    editor.share = clamp((x - from) / (to - from), 0, 1);
    editor.redraw(true);
    editor.on.moved();
  }

  #pinched() {
    const now = spread([...this.pointers.values()]);
    const [before, after] = [this.pinch, now];
    const { view } = this.editor;
    view.pan(after.x - before.x, after.y - before.y);
    view.zoom(view.scale * (after.distance / before.distance), after.x, after.y);
    this.pinch = now;
    this.editor.viewChanged(true);
  }

  #wheel(event) {
    if (!this.editor.mask) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    const turn = (event.deltaY || event.deltaX) * lines;
    if (event.altKey) this.editor.setRadius(nextRadius(this.editor.radius, -Math.sign(turn)));
    else this.editor.zoomBy(2 ** (-turn / 300), ...this.#screen(event));
    if (event.altKey) this.editor.on.moved();
  }

  // Keys of the canvas itself; the page has others.
  #key(event) {
    if (!this.editor.mask || event.ctrlKey || event.metaKey) return;
    const arrow = {
      ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
    }[event.key];
    if (arrow) this.#step(arrow, event.shiftKey);
    else if (event.key === "Enter") this.#press(event.shiftKey, event.altKey);
    else if (event.key === "Escape") this.editor.cancel();
    else if (event.key === " ") this.space = true;
    else return;
    event.preventDefault();
  }

  #step([dx, dy], far) {
    const { editor } = this;
    const by = far ? Math.max(1, editor.radius) : 1;
    const { width, height } = editor.mask;
    const [x, y] = editor.crosshair ?? [width >> 1, height >> 1];
    // The first key shows where the crosshair is.
    const moves = editor.crosshair ? by : 0;
    editor.crosshair = [
      clamp(x + dx * moves, 0, width - 1),
      clamp(y + dy * moves, 0, height - 1),
    ];
    editor.hover = null;
    if (editor.stroke?.corner) editor.stroke.end = editor.crosshair;
    this.#follow();
    editor.redraw();
    editor.on.cursor();
  }

  // Moves the view where the crosshair has left it.
  #follow() {
    const { view, crosshair } = this.editor;
    const [sx, sy] = view.toScreen(crosshair[0] + 0.5, crosshair[1] + 0.5);
    const [across, down] = view.size;
    if (sx < 0 || sy < 0 || sx > across || sy > down) {
      view.centre(...crosshair);
      this.editor.viewChanged();
    }
  }

  #press(straight, opposite) {
    if (!this.editor.crosshair) {
      this.#step([0, 0], false);
      return;
    }
    const point = this.editor.crosshair;
    if (this.editor.mode !== "mask") this.editor.on.paint();
    const stroke = this.editor.stroke;
    if (stroke?.corner) this.editor.finish();
    else if (stroke?.points) {
      const [x, y] = stroke.points.at(-1);
      if (x === point[0] && y === point[1]) this.editor.finish(); // twice at one place closes it
      else this.editor.extend(point);
    } else {
      this.editor.begin(point, { straight, opposite });
      if (!this.editor.stroke?.corner && !this.editor.stroke?.points) this.editor.finish();
    }
    this.editor.on.cursor();
  }
}

// Sizes of the brush that keys step through: about a tenth more each, at least a pixel.
const SIZES = [0];
while (SIZES.at(-1) < MOST_RADIUS) {
  SIZES.push(Math.min(MOST_RADIUS, SIZES.at(-1) + Math.max(1, Math.round(SIZES.at(-1) / 10))));
}

export function nextRadius(radius, steps) {
  const larger = SIZES.findIndex((size) => size > radius);
  const last = SIZES.length - 1;
  const at = larger < 0 ? last : larger - 1; // the largest that is not above
  const up = steps < 0 && SIZES[at] < radius ? 1 : 0;
  return SIZES[clamp(at + steps + up, 0, last)];
}

function spread([a, b]) {
  const [dx, dy] = [a.at[0] - b.at[0], a.at[1] - b.at[1]];
  const distance = Math.max(1, Math.hypot(dx, dy));
  return { x: (a.at[0] + b.at[0]) / 2, y: (a.at[1] + b.at[1]) / 2, distance };
}
