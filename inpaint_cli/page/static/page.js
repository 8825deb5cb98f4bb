// The page: its controls, what they do, and what is said.

import { Editor, TOOLS } from "./editor.js";
import { nextRadius } from "./input.js";
import { Keys } from "./keys.js";
import { Mask } from "./mask.js";
import { Rounds } from "./rounds.js";
import { clearError, failed, progress, say, shareOf } from "./said.js";
import { ELSEWHERE, Server } from "./server.js";
import { Settings } from "./settings.js";
import { MOST_RADIUS } from "./view.js";

const $ = (id) => document.getElementById(id);
const KEEP_MS = 1200; // after a change, the mask is sent to be there after a reload
const NEEDS_PHOTO = "#invert, #clear, #save-mask, #load-mask, #tools form button";

const server = new Server({
  lost: (error) => {
    failed(error);
    maskChanged();
  },
  found: (refused) => {
    maskChanged(); // what was painted meanwhile is sent
    if (refused) {
      failed(refused);
      return;
    }
    clearError();
    say("inpaint answers again.");
  },
  elsewhere: () => {
    taken = true;
    lock(true);
    failed(ELSEWHERE);
  },
});
const editor = new Editor($("canvases"), {
  changed: maskChanged,
  moved: viewMoved,
  cursor: sayCursor,
  paint: () => setView("mask"),
});
editor.canvas.id = "photo-canvas";
editor.canvas.tabIndex = 0;
editor.canvas.setAttribute("role", "application");
editor.canvas.setAttribute("aria-label",
  "Photo. Arrow keys move the crosshair, Enter paints there, Shift with Enter paints a straight "
  + "line. A box takes two corners.");
editor.canvas.setAttribute("aria-describedby", "share");
const rounds = new Rounds(server, editor, {
  show: setView, said: say, failed, opened, again: () => { settings.newSeed(); complete(); },
});
let settings = null;
let photo = null;
let running = null;
let keeping = 0;
let taken = false; // by another tab

start();

async function start() {
  try {
    const state = await server.enter();
    settings = new Settings(state);
    wire();
    await opened(state, true);
    // All have their place before the first is fetched: a new one may follow meanwhile.
    const known = state.rounds.map((summary) => rounds.take(
      { ...summary, mask: summary.painted ? editor.mask.key : null },
    ));
    for (const round of known) await restore(round);
  } catch (error) {
    failed(error);
  }
}

async function restore(round) {
  if (round.state === "running") follow(round);
  else {
    for await (const event of server.news(round.round)) {
      if (event.event === "previewed") await rounds.add(round, event);
    }
    if (round === rounds.current) await rounds.choose(round.index, false);
  }
}

// Photo

async function opened(state, kept = false) {
  photo = state.photo;
  $("empty").hidden = photo !== null;
  $("views").hidden = photo === null;
  document.body.classList.toggle("no-photo", photo === null);
  if (!photo) return;
  rounds.version = photo.version;
  $("photo-name").textContent = `${photo.name}, ${photo.width} × ${photo.height}`;
  document.title = `${photo.name} – inpaint`;
  // Both come first: a mask that came later would take the place of what was painted by then.
  const image = await server.picture("/api/photo");
  const packed = kept ? await server.bytes("GET", "/api/mask") : null;
  editor.open(image, photo.width, photo.height);
  server.sent = editor.mask.edition;
  server.photo = photo.version;
  if (packed) takeMask(packed, true);
  settings.photoIs(photo.grey);
  setView("mask");
  rounds.draw();
  say(photo.notes.join("\n"));
}

// Opens the first of some files.
async function openFile(files) {
  const [[file], count] = [files, files.length];
  if (!count) return;
  if (editor.locked) {
    failed(taken ? ELSEWHERE : "a round is being drawn. Wait for it, or cancel it; then open a photo.");
    return;
  }
  clearError();
  say(`opening ${file.name}…`);
  try {
    const headers = { "X-Name": encodeURIComponent(file.name) };
    const answer = await server.ask("POST", "/api/photo", file, headers);
    await opened(await answer.json());
    if (count > 1) say([`the first of ${count} files is opened`, ...photo.notes].join("\n"));
  } catch (error) {
    say("");
    failed(error);
  }
}

// Mask

function takeMask(packed, fresh = false) {
  const { mask } = editor;
  const bits = Mask.unpacked(packed, mask.bits.length);
  editor.change((one) => one.replace(bits));
  if (fresh) mask.done = [];
  editor.redraw(true);
  server.sent = mask.edition;
}

function maskChanged() {
  const { mask } = editor;
  const none = !mask || mask.count === 0;
  $("share").textContent = shareOf(mask);
  $("complete").disabled = none || running !== null || server.lost;
  $("undo").disabled = !mask?.done.length;
  $("redo").disabled = !mask?.undone.length;
  for (const button of document.querySelectorAll(NEEDS_PHOTO)) button.disabled = !mask;
  rounds?.maskChanged();
  clearTimeout(keeping);
  // What is being painted goes when it is finished.
  if (mask) keeping = setTimeout(() => editor.stroke || sendMask().catch(kept), KEEP_MS);
}

// That nobody answers was told already.
function kept(error) {
  if (error.status !== 0) failed(error);
}

async function sendMask() {
  clearTimeout(keeping);
  if (editor.mask && !editor.locked) await server.putMask(editor.mask);
}

// Changes the mask by the server; the answer is the new one.
async function byServer(path, body, headers) {
  if (!editor.mask || editor.locked) return;
  clearError();
  setView("mask");
  try {
    await sendMask();
    await server.makeMask(path, body, headers, takeMask);
  } catch (error) {
    failed(error);
  }
}

async function loadMask(file, resize = false) {
  if (!file || !editor.mask) return;
  clearError();
  setView("mask");
  const headers = { "X-Name": encodeURIComponent(file.name) };
  try {
    const path = `/api/mask/file?resize=${Number(resize)}`;
    say(await server.makeMask(path, file, headers, takeMask));
  } catch (error) {
    const scale = /the mask has \d+x\d+ pixels/.test(error.message)
      ? [["Scale it", () => loadMask(file, true)]] : [];
    failed(error, scale);
  }
}

async function saveMask() {
  try {
    await sendMask();
    say(`${await server.download("/api/mask.png")} is in your downloads.`);
  } catch (error) {
    failed(error);
  }
}

// Rounds

async function complete() {
  if ($("complete").disabled || editor.locked) return;
  clearError();
  try {
    const order = settings.order();
    lock(true); // what is painted from now on would not be in the mask of the round
    await server.putMask(editor.mask);
    const { round } = await server.json("POST", "/api/rounds", order);
    const [left, top, right, bottom] = editor.mask.bounds();
    follow(rounds.take({
      ...order, round, state: "running", photo: photo.name, version: photo.version,
      box: [left, top, right - left, bottom - top], saved: null, mask: editor.mask.key,
    }));
  } catch (error) {
    lock(false);
    failed(error);
  }
}

async function follow(round) {
  running = round;
  lock(true);
  setView("mask");
  progress(null, `loading ${round.model}…`);
  await heard(round);
  running = null;
  lock(false);
  progress();
  if (round.state !== "done") {
    rounds.drop(round);
    return;
  }
  await rounds.choose(0, false);
  // What comes next is in sight, also in a low window.
  $("settings").scrollTop = $("chosen").offsetTop - $("settings").offsetTop - 60;
}

// Takes the news of a round to its end. While nobody answers the round goes on: its news is waited
// for.
async function heard(round) {
  let count = 0;
  for (;;) {
    try {
      for await (const event of server.news(round.round, count)) {
        await happened(round, event);
        count += 1;
      }
      return;
    } catch (error) {
      if (error.status !== 0) {
        failed(error);
        return;
      }
      await server.back;
    }
  }
}

async function happened(round, event) {
  const done = round.tiles.filter(Boolean).length;
  if (event.event === "compiling") {
    progress(null, "making machine code for this processor, once: about half a minute…");
  } else if (event.event === "drawn" && !done) progress(0, "drawing…", round.n);
  else if (event.event === "previewed") {
    await rounds.add(round, event);
    progress(done + 1, `${done + 1} of ${round.n} drawn`, round.n);
  } else if (event.event === "done") {
    const { rounds: all } = await server.json("GET", "/api/state");
    Object.assign(round, all.find((one) => one.round === round.round));
    rounds.keep(all.map((one) => one.round));
    say([`done in ${event.seconds} s.`, ...event.notes].join("\n"));
  } else if (event.event === "cancelled") {
    say("cancelled; nothing was kept.");
  } else if (event.event === "failed") {
    say("");
    failed(event.message);
  }
}

function lock(wanted) {
  const locked = wanted || taken;
  editor.cancel();
  editor.locked = locked;
  editor.redraw();
  document.body.classList.toggle("running", running !== null);
  $("complete").hidden = running !== null;
  $("cancel").hidden = running === null;
  for (const control of document.querySelectorAll("#tools button, #tools input, #tools select")) {
    control.inert = locked;
  }
  $("open").inert = locked;
  if (!locked) maskChanged();
}

// Views

function setView(mode) {
  const possible = mode === "mask" || (rounds.fits && editor.completion !== null
    && (mode !== "uncertainty" || rounds.current.n > 1));
  const chosen = possible ? mode : "mask";
  for (const radio of document.getElementsByName("view")) {
    radio.checked = radio.value === chosen;
    radio.disabled = radio.value !== "mask" && !(rounds.fits && editor.completion !== null
      && (radio.value !== "uncertainty" || rounds.current.n > 1));
  }
  $("compare-field").hidden = chosen !== "compare";
  $("legend").hidden = chosen !== "uncertainty";
  if (chosen === "uncertainty") {
    $("legend-text").textContent = `dark 0, bright ${rounds.current.top} of 255 or more`;
    rounds.showMap().catch(failed);
  }
  editor.show(chosen);
}

function viewMoved() {
  $("zoom").textContent = `${editor.zoom < 0.1 ? (100 * editor.zoom).toFixed(1)
    : Math.round(100 * editor.zoom)} %`;
  $("compare").value = Math.round(100 * editor.share);
  showSize();
}

function sayCursor() {
  const [x, y] = editor.crosshair ?? [0, 0];
  const hidden = editor.mask.bits[y * editor.mask.width + x] ? "hidden" : "visible";
  $("hint").hidden = false;
  $("hint").textContent = `${x}, ${y}: ${hidden}`;
}

function setTool(tool) {
  editor.setTool(tool);
  setView("mask");
  for (const button of document.querySelectorAll("[data-tool]")) {
    const pressed = button.dataset.tool === tool;
    button.setAttribute("aria-pressed", String(pressed));
    button.tabIndex = pressed ? 0 : -1;
  }
}

// The slider is logarithmic: 0 to 100 is a radius of 0 to 1000.
function showSize() {
  $("size-shown").textContent = `${2 * editor.radius + 1} px`;
  $("size").value = Math.round((100 * Math.log1p(editor.radius)) / Math.log1p(MOST_RADIUS));
}

function setSize(radius) {
  editor.setRadius(radius);
  showSize();
}

// Wiring

function wire() {
  wireTools();
  wirePhoto();
  $("complete").addEventListener("click", complete);
  $("cancel").addEventListener("click", () => {
    if (running) server.json("DELETE", `/api/rounds/${running.round}`).catch(failed);
  });
  for (const radio of document.getElementsByName("view")) {
    radio.addEventListener("change", () => setView(radio.value));
  }
  $("compare").addEventListener("input", () => {
    editor.share = $("compare").value / 100;
    editor.redraw(true);
  });
  $("zoom-in").addEventListener("click", () => editor.zoomBy(1.25));
  $("zoom-out").addEventListener("click", () => editor.zoomBy(0.8));
  $("fit").addEventListener("click", () => editor.fit());
  $("one-to-one").addEventListener("click", () => editor.zoomTo(editor.ratio));
  $("keys").addEventListener("click", () => $("keys-dialog").showModal());
  $("quit").addEventListener("click", quit);
  new Keys({
    tool: setTool,
    size: (by) => setSize(nextRadius(editor.radius, by)),
    undo: () => editor.undo(),
    redo: () => editor.redo(),
    zoom: (by) => editor.zoomBy(by),
    fit: () => editor.fit(),
    oneToOne: () => editor.zoomTo(editor.ratio),
    complete,
    choose: (index) => rounds.choose(index),
    view: setView,
    original: (on) => {
      if (editor.original === on) return;
      editor.original = on;
      editor.redraw(true);
    },
    save: () => rounds.save(),
    keys: () => $("keys-dialog").showModal(),
  });
  addEventListener("beforeunload", (event) => {
    if (quitting) return;
    // What was just painted goes along, so that a reload shows it; asked where that cannot be.
    const kept = !editor.mask || editor.locked || server.sendLast(editor.mask);
    if (rounds.unsaved || !kept) event.preventDefault();
  });
  showSize();
  maskChanged();
}

function wireTools() {
  for (const button of document.querySelectorAll("[data-tool]")) {
    button.addEventListener("click", () => setTool(button.dataset.tool));
  }
  $("tool-bar").addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    setTool(TOOLS[(TOOLS.indexOf(editor.tool) + by + TOOLS.length) % TOOLS.length]);
    document.querySelector("[data-tool][aria-pressed=true]").focus();
  });
  $("size").addEventListener("input", () => {
    setSize(Math.expm1(($("size").value / 100) * Math.log1p(MOST_RADIUS)));
  });
  const edits = {
    undo: () => editor.undo(),
    redo: () => editor.redo(),
    invert: () => editor.change((mask) => mask.invert()),
    clear: () => editor.change((mask) => mask.clear()),
  };
  for (const [id, work] of Object.entries(edits)) {
    $(id).addEventListener("click", () => {
      setView("mask");
      work();
    });
  }
  $("load-mask").addEventListener("click", () => $("mask-file").click());
  $("mask-file").addEventListener("change", () => {
    loadMask($("mask-file").files[0]);
    $("mask-file").value = "";
  });
  $("save-mask").addEventListener("click", saveMask);
  $("mask-colour").addEventListener("change", () => {
    editor.view.colour = $("mask-colour").value;
    editor.redraw(true);
  });
  onSubmit("grow-form", () => byServer("/api/mask/grow", JSON.stringify({ px: Number($("grow").value) })));
  onSubmit("box-form", (form) => {
    clearError();
    setView("mask");
    const numbers = ["x", "y", "w", "h"].map((name) => Number(form.get(name)));
    const { width, height } = editor.mask;
    if (numbers[0] < width && numbers[1] < height) editor.box(...numbers);
    else failed(`the box holds no pixel of the photo, which has ${width} × ${height}.`);
  });
  onSubmit("draw-form", (form) => byServer("/api/mask/draw", JSON.stringify({
    kind: form.get("kind"), seed: Number(form.get("seed")), model: settings.model.name,
  })));
}

function onSubmit(id, work) {
  $(id).addEventListener("submit", (event) => {
    event.preventDefault();
    work(new FormData($(id)));
  });
}

function wirePhoto() {
  for (const id of ["open", "open-empty"]) {
    $(id).addEventListener("click", () => $("open-file").click());
  }
  $("open-file").addEventListener("change", () => {
    openFile($("open-file").files);
    $("open-file").value = "";
  });
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  for (const name of ["dragleave", "drop"]) {
    addEventListener(name, () => document.body.classList.remove("dropping"));
  }
  addEventListener("drop", (event) => {
    event.preventDefault();
    const { files } = event.dataTransfer;
    if (files.length) openFile(files);
    else failed("what was dropped is no file. Save the picture as a file, and open that.");
  });
  addEventListener("paste", (event) => openFile(event.clipboardData.files));
}

let quitting = false;

async function quit() {
  if (rounds.unsaved && !confirm("Rounds are not saved. Quit all the same?")) return;
  quitting = true;
  await server.json("POST", "/api/quit", {}).catch(() => {});
  document.body.replaceChildren("inpaint has ended. You can close this tab.");
}
