// The editor in a notebook: ten lines between it and the traits of the widget.

import { Editor, TOOLS } from "./editor.js";
import { nextRadius } from "./input.js";
import { Mask } from "./mask.js";

function render({ model, el }) {
  const bar = document.createElement("div");
  const stage = document.createElement("div");
  bar.className = "inpaint-bar";
  stage.className = "inpaint-stage";
  el.classList.add("inpaint-paint");
  el.append(bar, stage);
  const share = document.createElement("output");
  const editor = new Editor(stage, { changed() {
    const { mask } = editor;
    const percent = (100 * mask.count) / mask.bits.length;
    const words = percent > 0 && percent < 0.1 ? "below 0.1" : percent.toFixed(1);
    share.textContent = `${words} % hidden`;
    clearTimeout(editor.keeping);
    editor.keeping = setTimeout(() => {
      model.set("packed", new DataView(mask.packed().buffer));
      model.save_changes();
    }, 300);
  } });
  editor.canvas.tabIndex = 0;
  editor.canvas.setAttribute("role", "application");
  editor.canvas.setAttribute("aria-label", "Photo. Arrow keys move the crosshair, Enter paints.");
  const button = (name, work) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = name;
    made.addEventListener("click", work);
    bar.append(made);
    return made;
  };
  const tools = TOOLS.map((tool) => button(tool, () => {
    editor.setTool(tool);
    for (const one of tools) one.ariaPressed = String(one.textContent === tool);
  }));
  tools[0].ariaPressed = "true";
  button("smaller", () => editor.setRadius(nextRadius(editor.radius, -3)));
  button("larger", () => editor.setRadius(nextRadius(editor.radius, 3)));
  button("undo", () => editor.undo());
  button("redo", () => editor.redo());
  button("clear", () => editor.change((mask) => mask.clear()));
  button("fit", () => editor.fit());
  bar.append(share);
  open(model, editor);
}

async function open(model, editor) {
  const [width, height] = [model.get("width"), model.get("height")];
  const blob = new Blob([model.get("photo")], { type: model.get("kind") });
  editor.open(await createImageBitmap(blob), width, height);
  const { buffer, byteOffset, byteLength } = model.get("packed");
  if (byteLength) {
    const packed = new Uint8Array(buffer, byteOffset, byteLength);
    editor.change((mask) => mask.replace(Mask.unpacked(packed, width * height)));
  }
}

export default { render };
