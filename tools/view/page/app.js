// The page for looking and review: joins its parts.
import { getJson, slideAddress } from "./api.js";
import { byId, startTheme } from "./dom.js";
import { HotSpots } from "./hot_spots.js";
import { Keys } from "./keys.js";
import { MapPanel } from "./map_panel.js";
import { ReviewPanel } from "./review_panel.js";
import { SlideList } from "./slide_list.js";
import { addMapKeys, addViewKeys, clearValues, makeStage, say, showValues, startHelp } from "./stage.js";

const view = makeStage();
const map = new MapPanel(view);
const spots = new HotSpots(view, () => review.show());
const list = new SlideList({ list: byId("slide-list"), filter: byId("filter"), sort: byId("sort") }, openSlide);
const review = new ReviewPanel(view, spots, { changed: showReviewState, say });
const keys = new Keys();

function showReviewState(state) {
  list.set(list.slides.map((slide) => ({ ...slide, review: state?.slides[slide.id] })));
}

async function openSlide(id) {
  if (!view.viewer.isOpen() && view.opening === id) return;
  view.opening = id;
  list.select(id);
  say("");
  clearValues();
  byId("busy").hidden = false;
  try {
    const details = await getJson(slideAddress(id));
    if (view.opening !== id) return;
    byId("slide-name").textContent = details.summary.file ?? id;
    document.title = `${id} – clmnet view`;
    history.replaceState(null, "", `#${encodeURIComponent(id)}`);
    if (details.missing) {
      view.close();
      say(details.missing);
    } else {
      await view.open(details);
    }
    map.open(details);
    byId("label").hidden = !details.has_label;
    if (details.has_label) byId("label").src = slideAddress(id, "label.jpg");
    await Promise.all([spots.open(details), review.load()]);
  } catch (problem) {
    view.close();
    say(problem.message);
  } finally {
    byId("busy").hidden = true;
  }
}

function openReport() {
  if (view.details) window.open(`/report.html#${encodeURIComponent(view.details.id)}`, "_blank", "noopener");
}

function addKeys() {
  addViewKeys(keys, view);
  addMapKeys(keys, map, spots);
  keys.add("j", "J", "Next slide", () => list.step(1)).add("k", "K", "Previous slide", () => list.step(-1))
    .add("/", "/", "Filter slides", () => byId("filter").focus())
    .add("v", "V", "Values at the centre", () => showValues(view, view.centre()))
    .add("a", "A", "Hot spot: agree", () => review.judge("agree")).add("d", "D", "Hot spot: disagree", () => review.judge("disagree"))
    .add("u", "U", "Hot spot: unsure", () => review.judge("unsure"))
    .add("A", "Shift A", "Slide: agree", () => review.judgeSlide("agree")).add("D", "Shift D", "Slide: disagree", () => review.judgeSlide("disagree"))
    .add("U", "Shift U", "Slide: unsure", () => review.judgeSlide("unsure"))
    .add("g", "G", "Draw a polygon", () => review.drawing.setTool("polygon")).add("b", "B", "Brush", () => review.drawing.setTool("brush"))
    .add("t", "T", "Mark a point", () => review.drawing.setTool("point")).add("Escape", "Esc", "Stop drawing", () => review.drawing.setTool("look"))
    .add("Space", "Space", "Draw at the cross", () => review.drawing.addAtCentre())
    .add("Enter", "Enter", "Close the polygon", () => review.drawing.finish())
    .add("y", "Y", "Draw as tumour or not", () => review.drawing.setLabel(review.drawing.label === "tumour" ? "not tumour" : "tumour"))
    .add("w", "W", "Write a comment", () => byId("comment").focus())
    .add("r", "R", "Report to print", openReport)
    .add("z", "Z", "Undo", () => review.undo());
}

async function start() {
  startTheme(byId("theme-button"));
  view.viewer.addHandler("canvas-click", (event) => {
    if (event.quick && review.drawing.tool === "look") showValues(view, view.toSlide(event.position));
  });
  addKeys();
  startHelp(keys);
  byId("report-button").addEventListener("click", openReport);
  try {
    const [session, slides] = await Promise.all([getJson("/api/session"), getJson("/api/slides")]);
    byId("run-name").textContent = session.run;
    review.start(session);
    list.set(slides);
    const wanted = decodeURIComponent(location.hash.slice(1));
    const first = slides.find((slide) => slide.id === wanted) ?? slides[0];
    if (first) await openSlide(first.id);
  } catch (problem) {
    say(problem.message);
  }
}

start();
window.clmnet = { view, map, spots, list, review };  // for the tests, and for whoever looks at the page's console
