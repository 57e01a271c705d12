// One page per slide to print: picture with the program's outlines, areas, hot spots, versions.
import { getJson, slideAddress } from "./api.js";
import { byId } from "./dom.js";
import { cropAddress, ranked, regionPicture, regionsOf } from "./regions.js";

const SIDE_PX = 1400;
const SPOTS = 6;

function loaded(address) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error(`${address}: no picture`));
    image.src = address;
  });
}

function scaleBar(context, mmPerPx, canvas) {
  const mm = [20, 10, 5, 2, 1, 0.5, 0.2, 0.1].find((length) => length / mmPerPx < canvas.width / 3) ?? 0.05;
  const width = mm / mmPerPx, x = 20, y = canvas.height - 30;
  context.fillStyle = "#ffffffd0";
  context.fillRect(x - 10, y - 34, Math.max(width, 90) + 20, 54);
  context.fillStyle = "#111";
  context.fillRect(x, y, width, 8);
  context.font = "26px sans-serif";
  context.fillText(mm >= 1 ? `${mm} mm` : `${mm * 1000} µm`, x, y - 8);
}

async function drawPicture({ id, summary }, regions) {
  const { width_level0_px: width, height_level0_px: height } = summary;
  const image = await loaded(cropAddress(id, { x: 0, y: 0, width, height }, SIDE_PX));
  const canvas = byId("picture");
  Object.assign(canvas, { width: image.width, height: image.height });
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  context.setTransform(image.width / width, 0, 0, image.height / height, 0, 0);
  for (const [colour, line] of [["#ffffff", 6], ["#c80000", 3]]) {
    context.strokeStyle = colour;
    context.lineWidth = line * width / image.width;
    for (const { rings } of regions) {
      for (const ring of rings) {
        context.beginPath();
        ring.forEach(([x, y], i) => (i === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
        context.stroke();
      }
    }
  }
  context.setTransform(1, 0, 0, 1, 0, 0);
  scaleBar(context, width * summary.um_per_px_x / 1000 / image.width, canvas);
}

function numbers({ summary, objective_power: power }) {
  const mm2 = (value) => `${value.toFixed(3)} mm²`;
  const rows = [["Tumour called by the program", mm2(summary.tumour_area_mm2)], ["Tissue", mm2(summary.tissue_area_mm2)],
    ["Share of tissue", `${(100 * summary.tumour_share_of_tissue).toFixed(1)} %`], ["Regions", summary.tumour_regions],
    ["Threshold", summary.map_threshold.toFixed(3)], ["Highest tile probability", summary.max_tile_probability.toFixed(3)],
    ["Tiles", summary.tiles], ["Tiles not decoded", summary.tiles_not_decoded], ["Scan", `${summary.width_level0_px} × ${summary.height_level0_px} px`],
    ["Resolution", `${summary.um_per_px_x} × ${summary.um_per_px_y} µm/px`], ["Objective", power ? `${power}×` : "not recorded"],
    ["Scanner format", summary.vendor], ["Model", summary.model], ["clmnet", summary.version]];
  for (const [name, value] of rows) {
    const row = byId("numbers").tBodies[0].insertRow();
    row.insertCell().textContent = name;
    row.insertCell().textContent = value ?? "–";
  }
}

function spots(id, regions) {
  byId("spots").replaceChildren(...ranked(regions, "load").slice(0, SPOTS).map((region, index) => {
    const item = document.createElement("div");
    item.append(Object.assign(document.createElement("img"), { src: regionPicture(id, region.box, 300), alt: "" }),
      `${index + 1}. ${region.area.toFixed(3)} mm², mean ${region.mean.toFixed(2)}`);
    return item;
  }));
}

async function start() {
  byId("print").addEventListener("click", () => window.print());
  const id = decodeURIComponent(location.hash.slice(1));
  try {
    const details = await getJson(slideAddress(id));
    const regions = await regionsOf(id);
    byId("title").textContent = document.title = `clmnet report: ${details.summary.file}`;
    byId("caption").textContent = `Red: regions at or over ${details.summary.map_threshold.toFixed(3)}, as analysed; the slide's label is not shown.`;
    numbers(details);
    byId("footer").textContent = `Model ${details.summary.model}, SHA-256 ${details.summary.model_sha256}; clmnet ${details.summary.version}; ` +
      `printed ${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC.`;
    if (details.missing) byId("caption").textContent = details.missing;
    else {
      spots(id, regions);
      await drawPicture(details, regions);
    }
  } catch (problem) {
    byId("title").textContent = problem.message;
  }
  document.body.dataset.ready = "yes";
}

window.addEventListener("hashchange", () => location.reload());
start();
