// The regions that the analysis outlined, ranked; keys and clicks fly there.
import { getJson, slideAddress } from "./api.js";
import { byId, scrollTo } from "./map_panel.js";

const RANKS = {
  load: (spot) => spot.area * spot.mean,
  probability: (spot) => spot.mean,
  area: (spot) => spot.area,
};

function boxOf(rings) {
  const box = { left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity };
  for (const [x, y] of rings[0]) {
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x);
    box.top = Math.min(box.top, y);
    box.bottom = Math.max(box.bottom, y);
  }
  return box;
}

export class HotSpots {
  /** chosen: called with the spot that was gone to. */
  constructor(view, chosen) {
    Object.assign(this, { view, chosen, all: [], spots: [], at: -1, verdicts: new Map() });
    byId("spot-order").addEventListener("change", () => this.rank());
    byId("spots").addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      this.step(step);
    });
  }

  async open(details) {
    this.details = details;
    this.all = [];
    this.rank();
    const outlines = await getJson(slideAddress(details.id, "outlines")).catch(() => ({ features: [] }));
    if (this.details !== details) return;
    this.all = outlines.features.filter((feature) => feature.geometry?.type === "Polygon").map((feature) => ({
      id: feature.id, rings: feature.geometry.coordinates, box: boxOf(feature.geometry.coordinates),
      area: feature.properties.measurements?.area_mm2 ?? 0, mean: feature.properties.measurements?.mean_probability ?? 0,
      max: feature.properties.measurements?.max_probability ?? 0,
    }));
    this.rank();
  }

  get current() { return this.spots[this.at]; }

  rank() {
    const value = RANKS[byId("spot-order").value];
    const current = this.current?.id;
    this.spots = [...this.all].sort((a, b) => value(b) - value(a));
    this.at = this.spots.findIndex((spot) => spot.id === current);
    this.render();
  }

  step(by) {
    if (this.spots.length === 0) return;
    this.go(this.at < 0 ? (by > 0 ? 0 : this.spots.length - 1) : (this.at + by + this.spots.length) % this.spots.length);
  }

  go(index) {
    this.at = index;
    this.view.flyTo(this.current.box);
    this.mark();
    this.chosen(this.current);
  }

  /** verdicts: Map of region id to 'agree', 'disagree' or 'unsure'. */
  setVerdicts(verdicts) {
    this.verdicts = verdicts;
    this.render();
  }

  render() {
    byId("spot-count").textContent = this.all.length ? `${this.at + 1 || "–"} of ${this.all.length}` : "none";
    byId("spots").replaceChildren(...this.spots.map((spot, index) => this.item(spot, index)));
    this.mark();
  }

  mark() {
    byId("spot-count").textContent = this.all.length ? `${this.at + 1 || "–"} of ${this.all.length}` : "none";
    [...byId("spots").children].forEach((item, index) => item.setAttribute("aria-selected", String(index === this.at)));
    scrollTo(byId("spots"), byId("spots").children[this.at]);
  }

  item(spot, index) {
    const item = document.createElement("li");
    item.setAttribute("role", "option");
    const image = Object.assign(document.createElement("img"), { alt: "", loading: "lazy" });
    if (!this.details.missing) image.src = slideAddress(this.details.id, "crop.jpg") + "?" + new URLSearchParams(this.square(spot.box));
    const lines = document.createElement("div");
    const verdict = this.verdicts.get(spot.id);
    for (const [content, name] of [[`${index + 1}. ${spot.area.toFixed(3)} mm²`, "name"], [`mean ${spot.mean.toFixed(2)}, max ${spot.max.toFixed(2)}`, ""],
      [verdict ?? "", verdict ?? ""]]) {
      lines.append(Object.assign(document.createElement("div"), { textContent: content, className: name }));
    }
    item.append(image, lines);
    item.addEventListener("click", () => this.go(index));
    return item;
  }

  square(box) {
    const side = Math.ceil(Math.max(box.right - box.left, box.bottom - box.top) * 1.2);
    const from = (low, high) => Math.max(0, Math.round((low + high) / 2 - side / 2));
    return { x: from(box.left, box.right), y: from(box.top, box.bottom), width: side, height: side, side: 128 };
  }
}
