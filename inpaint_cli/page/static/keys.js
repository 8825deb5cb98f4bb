// The keys of the page. Tab is never taken; single keys can be switched off (WCAG 2.1.4).

const $ = (id) => document.getElementById(id);

const LIST = [
  ["B, E, R, L", "brush, eraser, box, lasso"],
  ["[ and ], or Alt + wheel", "smaller and larger brush"],
  ["right button, or Alt + drag", "the opposite: erase with the brush, paint with the eraser"],
  ["Shift + click", "a straight stroke from the last point"],
  ["Ctrl + Z", "undo"],
  ["Ctrl + Shift + Z, or Ctrl + Y", "redo"],
  ["Space + drag, or middle button", "move the photo"],
  ["wheel, + and −", "zoom"],
  ["0, and Z", "the whole photo, and 1:1"],
  ["Ctrl + Enter, or Shift + R", "complete"],
  ["1 to 9", "show the completion of this number"],
  ["arrows, in the gallery", "the next completion"],
  ["M, V, C, U", "mask, completion, compare, uncertainty"],
  ["hold \\", "the photo as it was"],
  ["Ctrl + S", "save all"],
  ["Esc", "end a stroke that is not finished"],
  ["? or H", "this list"],
  ["On the photo: arrows", "move the crosshair by a pixel; with Shift by the brush's radius"],
  ["On the photo: Enter", "paint there, with Shift in a straight line; first and second corner of "
    + "a box; corners of a lasso, twice at one place closes it"],
];

// commands: name -> function. Names are what LIST tells.
export class Keys {
  constructor(commands) {
    this.commands = commands;
    for (const [key, what] of LIST) {
      const [term, text] = [document.createElement("dt"), document.createElement("dd")];
      term.textContent = key;
      text.textContent = what;
      $("key-list").append(term, text);
    }
    $("keys-on").checked = localStorage.getItem("single-keys") !== "off";
    $("keys-on").addEventListener("change", () => {
      localStorage.setItem("single-keys", $("keys-on").checked ? "on" : "off");
    });
    addEventListener("keydown", (event) => this.#down(event));
    addEventListener("keyup", (event) => {
      if (event.key === "\\") commands.original(false);
    });
    addEventListener("blur", () => commands.original(false));
  }

  #down(event) {
    if (document.querySelector("dialog[open]")) return;
    const name = event.ctrlKey || event.metaKey ? withControl(event) : this.#single(event);
    if (!name) return;
    const [command, ...words] = name;
    event.preventDefault();
    this.commands[command](...words);
  }

  #single(event) {
    if (event.altKey || inField(event.target) || !$("keys-on").checked) return null;
    if (event.shiftKey && event.key === "R") return ["complete"];
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (/^[1-9]$/.test(key)) return ["choose", Number(key)];
    return {
      b: ["tool", "brush"], e: ["tool", "eraser"], r: ["tool", "box"], l: ["tool", "lasso"],
      "[": ["size", -1], "]": ["size", 1],
      "+": ["zoom", 1.25], "=": ["zoom", 1.25], "-": ["zoom", 0.8],
      0: ["fit"], z: ["oneToOne"],
      m: ["view", "mask"], v: ["view", "completion"], c: ["view", "compare"],
      u: ["view", "uncertainty"], "\\": ["original", true], "?": ["keys"], h: ["keys"],
    }[key];
  }
}

function withControl(event) {
  if (event.altKey) return null;
  const key = event.key.toLowerCase();
  // In a field, undo and redo are the field's own.
  if (key === "z" && !typing(event.target)) return [event.shiftKey ? "redo" : "undo"];
  if (key === "y" && !typing(event.target)) return ["redo"];
  return { enter: ["complete"], s: ["save"] }[key];
}

function typing(element) {
  return element.matches?.("textarea, input:not([type=range], [type=radio], [type=checkbox])");
}

function inField(element) {
  return typing(element) || element.matches?.("select");
}
