// The map over the slide and its controls: layer, opacity, threshold, colours, contours, comparison.
import { COLOUR_MAPS, codeAtLeast, colourAt } from "./colour_maps.js";
import { MapLayer } from "./map_layer.js";

const BLINK_MS = 700;
const SLIDE_ALONE = "";

export const byId = (id) => document.getElementById(id);

/** Scrolls a list to one of its items, and nothing around the list. */
export function scrollTo(list, item) {
  if (!item) return;
  if (item.offsetTop < list.scrollTop) list.scrollTop = item.offsetTop;
  if (item.offsetTop + item.offsetHeight > list.scrollTop + list.clientHeight) list.scrollTop = item.offsetTop + item.offsetHeight - list.clientHeight;
}

const option = (value, title) => Object.assign(document.createElement("option"), { value, textContent: title });

export class MapPanel {
  constructor(view) {
    this.view = view;
    this.layers = new Map();
    this.mode = "off";
    this.split = 0.5;
    this.exact = 0.5;
    this.second = false;  // which of the two a blink shows
    view.drawers.push((context, frame) => this.draw(context, frame));
    byId("threshold").addEventListener("input", () => { this.exact = Number(byId("threshold").value); });
    for (const id of ["layer", "visible", "opacity", "threshold", "hide-below", "contours", "colours", "compare"]) {
      byId(id).addEventListener("input", () => this.apply());
    }
    byId("colours").replaceChildren(...COLOUR_MAPS.map((name) => option(name, name === "cividis" ? "cividis (colour-blind safe)" : name)));
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
    this.layers = new Map(details.layers.map((layer) => [layer.id, new MapLayer(details.id, layer, () => this.view.redraw())]));
    byId("layer").replaceChildren(...details.layers.map((layer) => option(layer.id, layer.title)));
    if (this.layers.has(before)) byId("layer").value = before;
    byId("compare").replaceChildren(option(SLIDE_ALONE, "the slide without a map"), ...details.layers.map((layer) => option(layer.id, layer.title)));
    this.setThreshold(details.summary.map_threshold ?? 0.5);
    byId("problems").textContent = [...details.problems, ...(details.summary.warnings ?? [])].join("; ");
    this.apply();
  }

  /** The slider has steps; the threshold that the run was made with stays as it was. */
  get threshold() { return this.exact; }
  setThreshold(value) {
    this.exact = Math.min(Math.max(value, 0), 1);
    byId("threshold").value = this.exact;
  }
  get current() { return this.layers.get(byId("layer").value); }

  apply() {
    const threshold = this.threshold;
    byId("opacity-text").textContent = `${Math.round(byId("opacity").value * 100)} %`;
    byId("threshold-text").textContent = threshold.toFixed(3);
    const from = byId("hide-below").checked ? codeAtLeast(threshold) : 1;
    for (const layer of this.layers.values()) layer.setStyle(byId("colours").value, from);
    this.legend(threshold);
    this.areas(threshold);
    this.view.redraw();
  }

  legend(threshold) {
    const canvas = byId("legend-bar");
    const context = canvas.getContext("2d");
    for (let x = 0; x < canvas.width; ++x) {
      const value = x / (canvas.width - 1);
      const hidden = byId("hide-below").checked && value < threshold;
      const [r, g, b] = hidden ? [255, 255, 255] : colourAt(byId("colours").value, value);
      context.fillStyle = `rgb(${r}, ${g}, ${b})`;
      context.fillRect(x, 0, 1, canvas.height);
    }
    context.fillStyle = "#d00000";
    context.fillRect(Math.round(threshold * (canvas.width - 1)) - 1, 0, 2, canvas.height);
    byId("hidden-note").textContent = byId("hide-below").checked ? `, or below ${threshold.toFixed(3)} (red line)` : "; red line: threshold";
  }

  areas(threshold) {
    if (!this.current || !this.details) return;
    const { summary } = this.details;
    const area = this.current.areaOver(threshold);
    byId("live-area").textContent = `${area.toFixed(3)} mm² at or over ${threshold.toFixed(3)}, ` +
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
    layer.draw(context, frame.box, frame.scale, Number(byId("opacity").value), byId("contours").checked ? codeAtLeast(this.threshold) : null,
      Math.max(frame.ratio, frame.width / 1800));
    context.restore();
  }
}
