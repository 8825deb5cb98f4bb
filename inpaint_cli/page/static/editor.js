// The editor: a photo, its mask, and the ways to paint it by pointer and by key. It knows no
// server and no page round it, so a notebook uses the same file.

import { drawHud } from "./hud.js";
import { Input } from "./input.js";
import { Mask } from "./mask.js";
import { MOST_RADIUS, View, clamp } from "./view.js";

export const TOOLS = ["brush", "eraser", "box", "lasso"];
const MARGIN = 24; // screen pixels left free round a photo that is fitted
const SETTLED_MS = 150; // after moving, the picture is drawn finely

export class Editor {
  // on: {changed(), moved(), cursor()}, called after the mask, the view and the crosshair change;
  // paint(), before the mask is painted while something else is shown.
  constructor(container, on = {}) {
    this.on = { changed() {}, moved() {}, cursor() {}, paint() {}, ...on };
    this.container = container;
    const [picture, overlay, hud] = ["picture", "overlay", "hud"].map((name) => {
      const canvas = document.createElement("canvas");
      canvas.className = `editor-${name}`;
      container.append(canvas);
      return canvas;
    });
    this.view = new View(picture, overlay);
    this.hud = hud;
    this.canvas = hud; // takes the focus and the pointers
    this.mask = null;
    this.tool = "brush";
    this.radius = 14;
    this.locked = false;
    this.mode = "mask"; // mask, completion, compare, uncertainty
    this.completion = null; // {image, x, y, width, height}
    this.uncertainty = null;
    this.share = 0.5; // of the compared part
    this.original = false; // the photo as it was, whatever the mode
    this.crosshair = null; // [x, y] of a pixel, once keys move it
    this.stroke = null;
    this.last = null; // the last point of a stroke, for straight lines
    this.frame = 0;
    this.stale = { picture: true, overlay: null };
    this.input = new Input(this);
    new ResizeObserver(() => this.#resized()).observe(container);
  }

  // Takes a photo (an ImageBitmap or image) of a size; the mask is empty.
  open(image, width, height) {
    this.image = image;
    this.mask = new Mask(width, height);
    this.completion = this.uncertainty = null;
    this.mode = "mask";
    this.crosshair = this.last = this.stroke = null;
    this.fit();
    this.on.changed();
  }

  setTool(tool) {
    this.cancel();
    this.tool = tool;
    this.redraw();
  }

  setRadius(radius) {
    this.radius = clamp(Math.round(radius), 0, MOST_RADIUS);
    this.redraw();
  }

  // Changes the mask by a function of it, as one step of undo.
  change(work) {
    if (!this.mask || this.locked) return;
    this.cancel();
    work(this.mask);
    this.mask.commit();
    this.maskChanged();
  }

  undo() {
    if (!this.mask || this.locked) return;
    // Of a stroke that is not finished, that alone is taken back.
    if (this.stroke) this.cancel();
    else if (this.mask.undo()) this.maskChanged();
  }

  redo() {
    if (!this.mask || this.locked) return;
    this.cancel();
    if (this.mask.redo()) this.maskChanged();
  }

  box(x, y, width, height) {
    this.change((mask) => mask.box(x, y, width, height, 1));
  }

  // Ends a stroke, box or lasso that is not finished, as if it had not begun.
  cancel() {
    if (this.stroke) {
      this.mask.revert();
      this.stroke = null;
      this.#settle();
      this.redraw();
    }
  }

  show(mode) {
    this.mode = mode;
    this.redraw(true);
  }

  fit() {
    if (!this.mask || !this.view.image) return;
    this.view.fit(this.mask.width, this.mask.height, MARGIN * 2);
    this.viewChanged();
    this.fitted = true; // until it is moved
  }

  zoomTo(scale, x = this.view.size[0] / 2, y = this.view.size[1] / 2) {
    if (!this.mask) return;
    this.view.zoom(scale, x, y);
    this.viewChanged(true);
  }

  zoomBy(factor, x, y) {
    this.zoomTo(this.view.scale * factor, x, y);
  }

  // Screen pixels of this device a pixel of the photo, as a person counts them.
  get zoom() {
    return this.view.scale / this.ratio;
  }

  get ratio() {
    return globalThis.devicePixelRatio || 1;
  }

  redraw(picture = false) {
    if (picture) {
      this.stale.picture = true;
      this.stale.overlay = [0, this.mask ? this.mask.height : 0];
    }
    if (!this.frame) this.frame = requestAnimationFrame(() => this.#draw());
  }

  // Drawing

  #resized() {
    const box = this.container.getBoundingClientRect();
    const width = Math.round(box.width * this.ratio);
    const height = Math.round(box.height * this.ratio);
    if (!width || !height) return;
    const [across, down] = this.view.size;
    if (this.view.image && across === width && down === height) return;
    const first = !this.view.image;
    const middle = this.mask ? this.view.toPhoto(across / 2, down / 2) : null;
    this.view.resize(width, height);
    this.hud.width = width;
    this.hud.height = height;
    if (!this.mask) return;
    if (first || this.fitted) this.fit();
    else {
      this.view.centre(...middle);
      this.viewChanged();
    }
  }

  maskChanged() {
    this.#settle();
    this.redraw();
    this.on.changed();
  }

  #settle() {
    const rows = this.mask.settle();
    const old = this.stale.overlay;
    if (!rows) return;
    this.stale.overlay = old ? [Math.min(old[0], rows[0]), Math.max(old[1], rows[1])] : rows;
  }

  viewChanged(moving = false) {
    this.fitted = false;
    this.view.hold(this.mask.width, this.mask.height);
    this.view.moving = moving;
    clearTimeout(this.settling);
    if (moving) {
      this.settling = setTimeout(() => {
        this.view.moving = false;
        this.stale.picture = true;
        this.redraw();
      }, SETTLED_MS);
    }
    this.redraw(true);
    this.on.moved();
  }

  // Whether the mask is seen.
  get covers() {
    return this.mode === "mask" && !this.original;
  }

  #draw() {
    this.frame = 0;
    if (!this.mask || !this.view.image) return;
    this.#settle();
    if (this.stale.picture) {
      this.view.drawPicture(this.#layers());
      this.stale.picture = false;
      if (!this.covers) this.view.clearOverlay();
    }
    if (this.stale.overlay && this.covers) {
      const [top, bottom] = this.stale.overlay;
      const whole = top <= 0 && bottom >= this.mask.height;
      // What lies beyond the photo's rows is cleared as well.
      this.view.drawOverlay(this.mask, whole ? [-Infinity, Infinity] : [top, bottom]);
    }
    this.stale.overlay = null;
    drawHud(this);
  }

  #layers() {
    const [width, height] = [this.mask.width, this.mask.height];
    const layers = [{ image: this.image, x: 0, y: 0, width, height }];
    if (this.original || this.mode === "mask") return layers;
    if (this.completion) {
      const from = this.mode === "compare" ? Math.round(this.border) : 0;
      layers.push({ ...this.completion, from });
    }
    if (this.mode === "uncertainty" && this.uncertainty) layers.push(this.uncertainty);
    return layers;
  }

  // The screen columns between which the photo is seen.
  get seen() {
    const [left] = this.view.toScreen(0, 0);
    const [right] = this.view.toScreen(this.mask.width, 0);
    return [Math.max(0, left), Math.min(this.view.size[0], right)];
  }

  // The screen column where the completion begins, when compared.
  get border() {
    const [from, to] = this.seen;
    // From the first column, 1 screen pixel on, since 0 would mean the whole of it.
    return Math.max(1e-3, from + this.share * (to - from));
  }

  // Painting: `begin`, `extend` and `finish` serve pointers and keys alike; points are pixels.

  begin(point, { opposite = false, straight = false } = {}) {
    if (!this.mask || this.locked || this.mode !== "mask") return;
    const erase = (this.tool === "eraser") !== opposite;
    const value = erase ? 0 : 1;
    if (this.tool === "box") this.stroke = { corner: point, end: point, value };
    else if (this.tool === "lasso") this.stroke = { points: [point], value };
    else {
      const from = straight && this.last ? this.last : point;
      this.stroke = { at: point, value };
      this.mask.capsule(...from, ...point, this.radius, value);
    }
    this.redraw();
  }

  extend(point) {
    const stroke = this.stroke;
    if (!stroke) return;
    if (stroke.corner) stroke.end = point;
    else if (stroke.points) {
      const [x, y] = stroke.points.at(-1);
      if (x !== point[0] || y !== point[1]) stroke.points.push(point);
    } else {
      this.mask.capsule(...stroke.at, ...point, this.radius, stroke.value);
      stroke.at = point;
    }
    this.redraw();
  }

  finish() {
    const stroke = this.stroke;
    if (!stroke) return;
    this.stroke = null;
    if (stroke.corner) {
      const [[x0, y0], [x1, y1]] = [stroke.corner, stroke.end];
      const [x, y] = [Math.min(x0, x1), Math.min(y0, y1)];
      this.mask.box(x, y, Math.abs(x1 - x0) + 1, Math.abs(y1 - y0) + 1, stroke.value);
    } else if (stroke.points) {
      // Corners are centres of pixels.
      this.mask.polygon(stroke.points.map(([x, y]) => [x + 0.5, y + 0.5]), stroke.value);
    } else this.last = stroke.at;
    this.mask.commit();
    this.maskChanged();
  }
}
