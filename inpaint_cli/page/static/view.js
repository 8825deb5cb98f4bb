// What is seen of the photo: its place on the screen, the picture, and the mask laid over it.

export const LEAST_SCALE = 0.02;
export const MOST_SCALE = 64;
export const MOST_RADIUS = 1000; // pixels of the photo
const SHARP_SCALE = 2; // from here on each pixel is a square
const HATCH = 4; // screen pixels
const COLOURS = { // [stripe, ground, edge]: alpha, blue, green, red, as a little-endian number
  magenta: [0xb0ff00ff, 0x66ff00ff, 0xffffffff],
  green: [0xb020d020, 0x6620d020, 0xff000000],
};

export class View {
  constructor(picture, overlay) {
    this.picture = picture;
    this.overlay = overlay;
    this.scale = 1; // screen pixels a pixel of the photo
    this.left = 0; // of the screen's corner, in the photo
    this.top = 0;
    this.colour = "magenta";
    this.moving = false;
    this.image = null; // of the overlay's pixels
    this.covered = null; // a byte a screen pixel
  }

  get size() {
    return [this.picture.width, this.picture.height];
  }

  resize(width, height) {
    for (const canvas of [this.picture, this.overlay]) {
      canvas.width = width;
      canvas.height = height;
    }
    this.image = new ImageData(width, height);
    this.covered = new Uint8Array(width * height);
  }

  fit(width, height, margin) {
    const [across, down] = this.size;
    const room = Math.min((across - margin) / width, (down - margin) / height);
    // Small photos are enlarged by whole numbers, so that all pixels are alike.
    const scale = room > SHARP_SCALE ? Math.floor(room) : room;
    this.scale = clamp(scale, LEAST_SCALE, MOST_SCALE);
    this.centre(width / 2, height / 2);
  }

  centre(x, y) {
    const [across, down] = this.size;
    this.left = x - across / 2 / this.scale;
    this.top = y - down / 2 / this.scale;
  }

  zoom(scale, screenX, screenY) {
    const [x, y] = this.toPhoto(screenX, screenY);
    this.scale = clamp(scale, LEAST_SCALE, MOST_SCALE);
    this.left = x - screenX / this.scale;
    this.top = y - screenY / this.scale;
  }

  pan(screenX, screenY) {
    this.left -= screenX / this.scale;
    this.top -= screenY / this.scale;
  }

  // Keeps a piece of the photo in sight, whatever was panned.
  hold(width, height) {
    const [across, down] = this.size;
    const keep = Math.min(40, across / 4, down / 4) / this.scale;
    this.left = clamp(this.left, keep - across / this.scale, width - keep);
    this.top = clamp(this.top, keep - down / this.scale, height - keep);
  }

  toPhoto(x, y) {
    return [this.left + x / this.scale, this.top + y / this.scale];
  }

  toScreen(x, y) {
    return [(x - this.left) * this.scale, (y - this.top) * this.scale];
  }

  // layers: [{image, x, y, width, height, from, alpha}], drawn in turn; from: the screen column
  // where a layer begins to be seen.
  drawPicture(layers) {
    const context = this.picture.getContext("2d", { alpha: true });
    const [across, down] = this.size;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, across, down);
    context.imageSmoothingEnabled = this.scale < SHARP_SCALE;
    context.imageSmoothingQuality = this.moving ? "low" : "high";
    for (const layer of layers) {
      context.save();
      if (layer.from) {
        context.beginPath();
        context.rect(layer.from, 0, across - layer.from, down);
        context.clip();
      }
      context.globalAlpha = layer.alpha ?? 1;
      const [x, y] = [-this.left * this.scale, -this.top * this.scale];
      context.setTransform(this.scale, 0, 0, this.scale, x, y);
      context.drawImage(layer.image, layer.x, layer.y, layer.width, layer.height);
      context.restore();
    }
  }

  clearOverlay() {
    const [across, down] = this.size;
    this.overlay.getContext("2d").clearRect(0, 0, across, down);
  }

  // Draws the mask for rows [top, bottom) of the photo; a screen pixel is marked where any pixel
  // of the photo under it is hidden, so that a scratch stays visible in a small view.
  drawOverlay(mask, rows) {
    const [across, down] = this.size;
    const first = clamp(Math.floor((rows[0] - this.top) * this.scale) - 2, 0, down);
    const end = clamp(Math.ceil((rows[1] - this.top) * this.scale) + 2, 0, down);
    if (first >= end) return;
    for (let row = first; row < end; row++) this.#cover(mask, row);
    const pixels = new Uint32Array(this.image.data.buffer);
    const [stripe, ground, edge] = COLOURS[this.colour];
    for (let row = first; row < end; row++) {
      const at = row * across;
      for (let x = 0; x < across; x++) {
        const i = at + x;
        pixels[i] = !this.covered[i] ? 0
          : this.#isEdge(i, x, row, across, down) ? edge
            : (x + row) % (2 * HATCH) < HATCH ? stripe : ground;
      }
    }
    const context = this.overlay.getContext("2d");
    context.putImageData(this.image, 0, 0, 0, first, across, end - first);
  }

  #isEdge(i, x, row, across, down) {
    const c = this.covered;
    return (x > 0 && !c[i - 1]) || (x + 1 < across && !c[i + 1])
      || (row > 0 && !c[i - across]) || (row + 1 < down && !c[i + across]);
  }

  #cover(mask, row) {
    const [across] = this.size;
    const { scale, left, covered } = this;
    const at = row * across;
    covered.fill(0, at, at + across);
    const top = Math.max(0, Math.floor(this.top + row / scale));
    const bottom = Math.min(mask.height, Math.max(top + 1, Math.ceil(this.top + (row + 1) / scale)));
    if (this.top + (row + 1) / scale <= 0) return;
    const step = scale >= 1 ? Math.floor(this.top + (row + 0.5) / scale) : -1;
    for (let y = scale >= 1 ? step : top; y < (scale >= 1 ? step + 1 : bottom); y++) {
      if (y < 0 || y >= mask.height || mask.first[y] < 0) continue;
      const begin = clamp(Math.floor((mask.first[y] - left) * scale), 0, across);
      const end = clamp(Math.ceil((mask.last[y] + 1 - left) * scale), 0, across);
      const base = y * mask.width;
      for (let x = begin; x < end; x++) {
        if (covered[at + x]) continue;
        if (scale >= 1) {
          const column = Math.floor(left + (x + 0.5) / scale);
          if (column >= 0 && column < mask.width) covered[at + x] = mask.bits[base + column];
          continue;
        }
        let column = Math.max(0, Math.floor(left + x / scale));
        const stop = Math.min(mask.width, Math.ceil(left + (x + 1) / scale));
        for (; column < stop; column++) {
          if (mask.bits[base + column]) {
            covered[at + x] = 1;
            break;
          }
        }
      }
    }
  }
}

export function clamp(value, least, most) {
  return Math.max(least, Math.min(most, value));
}
