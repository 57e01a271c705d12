// Started by view_real_test.py with what the files of a real run say.
const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { layerLies, mapOf, moveTo, openSlide, overlayAt, printReport, readFacts, run, set, settle, withPage } = require("./view_page.cjs");

const facts = readFacts();
const mapAndCodes = (slide) => {
  const codes = fs.readFileSync(slide.codes_file);
  return mapOf(slide, (column, row) => codes[row * slide.map_width + column]);
};

/** The middle of the map's most varied part, in map px: where a misplaced layer would show most. */
function busiestCell(map) {
  let best = [0, 0], most = -1;
  for (let row = 40; row + 40 < map.height; row += 16) {
    for (let column = 40; column + 40 < map.width; column += 16) {
      const seen = new Set();
      for (let d = -30; d <= 30; d += 3) for (let e = -30; e <= 30; e += 3) seen.add(map.codeAt(column + e, row + d));
      if (seen.size > most) [best, most] = [[column, row], seen.size];
    }
  }
  return best;
}

async function layersLie(page, slide, map) {
  await set(page, "opacity", 1);
  await set(page, "contours", false);
  await set(page, "hide-below", false);
  const [column, row] = busiestCell(map);
  const centre = [(column + 0.5) * map.scaleX, (row + 0.5) * map.scaleY];
  // Screen px per map px at the finest level: 3, 8 and as near as the page goes.
  for (const pixels of [3, 8, 4 * map.scaleX]) {
    await moveTo(page, centre, pixels / map.scaleX);
    const reach = Math.ceil(640 / pixels), cells = [];
    for (let dy = -reach; dy <= reach; dy += Math.ceil(reach / 40)) {
      for (let dx = -reach; dx <= reach; dx += Math.ceil(reach / 40)) {
        const [c, r] = [column + dx, row + dy];
        if (c >= 0 && r >= 0 && c < map.width && r < map.height) cells.push([c, r]);
      }
    }
    const seen = await layerLies(page, map, cells, `${slide.id}, ${pixels} px per map px`);
    assert.ok(seen > 400, `${slide.id}, ${pixels} px per map px: only ${seen} points were on the screen`);
  }
}

/** The slide itself lies where its file says: at one screen px per level-0 px it is the file's picture, and not one px beside it. */
async function slideLies(page, slide, map) {
  const [column, row] = busiestCell(map);
  const box = { x: Math.floor(column * map.scaleX) - 128, y: Math.floor(row * map.scaleY) - 128, width: 256, height: 256 };
  // A slide px on a screen px: without the half px that an odd width of the stage brings, nothing is smoothed.
  await moveTo(page, [box.x + 128, box.y + 128], 1);
  const off = await page.evaluate(([x, y]) => { const at = window.clmnet.view.toScreen(x, y); return [at.x - Math.round(at.x), at.y - Math.round(at.y)]; }, [box.x, box.y]);
  await moveTo(page, [box.x + 128 + off[0], box.y + 128 + off[1]], 1);
  const differences = await page.evaluate(async ([id, { x, y, width, height }]) => {
    const { cropAddress } = await import("/regions.js");
    const { view } = window.clmnet;
    const picture = await createImageBitmap(await (await fetch(cropAddress(id, { x, y, width, height }, width))).blob());
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d");
    context.drawImage(picture, 0, 0);
    const wanted = context.getImageData(0, 0, width, height).data;
    const at = view.toScreen(x, y);
    const drawn = view.viewer.drawer.canvas.getContext("2d");
    const results = [];
    for (const [dx, dy] of [[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]]) {
      const found = drawn.getImageData(Math.round(at.x) + dx, Math.round(at.y) + dy, width, height).data;
      let sum = 0;
      for (let i = 0; i < found.length; ++i) sum += i % 4 === 3 ? 0 : Math.abs(found[i] - wanted[i]);
      results.push(sum / (3 * width * height));
    }
    return { results, off: Math.max(Math.abs(at.x - Math.round(at.x)), Math.abs(at.y - Math.round(at.y))) };
  }, [slide.id, box]);
  const [here, ...beside] = differences.results;
  assert.ok(here < 0.7 * Math.min(...beside), `${slide.id}: differs by ${here} at its place and by ${beside} one px beside it (off by ${differences.off})`);
}

async function thresholdActsAtOnce(page, slide, map) {
  await page.waitForFunction(() => document.getElementById("live-area").textContent.includes("mm²"));
  await settle(page);
  const asked = [];
  const note = (request) => asked.push(request.url());
  page.on("request", note);
  for (const wanted of [0.1, 0.35, 0.5, 0.9, 1]) {
    const begin = Date.now();
    await set(page, "threshold", wanted);
    const text = await page.textContent("#live-area");
    const took = Date.now() - begin;
    let pixels = 0;
    for (let code = Math.max(1, Math.ceil(254 * wanted - 1e-9) + 1); code < 256; ++code) pixels += slide.counts[code];
    const mm2 = pixels * map.scaleX * slide.um_per_px_x * map.scaleY * slide.um_per_px_y * 1e-6;
    assert.equal(text.split(" ")[0], mm2.toFixed(3), `${slide.id}: area at ${wanted}`);
    assert.ok(took < 2000, `the area took ${took} ms`);
  }
  await set(page, "opacity", 0.3);
  await settle(page);
  page.off("request", note);
  assert.deepEqual(asked, [], "threshold and opacity asked the server");
}

/** Contours run along the edges between map pixels below and at or over the threshold, and nowhere else. */
async function contoursAreTheFile(page, slide, map) {
  const [column, row] = busiestCell(map);
  await set(page, "opacity", 0);
  await set(page, "contours", true);
  await moveTo(page, [(column + 0.5) * map.scaleX, (row + 0.5) * map.scaleY], 20 / map.scaleX);
  const from = 128;  // the code of 0.5
  await set(page, "threshold", (from - 1) / 254);
  await settle(page);
  const onEdges = [], inCells = [];
  for (let r = row - 18; r < row + 18; ++r) {
    for (let c = column - 30; c < column + 30; ++c) {
      if (c < 1 || r < 1 || c >= map.width || r >= map.height) continue;
      const inside = map.codeAt(c, r) >= from;
      if (inside !== map.codeAt(c - 1, r) >= from) onEdges.push([c * map.scaleX, (r + 0.5) * map.scaleY]);
      if (inside !== map.codeAt(c, r - 1) >= from) onEdges.push([(c + 0.5) * map.scaleX, r * map.scaleY]);
      inCells.push([(c + 0.5) * map.scaleX, (r + 0.5) * map.scaleY]);
    }
  }
  const lines = (await overlayAt(page, onEdges)).filter(Boolean), cells = (await overlayAt(page, inCells)).filter(Boolean);
  assert.ok(cells.length > 500, `${cells.length} cells on the screen`);
  assert.ok(lines.every(([, , , alpha]) => alpha > 200), `${slide.id}: an edge of the map has no line`);
  assert.ok(cells.every(([, , , alpha]) => alpha === 0), `${slide.id}: a line runs through a map pixel`);
  await set(page, "opacity", 0.45);
  await set(page, "hide-below", true);
  return lines.length;
}

async function hotSpotsFlyThere(page, slide) {
  await page.locator("#viewer").focus();
  for (let i = 0; i < Math.min(slide.regions, 3); ++i) {
    await page.keyboard.press("n");
    await settle(page);
    const { box, shown } = await page.evaluate(() => ({ box: window.clmnet.spots.current.box, shown: window.clmnet.view.visibleBox() }));
    const middle = [(box.left + box.right) / 2, (box.top + box.bottom) / 2], centre = [(shown.left + shown.right) / 2, (shown.top + shown.bottom) / 2];
    const off = Math.hypot(middle[0] - centre[0], middle[1] - centre[1]) / (shown.right - shown.left);
    assert.ok(off < 0.02 && box.left >= shown.left && box.right <= shown.right, `${slide.id}, hot spot ${i}: ${off} of the screen away`);
  }
}

async function clickShowsEachNetwork(page, slide, map) {
  const [column, row] = busiestCell(map);
  const point = [(column + 0.5) * map.scaleX, (row + 0.5) * map.scaleY];
  await moveTo(page, point, 0.5);
  const at = await page.evaluate(([x, y]) => window.clmnet.view.toScreen(x, y), point);
  const stage = await page.locator("#viewer").boundingBox();
  await page.mouse.click(stage.x + at.x, stage.y + at.y);
  await page.waitForFunction(() => document.querySelectorAll("#values tr").length > 5);
  const rows = Object.fromEntries((await page.locator("#values tr").evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)))));
  const found = Number(rows["Tumour probability, after CRF"]);
  const near = [];
  for (let d = -1; d <= 1; ++d) for (let e = -1; e <= 1; ++e) near.push((map.codeAt(column + e, row + d) - 1) / 254);
  assert.ok(near.some((value) => Math.abs(value - found) < 0.0006), `the click says ${found}, the file ${near}`);
  const networks = ["vgg16", "deeplabv3", "unet"].map((network) => `${network}, per tile`);
  const maps = slide.layers.filter((id) => /^heatmap_(?!raw)/.test(id)).map((id) => `${id.slice(8)}, per pixel`);
  for (const title of [...networks, ...maps]) assert.ok(title in rows, `no ${title} in ${Object.keys(rows).join("; ")}`);
}

async function everyLayerShows(page, slide) {
  const ids = await page.evaluate(() => [...window.clmnet.map.layers.keys()]);
  for (const id of [...slide.layers, "tissue", "quality"]) assert.ok(ids.includes(id), `${slide.id} has no layer ${id}`);
  await set(page, "hide-below", false);
  await page.keyboard.press("0");
  for (const id of ids) {
    await set(page, "layer", id);
    await settle(page);
    const coloured = await page.evaluate(() => {
      const { canvas } = window.clmnet.view;
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let count = 0;
      for (let i = 3; i < data.length; i += 4) count += data[i] > 0;
      return count / (data.length / 4);
    });
    assert.ok(coloured > 0.005, `${slide.id}: the layer ${id} shows nothing`);
  }
  await set(page, "layer", "heatmap");
  await set(page, "hide-below", true);
}

async function look(page) {
  await page.goto(facts.address);
  await page.waitForFunction(() => window.clmnet?.view.image);
  await page.fill("#reader", "Dr Shot");
  for (const slide of facts.slides) {
    await openSlide(page, slide.id);
    const map = mapAndCodes(slide);
    await layersLie(page, slide, map);
    await slideLies(page, slide, map);
    await thresholdActsAtOnce(page, slide, map);
    const edges = await contoursAreTheFile(page, slide, map);
    await hotSpotsFlyThere(page, slide);
    await clickShowsEachNetwork(page, slide, map);
    await everyLayerShows(page, slide);
    console.log(`${slide.id}: slide and layers in place, ${edges} contour edges, ${slide.regions} regions`);
  }
}

async function shots() {
  const last = facts.slides.at(-1).id;
  for (const [name, viewport] of [["1280x800", { width: 1280, height: 800 }], ["4k", { width: 3840, height: 2160 }]]) {
    for (const colorScheme of ["light", "dark"]) {
      await withPage(facts, { viewport, colorScheme }, async (page) => {
        await page.goto(`${facts.address}#${encodeURIComponent(last)}`);
        await page.waitForFunction(() => window.clmnet?.spots.all.length > 0);
        await page.fill("#reader", "Dr Shot");
        await page.locator("#viewer").focus();
        await page.keyboard.press("n");
        await settle(page);
        await page.screenshot({ path: path.join(facts.shots, `view-${name}-${colorScheme}.png`) });
        const clipped = await page.evaluate(() => [...document.querySelectorAll("button, label, select, h2, kbd, header *")].filter((element) =>
          element.offsetParent !== null && (element.getBoundingClientRect().right > innerWidth + 1 || (element.tagName === "BUTTON" && element.scrollWidth > element.clientWidth + 1)))
          .map((element) => element.id || element.textContent.trim()));
        assert.deepEqual(clipped, [], `${name}, ${colorScheme}: clipped`);
      });
    }
  }
}

async function reports(page) {
  for (const { id } of facts.slides) fs.writeFileSync(path.join(facts.shots, `report-${id}.pdf`), await printReport(page, facts.address, id));
}

async function review(page) {
  const id = facts.slides.at(-1).id;
  await page.goto(`${facts.address}#${encodeURIComponent(id)}`);
  await page.waitForFunction(() => window.clmnet?.spots.all.length > 0);
  await settle(page);
  await page.fill("#reader", "Dr Kill");
  await page.locator("#viewer").focus();
  await page.waitForSelector("#review-controls:not([hidden])");
  const press = async (key) => {
    const kept = page.waitForResponse((response) => response.url().endsWith("/api/review") && response.request().method() === "POST" && response.ok());
    await page.keyboard.press(key);
    await kept;
  };
  for (const key of ["a", "d", "u"]) {
    await page.keyboard.press("n");
    await press(key);
  }
  await page.keyboard.press("t");
  await press("Space");
  await press("Shift+D");
}

async function reviewAgain(page) {
  const id = facts.slides.at(-1).id;
  await page.goto(`${facts.address}#${encodeURIComponent(id)}`);
  await page.waitForFunction(() => window.clmnet?.spots.all.length > 0);
  await page.fill("#reader", "Dr Kill");
  await page.locator("#viewer").focus();
  await page.waitForFunction(() => document.querySelectorAll("#entries li").length === 1);
  await page.waitForSelector('[data-slide-verdict="disagree"][aria-pressed="true"]');
  const text = await page.textContent("#concordance");
  assert.ok(text.includes("Agreed with 1 of 2 hot spots of this run: 50.0 %") && text.includes("1 unsure"), text);
  const verdicts = await page.evaluate(() => window.clmnet.spots.spots.slice(0, 3).map((spot) => window.clmnet.spots.verdicts.get(spot.id)));
  assert.deepEqual(verdicts, ["agree", "disagree", "unsure"]);
}

run(async () => {
  if (facts.part === "look") {
    await withPage(facts, {}, look);
    await withPage(facts, {}, reports);
    await shots();
  } else {
    await withPage(facts, {}, facts.part === "review" ? review : reviewAgain);
  }
  console.log(`${facts.part}: as it should be`);
});
