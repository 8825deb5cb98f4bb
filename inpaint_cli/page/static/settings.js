// What is asked of a model: the fields of the page, built from what the server offers.

const $ = (id) => document.getElementById(id);

export class Settings {
  constructor(state) {
    this.models = state.models;
    for (const model of this.models) $("model").append(new Option(model.name, model.name));
    $("model").value = state.defaults.model;
    $("seed").value = state.defaults.seed;
    this.n = state.defaults.n ?? 8;
    for (const kind of state.kinds) $("kind").append(new Option(kind, kind));
    $("kind").value = "freeform";
    $("model").addEventListener("change", () => this.#modelChanged());
    $("n").addEventListener("change", () => (this.n = Number($("n").value)));
    $("temperature").addEventListener("input", () => {
      $("temperature-shown").textContent = Number($("temperature").value);
    });
    $("dice").addEventListener("click", () => this.newSeed());
    this.#modelChanged();
  }

  get model() {
    return this.models.find((model) => model.name === $("model").value);
  }

  newSeed() {
    $("seed").value = crypto.getRandomValues(new Uint32Array(1))[0] >>> 1;
  }

  // Models of grey pictures take no colour photo.
  photoIs(grey) {
    for (const option of $("model").options) {
      const model = this.models.find((one) => one.name === option.value);
      option.disabled = model.grey && !grey;
      option.textContent = model.name + (option.disabled ? " (grey photos only)" : "");
    }
  }

  #modelChanged() {
    const { model } = this;
    $("model-about").textContent = model.summary;
    $("n").disabled = $("seed").disabled = $("dice").disabled = !model.stochastic;
    $("temperature").disabled = !model.stochastic || model.texture;
    $("n").value = model.stochastic ? this.n : 1;
    $("detail").disabled = model.texture || !model.size;
    $("family-options").replaceChildren(...model.options.map(fieldOf));
  }

  // The order of a round; throws a sentence where a field is wrong.
  order() {
    for (const field of document.querySelectorAll("#settings input, #settings select")) {
      if (!field.disabled && !field.checkValidity()) {
        field.closest("details")?.setAttribute("open", "");
        field.focus();
        throw new Error(`${nameOf(field)}: ${field.validationMessage}`);
      }
    }
    const { model } = this;
    const temperature = Number($("temperature").value);
    const options = {};
    for (const option of model.options) {
      const value = valueOf(option, $(`option-${option.name}`));
      if (value !== null) options[option.parameter] = value;
    }
    return {
      model: model.name,
      n: Number($("n").value),
      seed: model.stochastic ? Number($("seed").value) : 0,
      temperature: $("temperature").disabled || temperature === 1 ? null : temperature,
      context: Number($("context").value),
      feather: $("feather").value === "" ? null : Number($("feather").value),
      detail: $("detail").disabled ? null : $("detail").value || null,
      options,
    };
  }
}

function nameOf(field) {
  return (field.labels?.[0]?.textContent ?? field.name).trim();
}

function fieldOf(option) {
  const field = document.createElement("div");
  field.className = "field";
  const label = document.createElement("label");
  const about = document.createElement("p");
  about.className = "quiet";
  about.id = `about-${option.name}`;
  about.textContent = option.help;
  const control = controlOf(option);
  control.id = `option-${option.name}`;
  control.setAttribute("aria-describedby", about.id);
  label.htmlFor = control.id;
  if (option.type === "bool") label.append(control, ` ${option.name}`);
  else label.textContent = option.name;
  field.append(label, ...(option.type === "bool" ? [] : [control]), about);
  return field;
}

function controlOf(option) {
  if (option.choices.length) {
    const select = document.createElement("select");
    if (option.default === null) select.append(new Option("as the model has it", ""));
    for (const choice of option.choices) select.append(new Option(choice, choice));
    select.value = option.default ?? "";
    return select;
  }
  const input = document.createElement("input");
  input.type = { bool: "checkbox", int: "number", float: "number", str: "text" }[option.type];
  if (option.type === "bool") input.checked = option.default === true;
  else input.value = option.default ?? "";
  if (input.type === "number") {
    input.step = option.type === "int" ? 1 : "any";
    if (option.minimum !== null) input.min = option.minimum;
    if (option.maximum !== null) input.max = option.maximum;
  }
  return input;
}

function valueOf(option, control) {
  if (option.type === "bool") return control.checked ? true : null;
  if (control.value === "") return null;
  return option.type === "int" || option.type === "float" ? Number(control.value) : control.value;
}
