// What is said beside the photo: remarks, errors, how far a round is, how much is hidden.

const $ = (id) => document.getElementById(id);
const NEARLY_ALL = 0.95;

export function say(text) {
  $("said").textContent = text;
}

export function failed(error, actions = []) {
  const box = $("error");
  const text = document.createElement("p");
  text.textContent = error.message ?? String(error);
  const buttons = actions.map(([name, work]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", () => {
      clearError();
      work();
    });
    return button;
  });
  box.replaceChildren(text, ...buttons);
  box.hidden = false;
  box.focus();
}

export function clearError() {
  $("error").hidden = true;
  $("error").replaceChildren();
}

export function progress(value, text = "", of = 1) {
  const bar = $("progress");
  bar.hidden = value === undefined;
  bar.max = of;
  if (value === null) bar.removeAttribute("value");
  else bar.value = value ?? 0;
  if (text) say(text);
}

export function shareOf(mask) {
  if (!mask) return "No photo yet.";
  if (!mask.count) return "No hole yet: paint what is to be filled in.";
  const share = mask.count / mask.bits.length;
  const pixels = `${mask.count.toLocaleString("en")} pixel${mask.count === 1 ? "" : "s"}`;
  const advice = share > NEARLY_ALL ? ". Nearly all is hidden: invert?" : "";
  return `${percent(share)} hidden (${pixels})${advice}`;
}

function percent(share) {
  const value = 100 * share;
  return `${value > 0 && value < 0.1 ? "below 0.1" : value.toFixed(1)} %`;
}
