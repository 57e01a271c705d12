// The list of slides: thumbnails, area, probability, review state; filter, sort, keys.
import { slideAddress } from "./api.js";
import { scrollTo } from "./dom.js";

const ORDERS = {
  id: (a, b) => a.id.localeCompare(b.id),
  area: (a, b) => b.tumour_area_mm2 - a.tumour_area_mm2,
  probability: (a, b) => b.max_tile_probability - a.max_tile_probability,
  review: (a, b) => (a.review ? 1 : 0) - (b.review ? 1 : 0) || a.id.localeCompare(b.id),
};

const text = (tag, content, name = "") => Object.assign(document.createElement(tag), { textContent: content, className: name });

export class SlideList {
  constructor({ list, filter, sort }, choose) {
    Object.assign(this, { list, filter, sort, choose, slides: [], shown: [], chosen: null });
    filter.addEventListener("input", () => this.render());
    sort.addEventListener("change", () => this.render());
    list.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      this.step(step);
    });
    filter.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && this.shown.length > 0) this.choose(this.shown[0].id);
      if (event.key === "Escape" || event.key === "Enter") list.focus();
    });
  }

  set(slides) {
    this.slides = slides;
    this.render();
  }

  select(id) {
    this.chosen = id;
    this.render();
  }

  /** The next slide of the list as it is filtered and sorted. */
  step(by) {
    const at = this.shown.findIndex((slide) => slide.id === this.chosen);
    const next = this.shown[Math.min(Math.max(at + by, 0), this.shown.length - 1)];
    if (next && next.id !== this.chosen) this.choose(next.id);
  }

  render() {
    const wanted = this.filter.value.trim().toLowerCase();
    this.shown = this.slides.filter((slide) => slide.id.toLowerCase().includes(wanted)).sort(ORDERS[this.sort.value]);
    this.list.replaceChildren(...this.shown.map((slide) => this.item(slide)));
    scrollTo(this.list, this.list.querySelector('[aria-selected="true"]'));
  }

  item(slide) {
    const item = document.createElement("li");
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", String(slide.id === this.chosen));
    item.id = `slide-${slide.id}`;
    if (slide.id === this.chosen) this.list.setAttribute("aria-activedescendant", item.id);
    const image = Object.assign(document.createElement("img"), { alt: "", loading: "lazy" });
    if (!slide.missing) image.src = slideAddress(slide.id, "thumbnail.jpg");
    const lines = document.createElement("div");
    lines.append(text("div", slide.id, "name"), text("div", `${slide.tumour_area_mm2.toFixed(2)} mm² called tumour`),
      text("div", `highest tile ${slide.max_tile_probability.toFixed(2)}`),
      text("div", slide.review ? slide.review : "not reviewed", slide.review ?? "quiet"));
    if (slide.missing) lines.append(text("div", "slide file not found", "warning"));
    if (slide.tiles_not_decoded > 0) lines.append(text("div", `${slide.tiles_not_decoded} tiles could not be read`, "warning"));
    item.append(image, lines);
    item.addEventListener("click", () => this.choose(slide.id));
    return item;
  }
}
