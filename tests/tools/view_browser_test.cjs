// Started by view_browser_test.py, which gives the facts of the made-up run on stdin.
const assert = require("node:assert/strict");
const { layerLies, mapOf, overlayAt, printReport, readFacts, run, set, settle, withPage } = require("./view_page.cjs");

const facts = readFacts();
const map = mapOf(facts, (column, row) => facts.codes[row][column]);

async function layerLiesOnTheSlide(page) {
  await set(page, "opacity", 1);
  await set(page, "contours", false);
  await set(page, "hide-below", false);
  const cells = [];
  for (let row = 0; row < facts.map_height; row += 3) for (let column = 0; column < facts.map_width; column += 3) cells.push([column, row]);
  for (const [zoom, degrees] of [[1, 0], [3, 0], [9, 0], [3, 90]]) {
    await page.evaluate(([factor, turn]) => {
      const { viewport } = window.clmnet.view.viewer;
      viewport.setRotation(turn, true);
      viewport.zoomTo(viewport.getHomeZoom() * factor, null, true);
    }, [zoom, degrees]);
    await settle(page);
    assert.equal(await page.evaluate(() => window.clmnet.view.viewer.viewport.getRotation(true)), degrees);
    const seen = await layerLies(page, map, cells, `zoom ${zoom}, ${degrees}°`);
    assert.ok(seen > 20, `zoom ${zoom}: only ${seen} points were on the screen`);
  }
  await page.evaluate(() => window.clmnet.view.viewer.viewport.setRotation(0, true));
  await page.keyboard.press("0");
  await settle(page);
}

async function thresholdAndOpacityAct(page) {
  const at = [[60.5 * map.scaleX, 40.5 * map.scaleY]];
  const probability = (facts.codes[40][60] - 1) / 254;
  await set(page, "hide-below", true);
  await set(page, "threshold", probability - 0.01);
  await settle(page);
  assert.equal((await overlayAt(page, at))[0][3], 255, "over the threshold it is shown");
  await set(page, "threshold", probability + 0.01);
  await settle(page);
  assert.equal((await overlayAt(page, at))[0][3], 0, "below the threshold it is hidden");
  const threshold = await page.evaluate(() => window.clmnet.map.threshold);
  const pixels = facts.codes.flat().filter((one) => one > 0 && (one - 1) / 254 >= threshold).length;
  const mm2 = pixels * map.scaleX * map.scaleY * 0.25e-6;
  await page.waitForFunction(() => document.getElementById("live-area").textContent.includes("mm²"));
  assert.ok((await page.textContent("#live-area")).startsWith(`${mm2.toFixed(3)} mm²`), await page.textContent("#live-area"));
  await set(page, "threshold", 0);
  await set(page, "opacity", 0.5);
  await settle(page);
  const alpha = (await overlayAt(page, at))[0][3];
  assert.ok(Math.abs(alpha - 128) <= 2, `half opaque is ${alpha}`);
}

// A layer of another kind brings its own threshold; the tumour layers share theirs.
async function layersKeepTheirScale(page) {
  await set(page, "threshold", 0.25);
  await set(page, "layer", "tiles_prob_tumour");
  assert.equal(await page.evaluate(() => window.clmnet.map.threshold), 0.25);
  await set(page, "layer", "quality");
  assert.equal(await page.textContent("#threshold-text"), "0.350");
  assert.ok((await page.textContent("#legend-text")).startsWith("Focus"));
  await settle(page);
  await set(page, "layer", "heatmap");
  assert.equal(await page.textContent("#threshold-text"), "0.500");
  assert.deepEqual(await page.locator("#ticks span").allTextContents(), ["0", "0.25", "0.5", "0.75", "1"]);
}

// Rises in lightness (CIE L*) for normal sight and, by Viénot, Brettel and Mollon 1999, for eyes without the red or green cone.
async function coloursAreEvenForEveryEye(page) {
  const maps = await page.evaluate(async () => {
    const { COLOUR_MAPS, colourAt } = await import("/colour_maps.js");
    return COLOUR_MAPS.map((name) => [name, Array.from({ length: 33 }, (_, i) => colourAt(name, i / 32))]);
  });
  assert.equal(maps[0][0], await page.inputValue("#colours"), "the first map is the one that is shown at first");
  const linear = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const eyes = {
    normal: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    protan: [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
    deutan: [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
  };
  for (const [name, colours] of maps) {
    for (const [eye, matrix] of Object.entries(eyes)) {
      const lightness = colours.map((rgb) => {
        const [r, g, b] = matrix.map((row) => row.reduce((sum, weight, c) => sum + weight * linear(rgb[c]), 0));
        const y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
        return y > 0.008856 ? 116 * Math.cbrt(y) - 16 : 903.3 * y;
      });
      const steps = lightness.slice(1).map((value, i) => value - lightness[i]);
      assert.ok(Math.min(...steps) > 0.3 && Math.max(...steps) < 6, `${name} for ${eye}: steps of ${Math.min(...steps)} to ${Math.max(...steps)}`);
    }
  }
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
  // A brush stroke by mouse, then a point by keys.
  await page.keyboard.press("b");
  const stage = await page.locator("#viewer").boundingBox();
  const middle = { x: stage.x + stage.width / 2, y: stage.y + stage.height / 2 };
  const stroke = kept();
  await page.mouse.move(middle.x - 60, middle.y);
  await page.mouse.down();
  await page.mouse.move(middle.x, middle.y + 20, { steps: 4 });
  await page.mouse.move(middle.x + 60, middle.y, { steps: 4 });
  await page.mouse.up();
  await stroke;
  await entries(1);
  await page.keyboard.press("t");
  await press("Space");
  await entries(2);
  await page.keyboard.press("Escape");
  await page.keyboard.press("w");
  await page.keyboard.type("Dysplasia, a no tumour; n p d keys are text here.");
  const comment = kept();
  await page.click("#comment-add");
  await comment;
  await entries(3);
  await page.locator("#viewer").focus();
  await press("d");
  await page.waitForFunction(() => document.getElementById("concordance").textContent.includes("0 of 1 hot spots"));
  await press("Shift+U");
  await page.waitForSelector('[data-slide-verdict="unsure"][aria-pressed="true"]');
}

// Every control is reached by Tab, in order, and shows that it has the focus.
async function focusIsReachedAndSeen(page) {
  const wanted = await page.evaluate(() => [...document.querySelectorAll("button, select, input, textarea, a[href], [tabindex='0']")]
    .filter((element) => element.offsetParent !== null && !element.disabled).map((element) => element.id || element.textContent.trim()));
  await page.evaluate(() => { document.activeElement?.blur(); window.getSelection().removeAllRanges(); });
  const reached = new Set();
  for (let i = 0; i < wanted.length + 10; ++i) {
    await page.keyboard.press("Tab");
    const now = await page.evaluate(() => {
      const element = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      return { name: element.id || element.textContent.trim(), body: element === document.body, seen: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 };
    });
    if (now.body) continue;
    reached.add(now.name);
    assert.ok(now.seen, `'${now.name}' has the focus and does not show it`);
  }
  assert.deepEqual(wanted.filter((name) => !reached.has(name)), [], "controls that Tab does not reach");
}

run(() => withPage(facts, {}, async (page) => {
  await page.goto(facts.address);
  await page.waitForFunction(() => window.clmnet?.spots.all.length === 1);
  await settle(page);
  assert.equal(new URL(page.url()).search, "", "the token stays in the address");
  await coloursAreEvenForEveryEye(page);
  await layerLiesOnTheSlide(page);
  await thresholdAndOpacityAct(page);
  await layersKeepTheirScale(page);
  await reviewByKeys(page);
  await focusIsReachedAndSeen(page);
  await printReport(page, facts.address, "drawn");
  console.log("layers, threshold, opacity, colours, review, focus, report: as they should be");
}));
