// The mask: one byte a pixel at the photo's full size, 1 = fill in. It is drawn here and never read
// back from a canvas, whose edges are soft and whose pixels some browsers change.

const KEPT_BYTES = 256 * 1024 * 1024; // of what undo and redo need together
const PRIME = 16777619; // of the hash FNV-1a

let editions = 0; // changes of all masks so far

export class Mask {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.bits = new Uint8Array(width * height);
    this.before = new Uint8Array(width * height); // as it was when the last step was finished
    this.first = new Int32Array(height).fill(-1); // first and last hidden column of each row
    this.last = new Int32Array(height).fill(-1);
    this.counts = new Int32Array(height);
    this.hashes = new Int32Array(height); // of the pixels of each row
    this.count = 0;
    this.edition = ++editions; // another number after every change, and for every mask
    this.undone = [];
    this.done = [];
    this.changed = null; // the rectangle [left, top, right, bottom) changed since the last step
    this.dirty = null; // rows [top, bottom) whose bounds are to be found again
  }

  // A stroke's piece: all pixels whose centre is at most `radius` from the segment between the
  // centres of two pixels; half a pixel where the radius is 0, so that a thin line has no gaps.
  capsule(x0, y0, x1, y1, radius, value) {
    const reach = Math.max(radius, 0.5);
    const inside = insideCapsule(x0, y0, x1, y1, reach);
    const top = Math.max(0, Math.ceil(Math.min(y0, y1) - reach));
    const bottom = Math.min(this.height - 1, Math.floor(Math.max(y0, y1) + reach));
    const span = Math.abs(x1 - x0) + 2 * Math.ceil(reach) + 2;
    for (let y = top; y <= bottom; y++) {
      const x = nearestColumn(x0, y0, x1, y1, y);
      if (!inside(x, y)) continue;
      const left = edge((d) => inside(x - d, y), span);
      const right = edge((d) => inside(x + d, y), span);
      this.run(y, x - left, x + right + 1, value);
    }
  }

  // The inside of a polygon by the even-odd rule, at the centres of pixels.
  polygon(points, value) {
    const ys = points.map((p) => p[1]);
    const top = Math.max(0, Math.floor(Math.min(...ys)));
    const bottom = Math.min(this.height - 1, Math.ceil(Math.max(...ys)));
    for (let y = top; y <= bottom; y++) {
      const crossings = crossingsOf(points, y + 0.5);
      for (let i = 0; i + 1 < crossings.length; i += 2) {
        // Centres x + 0.5 in [crossing, next crossing).
        this.run(y, Math.ceil(crossings[i] - 0.5), Math.ceil(crossings[i + 1] - 0.5), value);
      }
    }
  }

  box(x, y, width, height, value) {
    for (let row = Math.max(0, y); row < Math.min(this.height, y + height); row++) {
      this.run(row, x, x + width, value);
    }
  }

  // Columns [start, end) of a row.
  run(y, start, end, value) {
    const left = Math.max(0, start);
    const right = Math.min(this.width, end);
    if (left >= right) return;
    this.bits.fill(value, y * this.width + left, y * this.width + right);
    this.touch(left, y, right, y + 1);
  }

  touch(left, top, right, bottom) {
    this.edition = ++editions;
    const c = this.changed;
    this.changed = c
      ? [Math.min(c[0], left), Math.min(c[1], top), Math.max(c[2], right), Math.max(c[3], bottom)]
      : [left, top, right, bottom];
    const d = this.dirty;
    this.dirty = d ? [Math.min(d[0], top), Math.max(d[1], bottom)] : [top, bottom];
  }

  touchAll() {
    this.touch(0, 0, this.width, this.height);
  }

  invert() {
    for (let i = 0; i < this.bits.length; i++) this.bits[i] ^= 1;
    this.touchAll();
  }

  clear() {
    this.bits.fill(0);
    this.touchAll();
  }

  replace(bits) {
    this.bits.set(bits);
    this.touchAll();
  }

  // Finds the bounds of changed rows again; returns those rows [top, bottom), or null.
  settle() {
    const rows = this.dirty;
    if (!rows) return null;
    for (let y = rows[0]; y < rows[1]; y++) {
      const row = this.bits.subarray(y * this.width, (y + 1) * this.width);
      const first = row.indexOf(1);
      this.first[y] = first;
      this.last[y] = first < 0 ? -1 : row.lastIndexOf(1);
      let n = 0;
      let hash = first;
      if (first >= 0) {
        for (let x = first; x <= this.last[y]; x++) {
          n += row[x];
          hash = Math.imul(hash ^ row[x], PRIME);
        }
      }
      this.count += n - this.counts[y];
      this.counts[y] = n;
      this.hashes[y] = hash;
    }
    this.dirty = null;
    return rows;
  }

  // What tells two masks of one photo apart, without keeping either.
  get key() {
    return this.hashes.reduce((key, hash) => Math.imul(key ^ hash, PRIME), this.count);
  }

  // Ends a step, which undo takes back as a whole; returns whether anything changed.
  commit() {
    if (!this.changed) return false;
    const step = this.#difference(this.changed);
    this.changed = null;
    if (!step) return false;
    this.done.push(step);
    this.undone = [];
    this.#forget();
    return true;
  }

  // Takes back what was changed since the last step.
  revert() {
    if (!this.changed) return;
    const [left, top, right, bottom] = this.changed;
    for (let y = top; y < bottom; y++) {
      const at = y * this.width;
      this.bits.set(this.before.subarray(at + left, at + right), at + left);
    }
    this.touch(left, top, right, bottom);
    this.changed = null;
  }

  undo() {
    return this.#swap(this.done, this.undone);
  }

  redo() {
    return this.#swap(this.undone, this.done);
  }

  // One bit a pixel, row after row without padding, the most significant bit first.
  packed() {
    const { bits } = this;
    const out = new Uint8Array(Math.ceil(bits.length / 8));
    const whole = bits.length >> 3;
    for (let i = 0, p = 0; i < whole; i++, p += 8) {
      out[i] = (bits[p] << 7) | (bits[p + 1] << 6) | (bits[p + 2] << 5) | (bits[p + 3] << 4)
        | (bits[p + 4] << 3) | (bits[p + 5] << 2) | (bits[p + 6] << 1) | bits[p + 7];
    }
    for (let p = whole * 8; p < bits.length; p++) out[p >> 3] |= bits[p] << (7 - (p & 7));
    return out;
  }

  static unpacked(packed, length) {
    const bits = new Uint8Array(length);
    for (let p = 0; p < length; p++) bits[p] = (packed[p >> 3] >> (7 - (p & 7))) & 1;
    return bits;
  }

  bounds() {
    let [left, top, right, bottom] = [this.width, -1, 0, 0];
    for (let y = 0; y < this.height; y++) {
      if (this.first[y] < 0) continue;
      if (top < 0) top = y;
      bottom = y + 1;
      left = Math.min(left, this.first[y]);
      right = Math.max(right, this.last[y] + 1);
    }
    return top < 0 ? null : [left, top, right, bottom];
  }

  // Keeps the rectangle as it was; null where it is as it was.
  #difference([left, top, right, bottom]) {
    const width = right - left;
    const old = new Uint8Array(width * (bottom - top));
    let differs = false;
    for (let y = top; y < bottom; y++) {
      const at = y * this.width;
      const was = this.before.subarray(at + left, at + right);
      const is = this.bits.subarray(at + left, at + right);
      if (!differs) differs = was.some((bit, i) => bit !== is[i]);
      old.set(was, (y - top) * width);
      was.set(is);
    }
    return differs ? { left, top, right, bottom, old } : null;
  }

  #swap(from, to) {
    this.revert();
    const step = from.pop();
    if (!step) return false;
    const { left, top, right, bottom, old } = step;
    const width = right - left;
    for (let y = top; y < bottom; y++) {
      const at = y * this.width + left;
      this.bits.set(old.subarray((y - top) * width, (y - top + 1) * width), at);
    }
    this.touch(left, top, right, bottom);
    this.changed = null;
    to.push(this.#difference([left, top, right, bottom]));
    return true;
  }

  #forget() {
    const size = () => [...this.done, ...this.undone].reduce((sum, s) => sum + s.old.length, 0);
    while (this.done.length > 1 && size() > KEPT_BYTES) this.done.shift();
  }
}

// Whether the centre of a pixel lies in a capsule; exact, since all numbers are whole but `reach`.
function insideCapsule(x0, y0, x1, y1, reach) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const length2 = dx * dx + dy * dy;
  const reach2 = reach * reach;
  return (x, y) => {
    const [px, py] = [x - x0, y - y0];
    const along = px * dx + py * dy;
    if (along <= 0) return px * px + py * py <= reach2;
    if (along >= length2) {
      const [qx, qy] = [x - x1, y - y1];
      return qx * qx + qy * qy <= reach2;
    }
    const across = px * dy - py * dx;
    return across * across <= reach2 * length2;
  };
}

// The column in which a row comes nearest to a segment.
function nearestColumn(x0, y0, x1, y1, y) {
  if (y0 === y1) return y0 === y ? x0 : Math.round((x0 + x1) / 2);
  const share = Math.min(1, Math.max(0, (y - y0) / (y1 - y0)));
  return Math.round(x0 + share * (x1 - x0));
}

// The largest distance at which `inside` holds; it holds at 0 and, further out, never again.
function edge(inside, span) {
  let [low, high] = [0, span];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (inside(middle)) low = middle;
    else high = middle;
  }
  return low;
}

function crossingsOf(points, y) {
  const crossings = [];
  for (let i = 0; i < points.length; i++) {
    const [ax, ay] = points[i];
    const [bx, by] = points[(i + 1) % points.length];
    if (ay <= y !== by <= y) crossings.push(ax + ((y - ay) / (by - ay)) * (bx - ax));
  }
  return crossings.sort((a, b) => a - b);
}
