// Joins the parts of the page.
import { getJson, slideAddress } from "./api.js";
import { HotSpots } from "./hot_spots.js";
import { Keys } from "./keys.js";
import { MapPanel, byId } from "./map_panel.js";
import { ReviewPanel } from "./review_panel.js";
import { SlideList } from "./slide_list.js";
import { SlideView } from "./slide_view.js";

const view = new SlideView(byId("viewer"));
const map = new MapPanel(view);
const spots = new HotSpots(view, () => review.show());
const list = new SlideList({ list: byId("slide-list"), filter: byId("filter"), sort: byId("sort") }, openSlide);
const review = new ReviewPanel(view, spots, { changed: showReviewState, say });
const keys = new Keys();

function say(message) {
  byId("message").textContent = message;
  byId("message").hidden = !message;
}

function showInstruments() {
  if (!view.image) return;
  const { px, label } = view.scaleBar();
  byId("scale-bar").style.width = `${px}px`;
  byId("scale-text").textContent = label;
  byId("magnification").textContent = view.magnification();
}

function showReviewState(state) {
  list.set(list.slides.map((slide) => ({ ...slide, review: state?.slides[slide.id] })));
}

async function openSlide(id) {
  if (!view.viewer.isOpen() && view.opening === id) return;
  view.opening = id;
  list.select(id);
  say("");
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

async function showValues(point) {
  if (!view.details) return;
  const address = slideAddress(view.details.id, "value") + "?" + new URLSearchParams({ x: point.x.toFixed(2), y: point.y.toFixed(2) });
  try {
    const { values } = await getJson(address);
    const rows = [[`x ${Math.round(point.x)}, y ${Math.round(point.y)} px`, `${(point.x * view.um.x / 1000).toFixed(2)}, ${(point.y * view.um.y / 1000).toFixed(2)} mm`],
      ...values.map(({ title, probability }) => [title, probability === null ? "no data" : probability.toFixed(3)])];
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

function openReport() {
  if (view.details) window.open(`/report.html#${encodeURIComponent(view.details.id)}`, "_blank", "noopener");
}

function toggle(id) {
  byId(id).checked = !byId(id).checked;
  map.apply();
}

function nudge(id, by) {
  byId(id).value = Number(byId(id).value) + by;
  map.apply();
}

function nudgeThreshold(by) {
  map.setThreshold(map.threshold + by);
  map.apply();
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("clmnet-theme", theme);
}

function addKeys() {
  const objectives = [["1", 1.25], ["2", 2.5], ["3", 5], ["4", 10], ["5", 20], ["6", 40]];
  keys.add("ArrowLeft", "← → ↑ ↓", "Pan", () => view.panBy(-0.15, 0)).add("ArrowRight", "", "Pan", () => view.panBy(0.15, 0))
    .add("ArrowUp", "", "Pan", () => view.panBy(0, -0.15)).add("ArrowDown", "", "Pan", () => view.panBy(0, 0.15))
    .add("+ =", "+", "Zoom in", () => view.zoomBy(1.5)).add("-", "-", "Zoom out", () => view.zoomBy(1 / 1.5));
  for (const [key, power] of objectives) keys.add(key, "1 – 6", "1.25×, 2.5×, 5×, 10×, 20×, 40×", () => view.zoomToObjective(power));
  keys.add("0 Home", "0", "Whole slide", () => view.home())
    .add(".", ".", "Rotate by 15°", () => view.rotateBy(15)).add(",", ",", "Rotate back by 15°", () => view.rotateBy(-15))
    .add("f", "F", "Full screen", () => (document.fullscreenElement ? document.exitFullscreen() : byId("stage").requestFullscreen()))
    .add("n", "N", "Next hot spot", () => spots.step(1)).add("p", "P", "Previous hot spot", () => spots.step(-1))
    .add("j", "J", "Next slide", () => list.step(1)).add("k", "K", "Previous slide", () => list.step(-1))
    .add("/", "/", "Filter slides", () => byId("filter").focus())
    .add("m", "M", "Map on or off", () => toggle("visible")).add("o", "O", "Contours on or off", () => toggle("contours"))
    .add("h", "H", "Hide below the threshold", () => toggle("hide-below"))
    .add("l", "L", "Next layer", () => nextOption("layer")).add("x", "X", "Next colour map", () => nextOption("colours"))
    .add("[", "[ ]", "Threshold by 0.01", () => nudgeThreshold(-0.01)).add("]", "", "Threshold by 0.01", () => nudgeThreshold(0.01))
    .add("{", "{ }", "Opacity by 5 %", () => nudge("opacity", -0.05)).add("}", "", "Opacity by 5 %", () => nudge("opacity", 0.05))
    .add("c", "C", "Compare: off, split, blink", () => map.nextMode())
    .add("<", "< >", "Move the divider", () => map.moveDivider(-0.02)).add(">", "", "Move the divider", () => map.moveDivider(0.02))
    .add("v", "V", "Values at the centre", () => showValues(view.centre()))
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
    .add("z", "Z", "Undo", () => review.undo())
    .add("?", "?", "This help", () => byId("help-button").click());
}

function nextOption(id) {
  const select = byId(id);
  select.selectedIndex = (select.selectedIndex + 1) % select.options.length;
  map.apply();
}

function addButtons() {
  byId("help-button").addEventListener("click", () => {
    const close = Object.assign(document.createElement("button"), { textContent: "Close", type: "button" });
    close.addEventListener("click", () => byId("help").close());
    byId("help").replaceChildren(Object.assign(document.createElement("h2"), { textContent: "Keys" }), keys.table(), close);
    byId("help").showModal();
  });
  byId("report-button").addEventListener("click", openReport);
  byId("theme-button").addEventListener("click", () => {
    const dark = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    setTheme(dark === "dark" ? "light" : "dark");
  });
}

async function start() {
  const theme = localStorage.getItem("clmnet-theme");
  if (theme) setTheme(theme);
  view.listeners.push(showInstruments);
  view.viewer.addHandler("canvas-click", (event) => { if (event.quick && review.drawing.tool === "look") showValues(view.toSlide(event.position)); });
  addKeys();
  addButtons();
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
