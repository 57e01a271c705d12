// The slide's place on a page, its instruments and keys; what the page for review and the one for studies share.
import { getJson, slideAddress } from "./api.js";
import { byId, fill } from "./dom.js";
import { SlideView } from "./slide_view.js";

const TEMPLATE = `
  <div id="viewer" tabindex="0" role="application" aria-label="Slide, pan with the arrow keys, zoom with plus and minus"></div>
  <div id="crosshair" hidden></div>
  <div id="divider" hidden></div>
  <div id="scale" aria-live="off"><div id="scale-bar"></div><span id="scale-text"></span></div>
  <div id="magnification"></div>
  <div id="busy" role="status" hidden>Loading…</div>
  <div id="message" role="alert" hidden></div>`;

const OBJECTIVES = [["1", 1.25], ["2", 2.5], ["3", 5], ["4", 10], ["5", 20], ["6", 40]];

/** A message over the slide; empty takes it away. */
export function say(message) {
  byId("message").textContent = message;
  byId("message").hidden = !message;
}

function showInstruments(view) {
  if (!view.image) return;
  const { px, label } = view.scaleBar();
  byId("scale-bar").style.width = `${px}px`;
  byId("scale-text").textContent = label;
  byId("magnification").textContent = view.magnification();
}

export function makeStage() {
  fill("stage", TEMPLATE);
  const view = new SlideView(byId("viewer"));
  view.listeners.push(() => showInstruments(view));
  return view;
}

export function addViewKeys(keys, view) {
  keys.add("ArrowLeft", "← → ↑ ↓", "Pan", () => view.panBy(-0.15, 0)).add("ArrowRight", "", "Pan", () => view.panBy(0.15, 0))
    .add("ArrowUp", "", "Pan", () => view.panBy(0, -0.15)).add("ArrowDown", "", "Pan", () => view.panBy(0, 0.15))
    .add("+ =", "+", "Zoom in", () => view.zoomBy(1.5)).add("-", "-", "Zoom out", () => view.zoomBy(1 / 1.5));
  for (const [key, power] of OBJECTIVES) keys.add(key, "1 – 6", "1.25×, 2.5×, 5×, 10×, 20×, 40×", () => view.zoomToObjective(power));
  keys.add("0 Home", "0", "Whole slide", () => view.home())
    .add(".", ".", "Rotate by 15°", () => view.rotateBy(15)).add(",", ",", "Rotate back by 15°", () => view.rotateBy(-15))
    .add("f", "F", "Full screen", () => (document.fullscreenElement ? document.exitFullscreen() : byId("stage").requestFullscreen()));
}

export function addMapKeys(keys, map, spots) {
  const toggle = (id) => {
    byId(id).checked = !byId(id).checked;
    map.apply();
  };
  const next = (id) => {
    const select = byId(id);
    select.selectedIndex = (select.selectedIndex + 1) % select.options.length;
    select.dispatchEvent(new Event("input"));
  };
  const opacity = (by) => {
    byId("opacity").value = Number(byId("opacity").value) + by;
    map.apply();
  };
  const threshold = (by) => {
    map.setThreshold(map.threshold + by);
    map.apply();
  };
  keys.add("n", "N", "Next hot spot", () => spots.step(1)).add("p", "P", "Previous hot spot", () => spots.step(-1))
    .add("m", "M", "Map on or off", () => toggle("visible")).add("o", "O", "Contours on or off", () => toggle("contours"))
    .add("h", "H", "Hide below the threshold", () => toggle("hide-below"))
    .add("l", "L", "Next layer", () => next("layer")).add("x", "X", "Next colour map", () => next("colours"))
    .add("[", "[ ]", "Threshold by 0.01", () => threshold(-0.01)).add("]", "", "Threshold by 0.01", () => threshold(0.01))
    .add("{", "{ }", "Opacity by 5 %", () => opacity(-0.05)).add("}", "", "Opacity by 5 %", () => opacity(0.05))
    .add("c", "C", "Compare: off, split, blink", () => map.nextMode())
    .add("<", "< >", "Move the divider", () => map.moveDivider(-0.02)).add(">", "", "Move the divider", () => map.moveDivider(0.02));
}

/** An empty table 'values', with how to fill it. */
export function clearValues() {
  const body = document.createElement("tbody");
  Object.assign(body.insertRow().insertCell(), { className: "quiet hint", textContent: "Click the slide, or press V for its centre." });
  byId("values").replaceChildren(body);
}

/** What each layer says at a point of the slide, into the table 'values'. */
export async function showValues(view, point) {
  if (!view.details) return;
  const address = slideAddress(view.details.id, "value") + "?" + new URLSearchParams({ x: point.x.toFixed(2), y: point.y.toFixed(2) });
  try {
    const { details } = view;
    const { values } = await getJson(address);
    if (view.details !== details) return;
    const rows = [[`x ${Math.round(point.x)}, y ${Math.round(point.y)} px`, `${(point.x * view.um.x / 1000).toFixed(2)}, ${(point.y * view.um.y / 1000).toFixed(2)} mm`],
      ...values.map(({ title, value }) => [title, value === null ? "no data" : value.toFixed(3)])];
    const body = document.createElement("tbody");
    for (const [name, value] of rows) {
      const row = body.insertRow();
      row.insertCell().textContent = name;
      row.insertCell().textContent = value;
    }
    byId("values").replaceChildren(body);
  } catch (problem) {
    say(problem.message);
  }
}

export function startHelp(keys) {
  byId("help-button").addEventListener("click", () => {
    const close = Object.assign(document.createElement("button"), { textContent: "Close", type: "button" });
    close.addEventListener("click", () => byId("help").close());
    byId("help").replaceChildren(Object.assign(document.createElement("h2"), { textContent: "Keys" }), keys.table(), close);
    byId("help").showModal();
  });
  keys.add("?", "?", "This help", () => byId("help-button").click());
}
