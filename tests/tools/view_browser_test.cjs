// Started by view_browser_test.py, which gives the facts of the made-up run on stdin.
const assert = require("node:assert/strict");
const fs = require("node:fs");
const { chromium } = require("playwright-core");

const facts = JSON.parse(fs.readFileSync(0, "utf8"));
const origin = new URL(facts.address).origin;

// For points of the slide (level-0 px): the colour of the overlay there, and whether it is shown at all.
const overlayAt = (page, points) => page.evaluate((list) => {
  const { view } = window.clmnet;
  const ratio = window.devicePixelRatio;
  const context = view.canvas.getContext("2d");
  const { x: width, y: height } = view.viewer.viewport.getContainerSize();
  return list.map(([x, y]) => {
    const at = view.toScreen(x, y);
    if (at.x < 2 || at.y < 2 || at.x > width - 2 || at.y > height - 2) return null;
    return [...context.getImageData(Math.floor(at.x * ratio), Math.floor(at.y * ratio), 1, 1).data];
  });
}, points);

const settle = async (page) => {
  await page.waitForFunction(() => {
    const { view, map } = window.clmnet;
    const viewport = view.viewer.viewport;
    const rests = viewport && Math.abs(viewport.getZoom(true) / viewport.getZoom(false) - 1) < 1e-6 &&
      viewport.getCenter(true).distanceTo(viewport.getCenter(false)) < 1e-7;
    return rests && view.image?.getFullyLoaded() && [...map.layers.values()].every((layer) => [...layer.tiles.values()].every((tile) => tile.values));
  });
  await page.evaluate(() => new Promise((drawn) => {
    window.clmnet.view.redraw();
    requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(drawn)));
  }));
};

const set = (page, id, value) => page.evaluate(([name, wanted]) => {
  const input = document.getElementById(name);
  if (input.type === "checkbox") input.checked = wanted;
  else input.value = wanted;
  input.dispatchEvent(new Event("input"));
}, [id, value]);

async function layerLiesOnTheSlide(page) {
  await set(page, "opacity", 1);
  await set(page, "contours", false);
  await set(page, "hide-below", false);
  const scaleX = facts.width / facts.map_width, scaleY = facts.height / facts.map_height;
  for (const [zoom, degrees] of [[1, 0], [3, 0], [9, 0], [3, 90]]) {
    await page.evaluate(([factor, turn]) => {
      const { viewport } = window.clmnet.view.viewer;
      viewport.setRotation(turn, true);
      viewport.zoomTo(viewport.getHomeZoom() * factor, null, true);
    }, [zoom, degrees]);
    await settle(page);
    // Just inside the four corners of each map pixel: a layer that is off by a pixel of the screen shows its neighbour there.
    const scale = await page.evaluate(() => window.clmnet.view.scale());
    const inset = 1.01 / scale;
    const points = [], wanted = [];
    for (let row = 0; row < facts.map_height; row += 3) {
      for (let column = 0; column < facts.map_width; column += 3) {
        for (const [dx, dy] of [[inset, inset], [scaleX - inset, scaleY - inset]]) {
          points.push([column * scaleX + dx, row * scaleY + dy]);
          wanted.push(facts.codes[row][column]);
        }
      }
    }
    const found = await overlayAt(page, points);
    assert.equal(await page.evaluate(() => window.clmnet.view.viewer.viewport.getRotation(true)), degrees);
    const colours = await page.evaluate(async () => {
      const { lookupTable } = await import("/colour_maps.js");
      return [...lookupTable("viridis", 1)];
    });
    let seen = 0;
    found.forEach((rgba, i) => {
      if (!rgba) return;
      ++seen;
      const colour = colours[wanted[i]];
      const expected = wanted[i] === 0 ? [0, 0, 0, 0] : [colour & 255, colour >> 8 & 255, colour >> 16 & 255, 255];
      assert.deepEqual(rgba, expected, `zoom ${zoom}: level-0 px ${points[i]}, code ${wanted[i]}`);
    });
    assert.ok(seen > 20, `zoom ${zoom}: only ${seen} points were on the screen`);
  }
  await page.evaluate(() => window.clmnet.view.viewer.viewport.setRotation(0, true));
  await page.keyboard.press("0");
  await settle(page);
}

async function thresholdAndOpacityAct(page) {
  const at = [[(60.5) * facts.width / facts.map_width, (40.5) * facts.height / facts.map_height]];
  const code = facts.codes[40][60], probability = (code - 1) / 254;
  await set(page, "hide-below", true);
  await set(page, "threshold", probability - 0.01);
  await settle(page);
  assert.equal((await overlayAt(page, at))[0][3], 255, "over the threshold it is shown");
  await set(page, "threshold", probability + 0.01);
  await settle(page);
  assert.equal((await overlayAt(page, at))[0][3], 0, "below the threshold it is hidden");
  const threshold = await page.evaluate(() => window.clmnet.map.threshold);
  const pixels = facts.codes.flat().filter((one) => one > 0 && (one - 1) / 254 >= threshold).length;
  const mm2 = pixels * facts.width * facts.height / (facts.map_width * facts.map_height) * 0.25e-6;
  assert.ok((await page.textContent("#live-area")).startsWith(`${mm2.toFixed(3)} mm²`), await page.textContent("#live-area"));
  await set(page, "threshold", 0);
  await set(page, "opacity", 0.5);
  await settle(page);
  const alpha = (await overlayAt(page, at))[0][3];
  assert.ok(Math.abs(alpha - 128) <= 2, `half opaque is ${alpha}`);
}

async function reviewByKeys(page) {
  await page.fill("#reader", "Dr Test");
  await page.locator("#viewer").focus();
  const kept = () => page.waitForResponse((response) => response.url().endsWith("/api/review") && response.request().method() === "POST" && response.ok());
  const press = async (key) => { const answer = kept(); await page.keyboard.press(key); await answer; };
  const entries = (count) => page.waitForFunction((wanted) => document.querySelectorAll("#entries li").length === wanted, count);
  await page.waitForSelector("#review-controls:not([hidden])");
  await page.keyboard.press("n");
  await press("a");
  await page.waitForSelector('[data-verdict="agree"][aria-pressed="true"]');
  await page.keyboard.press("g");
  for (const arrow of ["ArrowRight", "ArrowDown", "ArrowLeft"]) {
    await page.keyboard.press("Space");
    await page.keyboard.press(arrow);
    await settle(page);
  }
  await press("Enter");
  await entries(1);
  await page.keyboard.press("Escape");
  await press("z");
  await entries(0);
  await press("d");
  await page.waitForFunction(() => document.getElementById("concordance").textContent.includes("0 of 1 hot spots"));
}

async function main() {
  const browser = await chromium.launch({ executablePath: facts.chromium, args: ["--no-sandbox"] });
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" });
    page.setDefaultTimeout(120000);
    const complaints = [];
    page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("request", (request) => { if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).origin !== origin) complaints.push(`asked ${request.url()}`); });
    await page.goto(facts.address);
    await page.waitForFunction(() => window.clmnet?.spots.all.length === 1);
    await settle(page);
    assert.equal(new URL(page.url()).search, "", "the token stays in the address");
    await layerLiesOnTheSlide(page);
    await thresholdAndOpacityAct(page);
    await reviewByKeys(page);
    assert.deepEqual(complaints, []);
    console.log("layers, threshold, opacity, review: as they should be");
  } finally {
    await browser.close();
  }
}

main().catch((problem) => {
  console.error(problem);
  process.exit(1);
});
