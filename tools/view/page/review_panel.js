// Review: verdicts, corrections, comments, undo. What is shown as kept has been confirmed by the server.
import { getJson, postJson } from "./api.js";
import { byId, fill } from "./dom.js";
import { Drawing } from "./drawing.js";

const TEMPLATE = `
  <h2>Review <span id="review-state" class="quiet"></span></h2>
  <p id="review-note" class="warning"></p>
  <div id="review-controls">
    <div class="modes" role="group" aria-label="Verdict on the hot spot"><span class="target">Hot spot</span>
      <button type="button" data-verdict="agree">Agree</button><button type="button" data-verdict="disagree">Disagree</button>
      <button type="button" data-verdict="unsure">Unsure</button></div>
    <div class="modes" role="group" aria-label="Verdict on the slide"><span class="target">Slide</span>
      <button type="button" data-slide-verdict="agree">Agree</button><button type="button" data-slide-verdict="disagree">Disagree</button>
      <button type="button" data-slide-verdict="unsure">Unsure</button></div>
    <div class="modes" role="radiogroup" aria-label="Tool"><span class="target">Draw</span>
      <button type="button" role="radio" data-tool="look" aria-checked="true">Look</button><button type="button" role="radio" data-tool="polygon" aria-checked="false">Polygon</button>
      <button type="button" role="radio" data-tool="brush" aria-checked="false">Brush</button><button type="button" role="radio" data-tool="point" aria-checked="false">Point</button></div>
    <div class="modes" role="radiogroup" aria-label="What is drawn"><span class="target">as</span>
      <button type="button" role="radio" data-label="tumour" aria-checked="true">tumour</button><button type="button" role="radio" data-label="not tumour" aria-checked="false">not tumour</button></div>
    <label>Brush radius <output id="radius-text"></output><input type="range" id="radius" min="5" max="500" step="5" value="50"></label>
    <label>Comment on the hot spot, or the slide where none is chosen<textarea id="comment" maxlength="2000"></textarea></label>
    <div class="modes"><button type="button" id="comment-add">Keep comment</button><button type="button" id="undo">Undo <kbd>Z</kbd></button>
      </div>
    <div class="modes"><a id="export" download="review.geojson">GeoJSON for QuPath</a><button type="button" id="training">Training set</button></div>
    <p class="quiet">All readers, for clmnet stats agreement: <a href="/api/review/agreement?what=slides" download="agreement-slides.csv">slides</a>,
      <a href="/api/review/agreement?what=regions" download="agreement-regions.csv">hot spots</a></p>
    <ul id="entries"></ul>
    <p id="concordance" class="quiet"></p>
  </div>`;

const percent = (value) => `${(100 * value).toFixed(1)} %`;

export class ReviewPanel {
  constructor(view, spots, { changed, say }) {
    Object.assign(this, { view, spots, changed, say, state: null, mayWrite: false });
    fill("review-section", TEMPLATE);
    this.drawing = new Drawing(view, (shape) => this.send({ kind: "correction", ...shape }));
    byId("reader").value = localStorage.getItem("clmnet-reader") ?? "";
    byId("reader").addEventListener("change", () => {
      localStorage.setItem("clmnet-reader", this.reader);
      this.load();
    });
    const each = (selector, run) => document.querySelectorAll(selector).forEach((button) => button.addEventListener("click", () => run(button.dataset)));
    each("[data-verdict]", ({ verdict }) => this.judge(verdict));
    each("[data-slide-verdict]", ({ slideVerdict }) => this.judgeSlide(slideVerdict));
    each("[data-tool]", ({ tool }) => this.drawing.setTool(tool));
    each("[data-label]", ({ label }) => this.drawing.setLabel(label));
    byId("radius").addEventListener("input", () => this.setRadius(Number(byId("radius").value)));
    byId("comment-add").addEventListener("click", () => this.comment());
    byId("training").addEventListener("click", () => this.training());
    byId("undo").addEventListener("click", () => this.undo());
    this.setRadius(50);
    this.show();
  }

  get reader() { return byId("reader").value.trim(); }

  setRadius(um) {
    this.drawing.radiusUm = um;
    byId("radius-text").textContent = `${um} µm`;
  }

  start(session) {
    this.mayWrite = session.may_write;
    getJson("/api/review/readers").then((names) => byId("readers").replaceChildren(
      ...names.map((value) => Object.assign(document.createElement("option"), { value })))).catch(() => {});
    this.show();
  }

  async load() {
    this.state = null;
    if (this.reader && this.view.details) {
      try {
        this.state = await getJson("/api/review?" + new URLSearchParams({ reader: this.reader, slide: this.view.details.id }));
      } catch (problem) {
        this.say(problem.message);
      }
    }
    this.show();
    this.changed(this.state);
  }

  async send(entry) {
    if (!this.mayWrite || !this.reader) {
      this.say(this.mayWrite ? "Give your name as reader first." : "Read only: open the address with the token that clmnet view printed.");
      return;
    }
    try {
      this.say("");
      await postJson("/api/review", { reader: this.reader, slide: this.view.details.id, ...entry });
    } catch (problem) {
      this.say(`Not kept: ${problem.message}`);
    }
    await this.load();
  }

  judge(verdict) {
    if (!this.spots.current) {
      this.say("Choose a hot spot first (N, P).");
      return undefined;
    }
    return this.send({ kind: "verdict", region: this.spots.current.id, verdict });
  }

  judgeSlide(verdict) { return this.send({ kind: "verdict", region: "", verdict }); }

  async comment() {
    const text = byId("comment").value.trim();
    if (!text) return;
    await this.send({ kind: "comment", region: this.spots.current?.id ?? "", text });
    if (byId("message").hidden) byId("comment").value = "";
  }

  /** Tiles, masks and a manifest of all that this reader has judged in the run. */
  async training() {
    try {
      const { folder, images, tumour, not_tumour: not, left_out: out } = await postJson("/api/review/training", { reader: this.reader });
      this.say(`${images} images (${tumour} tumour, ${not} not tumour; ${out} shapes left out) written to ${folder}`);
    } catch (problem) {
      this.say(`Not written: ${problem.message}`);
    }
  }

  /** The reader's last entry on this slide that still stands; an open polygon loses its last corner first. */
  undo() {
    if (this.drawing.takeBack() || !this.state) return;
    const last = Math.max(0, ...[...this.state.verdicts, ...this.state.corrections, ...this.state.comments].map((entry) => entry.seq));
    if (last > 0) this.send({ kind: "undo", target: last });
  }

  show() {
    const may = this.mayWrite && this.reader !== "";
    byId("review-note").textContent = !this.mayWrite ? "Read only: open the address with the token that clmnet view printed."
      : this.reader ? "" : "Give your name as reader (above) to review.";
    byId("review-controls").hidden = !may;
    byId("review-state").textContent = may ? `as ${this.reader}` : "";
    const { verdicts = [], corrections = [], comments = [], concordance } = this.state ?? {};
    this.drawing.shapes = corrections;
    const byRegion = new Map(verdicts.map((entry) => [entry.region, entry.verdict]));
    this.spots.setVerdicts(byRegion);
    this.press("verdict", byRegion.get(this.spots.current?.id));
    this.press("slideVerdict", byRegion.get(""));
    byId("entries").replaceChildren(...[...corrections, ...comments].sort((a, b) => b.seq - a.seq).map((entry) => Object.assign(
      document.createElement("li"), { textContent: entry.kind === "comment" ? `“${entry.text}”` : `${entry.shape}: ${entry.label}` })));
    byId("concordance").textContent = concordance ? this.concordanceText(concordance.regions, "hot spots") + " " + this.concordanceText(concordance.slides, "slides") : "";
    if (this.view.details) byId("export").href = "/api/review/geojson?" + new URLSearchParams({ reader: this.reader, slide: this.view.details.id });
    this.view.redraw();
  }

  press(data, verdict) {
    for (const button of document.querySelectorAll(data === "verdict" ? "[data-verdict]" : "[data-slide-verdict]")) {
      button.setAttribute("aria-pressed", String(button.dataset[data] === verdict));
    }
  }

  concordanceText({ agree, disagree, unsure, rate, wilson_95: [low, high], kappa, kappa_95: limits }, what) {
    if (rate === null) return `No ${what} judged in this run.`;
    return `Agreed with ${agree} of ${agree + disagree} ${what} of this run: ${percent(rate)} (95 % interval ${percent(low)} to ${percent(high)}, Wilson)` +
      `${unsure ? `, ${unsure} unsure` : ""}.` +
      (typeof kappa === "number" ? ` Cohen's kappa ${kappa.toFixed(2)}${limits[0] === null ? "" : ` (95 % interval ${limits[0].toFixed(2)} to ${limits[1].toFixed(2)})`}.` : "");
  }
}
