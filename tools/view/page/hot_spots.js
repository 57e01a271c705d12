// The regions that the analysis outlined, ranked; keys and clicks fly there.
import { byId, fill, scrollTo } from "./dom.js";
import { ranked, regionPicture, regionsOf } from "./regions.js";

const TEMPLATE = `
  <h2>Hot spots <span id="spot-count" class="quiet"></span></h2>
  <label>Rank by <select id="spot-order">
    <option value="load">area × mean probability</option>
    <option value="probability">mean probability</option>
    <option value="area">area</option>
  </select></label>
  <ol id="spots" tabindex="0" role="listbox" aria-label="Hot spots; N next, P previous"></ol>`;

export class HotSpots {
  /** chosen: called with the spot that was gone to. */
  constructor(view, chosen) {
    fill("spots-section", TEMPLATE);
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
    const regions = await regionsOf(details.id);
    if (this.details !== details) return;
    this.all = regions;
    this.rank();
  }

  get current() { return this.spots[this.at]; }

  rank() {
    const current = this.current?.id;
    this.spots = ranked(this.all, byId("spot-order").value);
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
    if (!this.details.missing) image.src = regionPicture(this.details.id, spot.box, 128);
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
}
