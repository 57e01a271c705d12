// What the browser tests share: Chromium as a closed machine runs it, and questions to the page.
const assert = require("node:assert/strict");
const fs = require("node:fs");
const { chromium } = require("playwright-core");

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

/** What the Python side gives on stdin. */
const readFacts = () => JSON.parse(fs.readFileSync(0, "utf8"));

/**
 * Runs `visit(page, browser)` on a page of the viewer. Fails when the page complained on its console or asked another server.
 * options: of the browser's context (viewport, colorScheme, deviceScaleFactor).
 */
async function withPage(facts, options, visit) {
  const browser = await chromium.launch({ executablePath: facts.chromium, args: FLAGS });
  try {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce", ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(120000);
    const complaints = [];
    const origin = new URL(facts.address).origin;
    page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("request", (request) => { if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).origin !== origin) complaints.push(`asked ${request.url()}`); });
    await visit(page, context);
    assert.deepEqual(complaints.filter((text) => !(facts.forgiven ?? []).some((part) => text.includes(part))), []);
  } finally {
    await browser.close();
  }
}

/** Draws a frame and waits until it has been shown. */
const drawFrame = (page) => page.evaluate(() => new Promise((drawn) => {
  window.clmnet.view.redraw();
  requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(drawn)));
}));

/** Waits until nothing moves, every tile that the frame asks for has come, and the frame with them is drawn. */
async function settle(page) {
  await drawFrame(page);
  await page.waitForFunction(() => {
    const { view, map } = window.clmnet;
    const viewport = view.viewer.viewport;
    const rests = viewport && Math.abs(viewport.getZoom(true) / viewport.getZoom(false) - 1) < 1e-6 &&
      viewport.getCenter(true).distanceTo(viewport.getCenter(false)) < 1e-7;
    return rests && view.image?.getFullyLoaded() && [...map.layers.values()].every((layer) => [...layer.tiles.values()].every((tile) => tile.values));
  });
  await drawFrame(page);
}

/** Opens a slide by its name in the list and waits for it. */
async function openSlide(page, id) {
  await page.locator(`[id="slide-${id}"]`).click();
  await page.waitForFunction((wanted) => window.clmnet.view.details?.id === wanted && window.clmnet.map.details?.id === wanted, id);
  await settle(page);
}

const set = (page, id, value) => page.evaluate(([name, wanted]) => {
  const input = document.getElementById(name);
  if (input.type === "checkbox") input.checked = wanted;
  else input.value = wanted;
  input.dispatchEvent(new Event("input"));
}, [id, value]);

/** For points of the slide (level-0 px): the overlay's RGBA there; null off the screen. */
const overlayAt = (page, points) => page.evaluate((list) => {
  const { view } = window.clmnet;
  const ratio = window.devicePixelRatio;
  const context = view.canvas.getContext("2d");
  const { x: width, y: height } = view.viewer.viewport.getContainerSize();
  const { data, width: across } = context.getImageData(0, 0, view.canvas.width, view.canvas.height);
  return list.map(([x, y]) => {
    const at = view.toScreen(x, y);
    if (at.x < 2 || at.y < 2 || at.x > width - 2 || at.y > height - 2) return null;
    const place = (Math.floor(at.y * ratio) * across + Math.floor(at.x * ratio)) * 4;
    return [...data.slice(place, place + 4)];
  });
}, points);

/** Moves so that `centre` (level-0 px) is in the middle at `scale` screen px per level-0 px. */
async function moveTo(page, centre, scale, degrees = 0) {
  await page.evaluate(([[x, y], wanted, turn]) => {
    const { view } = window.clmnet;
    const { viewport } = view.viewer;
    viewport.setRotation(turn, true);
    viewport.zoomTo(view.image.imageToViewportZoom(wanted), null, true);
    viewport.panTo(view.image.imageToViewportCoordinates(x, y), true);
    viewport.applyConstraints(true);
  }, [centre, scale, degrees]);
  await settle(page);
}

/** A map of codes over the slide, as a test knows it. codeAt(column, row). */
const mapOf = (facts, codeAt) => ({ width: facts.map_width, height: facts.map_height, codeAt, scaleX: facts.width / facts.map_width, scaleY: facts.height / facts.map_height });

/**
 * Every map pixel that `cells` lists is, just inside two opposite corners, of the colour of its own code: a layer that is off by a
 * pixel of the screen shows a neighbour there. The map must be opaque, without contours, of the finest level at this zoom.
 * Returns how many points were on the screen.
 */
async function layerLies(page, map, cells, what) {
  const scale = await page.evaluate(() => window.clmnet.view.scale());
  const inset = 1.01 / scale;
  const points = [], wanted = [];
  for (const [column, row] of cells) {
    for (const [dx, dy] of [[inset, inset], [map.scaleX - inset, map.scaleY - inset]]) {
      points.push([column * map.scaleX + dx, row * map.scaleY + dy]);
      wanted.push(map.codeAt(column, row));
    }
  }
  const found = await overlayAt(page, points);
  const colours = await page.evaluate(async () => [...(await import("/colour_maps.js")).lookupTable("viridis", 1)]);
  let seen = 0;
  found.forEach((rgba, i) => {
    if (!rgba) return;
    ++seen;
    const colour = colours[wanted[i]];
    const expected = wanted[i] === 0 ? [0, 0, 0, 0] : [colour & 255, colour >> 8 & 255, colour >> 16 & 255, 255];
    assert.deepEqual(rgba, expected, `${what}: level-0 px ${points[i]}, code ${wanted[i]}`);
  });
  return seen;
}

/** Prints a slide's report as the reader would; returns the PDF. It must be one page of A4 with its picture drawn. */
async function printReport(page, address, id) {
  await page.goto(`${new URL(address).origin}/report.html#${encodeURIComponent(id)}`);
  await page.waitForFunction((wanted) => document.body.dataset.ready === "yes" && document.title.includes(wanted), id);
  await page.waitForFunction(() => [...document.images].every((image) => image.complete && image.naturalWidth > 0));
  const drawn = await page.evaluate(() => {
    const canvas = document.getElementById("picture");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let red = 0;
    for (let i = 0; i < data.length; i += 4) red += data[i] === 200 && data[i + 1] === 0 && data[i + 2] === 0;
    return { red, side: Math.max(canvas.width, canvas.height), text: document.body.innerText };
  });
  assert.ok(drawn.side >= 1000 && drawn.red > 100, `the picture is ${drawn.side} px and has ${drawn.red} px of outline`);
  for (const part of ["For research use", "mm²", "SHA-256", "clmnet", "hot spots"]) assert.ok(drawn.text.toLowerCase().includes(part.toLowerCase()), `no '${part}' in the report`);
  const pdf = await page.pdf({ preferCSSPageSize: true, printBackground: true });
  const text = pdf.toString("latin1");
  assert.equal((text.match(/\/Type\s*\/Page\b(?!s)/g) ?? []).length, 1, "the report is more than one page");
  const [, width, height] = text.match(/\/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]/);
  assert.ok(Math.abs(width - 595.3) < 1.5 && Math.abs(height - 841.9) < 1.5, `${width} x ${height} pt is not A4`);
  return pdf;
}

/** Runs main and ends the process with its outcome. */
function run(main) {
  main().catch((problem) => {
    console.error(problem);
    process.exit(1);
  });
}

module.exports = { layerLies, mapOf, moveTo, openSlide, overlayAt, printReport, readFacts, run, set, settle, withPage };
