// The map over the slide and its controls: layer, opacity, threshold, colours, contours, comparison.
import { COLOUR_MAPS, codeAtLeast, colourAt } from "./colour_maps.js";
import { byId, fill } from "./dom.js";
import { MapLayer } from "./map_layer.js";

const BLINK_MS = 700;
const SLIDE_ALONE = "";
const TICKS = 5;
const TITLES = { viridis: "viridis (colour-blind safe)", cividis: "cividis (colour-blind safe)", grey: "grey" };

const TEMPLATE = `
  <h2>Map</h2>
  <label>Layer <select id="layer"></select></label>
  <label class="row"><input type="checkbox" id="visible" checked> Show map <kbd>M</kbd></label>
  <label>Opacity <output id="opacity-text"></output><input type="range" id="opacity" min="0" max="1" step="0.01" value="0.45"></label>
  <label>Threshold <output id="threshold-text"></output><input type="range" id="threshold" min="0" max="1" step="0.001"></label>
  <div class="pair">
    <label class="row"><input type="checkbox" id="hide-below" checked> Hide below <kbd>H</kbd></label>
    <label class="row"><input type="checkbox" id="contours" checked> Contours <kbd>O</kbd></label>
  </div>
  <label>Colours <select id="colours"></select></label>
  <figure id="legend" aria-label="Legend">
    <canvas id="legend-bar" width="256" height="14"></canvas>
    <div class="ticks" id="ticks"></div>
    <figcaption id="legend-text"></figcaption>
  </figure>
  <p id="live-area" role="status"></p>
  <p id="analysis-area" class="quiet"></p>
  <label>Compare with <select id="compare"></select></label>
  <div class="modes" role="radiogroup" aria-label="Comparison">
    <button type="button" role="radio" data-mode="off" aria-checked="true">Off</button>
    <button type="button" role="radio" data-mode="split" aria-checked="false">Split</button>
    <button type="button" role="radio" data-mode="blink" aria-checked="false">Blink</button>
    <kbd>C</kbd>
  </div>
  <p id="problems" class="warning"></p>
  <img id="label" alt="Label of the slide" hidden>`;

const option = (value, title) => Object.assign(document.createElement("option"), { value, textContent: title });

export class MapPanel {
  constructor(view) {
    fill("map-section", TEMPLATE);
    this.view = view;
    this.layers = new Map();
    this.mode = "off";
    this.split = 0.5;
    this.exact = 0.5;
    this.second = false;  // which of the two a blink shows
    view.drawers.push((context, frame) => this.draw(context, frame));
    byId("threshold").addEventListener("input", () => { this.exact = Number(byId("threshold").value); });
    byId("layer").addEventListener("input", () => this.takeThreshold());
    for (const id of ["layer", "visible", "opacity", "threshold", "hide-below", "contours", "colours", "compare"]) {
      byId(id).addEventListener("input", () => this.apply());
    }
    byId("colours").replaceChildren(...COLOUR_MAPS.map((name) => option(name, TITLES[name] ?? name)));
    for (const button of document.querySelectorAll("[data-mode]")) button.addEventListener("click", () => this.setMode(button.dataset.mode));
    this.dragDivider();
    setInterval(() => {
      if (this.mode !== "blink") return;
      this.second = !this.second;
      this.view.redraw();
    }, BLINK_MS);
  }

  /** details: as /api/slides/ID gives them. Threshold starts at the one the run was made with. */
  open(details) {
    const before = byId("layer").value;
    this.details = details;
    this.layers = new Map(details.layers.map((layer) => [layer.id, new MapLayer(details.id, layer, () => this.changed())]));
    byId("layer").replaceChildren(...details.layers.map((layer) => option(layer.id, layer.title)));
    if (this.layers.has(before)) byId("layer").value = before;
    byId("compare").replaceChildren(option(SLIDE_ALONE, "the slide without a map"), ...details.layers.map((layer) => option(layer.id, layer.title)));
    byId("problems").textContent = [...details.problems, ...(details.summary.warnings ?? [])].join("; ");
    this.unit = undefined;
    this.takeThreshold();
    this.apply();
  }

  changed() {
    this.areas();
    this.view.redraw();
  }

  /** A place from 0 to 1 on the layer's scale. The slider has steps; the threshold that the run was made with stays as it was. */
  get threshold() { return this.exact; }
  setThreshold(place) {
    this.exact = Math.min(Math.max(place, 0), 1);
    byId("threshold").value = this.exact;
  }
  get current() { return this.layers.get(byId("layer").value); }

  /** Where a layer's values part when nobody has moved the slider. */
  usualThreshold(layer) { return layer.placeOf(layer.layer.threshold ?? this.details.summary.map_threshold ?? 0.5); }

  /** Layers of one unit share the slider; a layer of another begins at its own threshold. */
  takeThreshold() {
    if (!this.current || this.current.layer.unit === this.unit) return;
    this.unit = this.current.layer.unit;
    this.setThreshold(this.usualThreshold(this.current));
  }

  codeFor(layer) { return codeAtLeast(layer.layer.unit === this.unit ? this.threshold : this.usualThreshold(layer)); }

  apply() {
    byId("opacity-text").textContent = `${Math.round(byId("opacity").value * 100)} %`;
    for (const layer of this.layers.values()) layer.setStyle(byId("colours").value, byId("hide-below").checked ? this.codeFor(layer) : 1);
    if (this.current) {
      byId("threshold-text").textContent = this.current.text(this.current.valueAt(this.threshold));
      this.legend();
      this.areas();
    }
    this.view.redraw();
  }

  legend() {
    const { current, threshold } = this;
    const canvas = byId("legend-bar");
    const context = canvas.getContext("2d");
    const hide = byId("hide-below").checked;
    for (let x = 0; x < canvas.width; ++x) {
      const place = x / (canvas.width - 1);
      const [r, g, b] = hide && place < threshold ? [255, 255, 255] : colourAt(byId("colours").value, place);
      context.fillStyle = `rgb(${r}, ${g}, ${b})`;
      context.fillRect(x, 0, 1, canvas.height);
    }
    context.fillStyle = "#d00000";
    context.fillRect(Math.min(Math.max(Math.round(threshold * (canvas.width - 1)) - 1, 0), canvas.width - 2), 0, 2, canvas.height);
    const { unit, low, high } = current.layer;
    byId("ticks").replaceChildren(...Array.from({ length: TICKS }, (_, i) => Object.assign(document.createElement("span"), {
      textContent: low === 0 && high === 1 ? String(i / (TICKS - 1)) : current.text(current.valueAt(i / (TICKS - 1))) })));
    const name = unit[0].toUpperCase() + unit.slice(1);
    byId("legend-text").textContent = `${name}; no colour: no data${hide ? `, or below ${current.text(current.valueAt(threshold))} (red line)` : "; red line: threshold"}`;
  }

  areas() {
    if (!this.current || !this.details) return;
    const { summary } = this.details;
    const area = this.current.areaOver(this.threshold);
    byId("live-area").textContent = area === undefined ? "Counting pixels…" :
      `${area.toFixed(3)} mm² at or over ${this.current.text(this.current.valueAt(this.threshold))}, ` +
      `${(100 * area / summary.tissue_area_mm2).toFixed(1)} % of ${summary.tissue_area_mm2.toFixed(2)} mm² tissue`;
    byId("analysis-area").textContent = `Analysis reported ${summary.tumour_area_mm2.toFixed(3)} mm² in ${summary.tumour_regions} regions ` +
      `at ${summary.map_threshold.toFixed(3)}; small regions and holes are cleared there.`;
  }

  setMode(mode) {
    this.mode = mode;
    for (const button of document.querySelectorAll("[data-mode]")) button.setAttribute("aria-checked", String(button.dataset.mode === mode));
    byId("divider").hidden = mode !== "split";
    this.moveDivider(0);
  }

  nextMode() {
    const modes = ["off", "split", "blink"];
    this.setMode(modes[(modes.indexOf(this.mode) + 1) % modes.length]);
  }

  moveDivider(by) {
    this.split = Math.min(Math.max(this.split + by, 0.02), 0.98);
    byId("divider").style.left = `${this.split * 100}%`;
    this.view.redraw();
  }

  dragDivider() {
    const divider = byId("divider");
    divider.addEventListener("pointerdown", (event) => divider.setPointerCapture(event.pointerId));
    divider.addEventListener("pointermove", (event) => {
      if (!divider.hasPointerCapture(event.pointerId)) return;
      const box = byId("stage").getBoundingClientRect();
      this.moveDivider((event.clientX - box.left) / box.width - this.split);
    });
  }

  draw(context, frame) {
    if (!this.current || !byId("visible").checked) return;
    const other = this.layers.get(byId("compare").value);
    if (this.mode === "off") this.paint(context, frame, this.current, 0, 1);
    if (this.mode === "blink") this.paint(context, frame, this.second ? other : this.current, 0, 1);
    if (this.mode === "split") {
      this.paint(context, frame, this.current, 0, this.split);
      this.paint(context, frame, other, this.split, 1);
    }
  }

  paint(context, frame, layer, from, to) {
    if (!layer) return;
    context.save();
    frame.toScreenSpace();
    context.beginPath();
    context.rect(from * frame.width, 0, (to - from) * frame.width, frame.height);
    context.clip();
    frame.toSlideSpace();
    layer.draw(context, frame.box, frame.scale, Number(byId("opacity").value), byId("contours").checked ? this.codeFor(layer) : null,
      Math.max(frame.ratio, frame.width / 1800));
    context.restore();
  }
}
