// Rounds and their completions: the gallery, the chosen one, saving.

const $ = (id) => document.getElementById(id);
const KEPT_PATCHES = 12;

export class Rounds {
  // on: {show(), said(text), failed(error, actions), opened(state), again()}
  constructor(server, editor, on) {
    Object.assign(this, { server, editor, on });
    this.list = [];
    this.current = null;
    this.patches = new Map(); // "round/index" -> ImageBitmap
    this.version = 0; // of the photo that is open
    $("tiles").addEventListener("keydown", (event) => this.#key(event));
    $("earlier").addEventListener("click", () => this.#turn(-1));
    $("later").addEventListener("click", () => this.#turn(1));
    $("likeliest").addEventListener("change", () => this.draw());
    $("save").addEventListener("click", () => this.save());
    $("download").addEventListener("click", () => this.download());
    $("continue").addEventListener("click", () => this.goOn());
    $("again").addEventListener("click", () => on.again());
    $("to-mask").addEventListener("click", () => on.show("mask"));
    $("copy").addEventListener("click", () => this.copy());
  }

  get unsaved() {
    return this.list.some((round) => round.state === "done" && !round.saved);
  }

  // Takes a round as the server tells it; its completions come by `add`.
  take(summary) {
    const chosen = summary.saved?.chosen ?? null; // another save would forget it
    const picked = chosen !== null;
    const round = { ...summary, tiles: [], index: chosen ?? 0, picked, map: null };
    this.list = this.list.filter((other) => other.round !== round.round);
    this.list.push(round);
    this.current = round;
    this.draw();
    return round;
  }

  drop(round) {
    this.list = this.list.filter((other) => other !== round);
    this.current = this.list.at(-1) ?? null;
    this.draw();
  }

  // Lets go of rounds that the server has forgotten.
  keep(numbers) {
    this.list = this.list.filter((round) => numbers.includes(round.round));
    this.draw();
  }

  async add(round, event) {
    const url = await this.server.address(
      `/api/rounds/${round.round}/${event.index}/preview.png`,
    );
    round.tiles[event.index] = { ...event, url };
    this.draw();
  }

  // Shows a completion; picked: by the user, not as the first of a round.
  async choose(index, picked = true) {
    const round = this.current;
    if (!round?.tiles[index] || round.state !== "done") return;
    round.index = index;
    round.picked ||= picked;
    this.draw();
    const { editor } = this;
    const { edition } = editor.mask;
    await this.#toEditor(round);
    // Who has begun to paint meanwhile goes on seeing the mask.
    const painting = !picked && (editor.stroke || editor.mask.edition !== edition);
    if (editor.mode === "mask") this.on.show(painting ? "mask" : "completion");
    else this.editor.redraw(true);
  }

  // Whether the current round is of the photo that is seen.
  get fits() {
    return this.current?.state === "done" && this.current.version === this.version;
  }

  async #toEditor(round) {
    if (!this.fits) {
      this.editor.completion = this.editor.uncertainty = null;
      this.on.show("mask");
      return;
    }
    const key = `${round.round}/${round.index}`;
    if (!this.patches.has(key)) {
      this.patches.set(key, await this.server.picture(`/api/rounds/${key}/patch.png`));
      const oldest = this.patches.keys().next().value;
      if (this.patches.size > KEPT_PATCHES) this.patches.delete(oldest);
    }
    if (round !== this.current || key !== `${round.round}/${round.index}`) return;
    const [x, y, width, height] = round.box;
    this.editor.completion = { image: this.patches.get(key), x, y, width, height };
    this.editor.uncertainty = round.map;
  }

  async showMap() {
    const round = this.current;
    if (!round.map) {
      const image = await this.server.picture(`/api/rounds/${round.round}/uncertainty.png`);
      const [x, y, width, height] = round.box;
      round.map = { image, x, y, width, height };
    }
    this.editor.uncertainty = round.map;
    this.editor.redraw(true);
  }

  async #turn(by) {
    const at = this.list.indexOf(this.current) + by;
    if (!this.list[at]) return;
    this.current = this.list[at];
    this.draw();
    await this.#toEditor(this.current);
    this.editor.redraw(true);
    this.on.show(this.fits ? "completion" : "mask");
  }

  get order() {
    const tiles = this.current.tiles.filter(Boolean);
    if ($("likeliest").checked) tiles.sort((a, b) => b.log_prob - a.log_prob || a.index - b.index);
    return tiles;
  }

  #key(event) {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!by || event.ctrlKey || event.metaKey || this.current.state !== "done") return;
    event.preventDefault();
    const order = this.order.map((tile) => tile.index);
    const at = order.indexOf(this.current.index) + by;
    this.choose(order[(at + order.length) % order.length]);
    $("tiles").querySelector("[aria-checked=true]").focus();
  }

  // Drawing

  draw() {
    const round = this.current;
    $("gallery").hidden = !round;
    $("chosen").hidden = round?.state !== "done";
    if (!round) return;
    const at = this.list.indexOf(round);
    $("round-title").textContent = `Round ${round.round}: ${round.model}, seed ${round.seed}`;
    $("earlier").disabled = at <= 0;
    $("later").disabled = at + 1 >= this.list.length;
    $("likeliest-field").hidden = !round.tiles.some((tile) => tile?.log_prob !== null);
    this.#drawTiles(round);
    this.maskChanged();
    if (round.state === "done") this.#drawChosen(round);
  }

  maskChanged() {
    const round = this.current;
    if (!round) return;
    const other = round.version !== this.version;
    const differs = this.editor.mask && round.mask !== this.editor.mask.key;
    $("other-mask").hidden = !other && !differs;
    $("other-mask").textContent = other
      ? `made of another photo: ${round.photo}`
      : "made with another mask; Save saves that one";
  }

  #drawTiles(round) {
    const box = $("tiles");
    const had = box.contains(document.activeElement);
    const tiles = this.order.map((tile) => this.#tile(round, tile));
    const waiting = round.state === "running" ? round.n - tiles.length : 0;
    for (let i = 0; i < waiting; i++) {
      const place = document.createElement("div");
      place.className = "tile waiting";
      tiles.push(place);
    }
    box.replaceChildren(...tiles);
    if (had) box.querySelector("[aria-checked=true]")?.focus();
  }

  #tile(round, tile) {
    const chosen = tile.index === round.index && round.state === "done";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "tile";
    button.setAttribute("role", "radio");
    button.setAttribute("aria-checked", String(chosen));
    button.setAttribute("aria-label", spoken(tile, round));
    button.tabIndex = chosen ? 0 : -1;
    button.disabled = round.state !== "done";
    const image = document.createElement("img");
    image.src = tile.url;
    image.alt = "";
    const caption = document.createElement("span");
    caption.textContent = [`${tile.index}${chosen ? " ✓ chosen" : ""}`, ...lines(tile)].join("\n");
    button.append(image, caption);
    button.addEventListener("click", () => this.choose(tile.index));
    return button;
  }

  #drawChosen(round) {
    const tile = round.tiles[round.index];
    if (!tile) return;
    $("chosen-title").textContent = `Completion ${tile.index}`;
    const facts = [`seed ${round.seed}`];
    if (tile.log_prob !== null) {
      facts.push(`${nats(tile)}, ${tile.per_value} a value`);
    }
    $("chosen-facts").textContent = [...facts, ...tile.words].join("; ");
    $("command").value = round.command ?? "";
    $("save").textContent = round.saved ? "Save again" : "Save all";
    this.#drawSaved(round.saved);
  }

  #drawSaved(saved) {
    $("saved").hidden = !saved;
    if (!saved) return;
    const count = saved.files.length;
    $("saved").textContent = `Saved in ${saved.folder}: ${count} completion${count > 1 ? "s" : ""}, `
      + `${basename(saved.sheet)}, ${basename(saved.mask)}, completions.json`;
  }

  // What can be done with the chosen one

  // round: the one that was asked about, which another may have followed since.
  async save(how = {}, round = this.current) {
    if (round?.state !== "done") return;
    $("save").disabled = true;
    this.on.said("saving…");
    try {
      const chosen = round.picked ? round.index : null;
      const path = `/api/rounds/${round.round}/save`;
      round.saved = await this.server.json("POST", path, { chosen, ...how });
      round.command = round.saved.command;
      this.on.said(round.saved.notes.join("\n"));
    } catch (error) {
      const actions = [];
      const { elsewhere, replaceable } = error.answer ?? {};
      if (elsewhere) {
        actions.push([`Save in ${elsewhere}`, () => this.save({ elsewhere: true }, round)]);
      }
      if (replaceable) actions.push(["Replace it", () => this.save({ replace: true }, round)]);
      this.on.said("");
      this.on.failed(error, actions);
    }
    $("save").disabled = false;
    this.draw();
  }

  async download() {
    const round = this.current;
    if (round?.state !== "done") return;
    try {
      const name = await this.server.download(`/api/rounds/${round.round}/${round.index}/file`);
      this.on.said(`${name} is in your downloads.`);
    } catch (error) {
      this.on.failed(error);
    }
  }

  async goOn() {
    const round = this.current;
    if (round?.state !== "done") return;
    try {
      const path = `/api/rounds/${round.round}/continue`;
      await this.on.opened(await this.server.json("POST", path, { index: round.index }));
    } catch (error) {
      this.on.failed(error);
    }
  }

  async copy() {
    const field = $("command");
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      field.focus();
      field.select();
      this.on.said("Ctrl + C copies the command.");
      return;
    }
    this.on.said("the command is copied.");
  }
}

function lines(tile) {
  return [...(tile.log_prob === null ? [] : [nats(tile)]), ...tile.words];
}

function nats(tile) {
  return `${tile.bound ? "≥ " : ""}${tile.log_prob.toFixed(1)} nats`;
}

function spoken(tile, round) {
  const name = `Completion ${tile.index} of ${round.n}`;
  if (tile.log_prob === null) return [name, ...tile.words].join(", ");
  const bound = tile.bound ? "at least " : "";
  return [`${name}, log-likelihood ${bound}${tile.log_prob.toFixed(1)} nats`, ...tile.words]
    .join(", ");
}

function basename(path) {
  return path.split("/").at(-1);
}
