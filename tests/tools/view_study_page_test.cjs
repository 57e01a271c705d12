// Started by view_browser_test.py with the address of one reader: two cases, no washout. Reads the whole study by keys alone.
const assert = require("node:assert/strict");
const { readFacts, run, settle, withPage } = require("./view_page.cjs");

const facts = readFacts();

async function readCase(page, phase, confidenceKeys) {
  await page.waitForSelector("#open-case:not([hidden])");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#answer:not([hidden])");
  await settle(page);
  assert.equal(await page.isVisible("#map-section"), phase === 2, `maps in phase ${phase}`);
  assert.equal(await page.evaluate(() => window.clmnet.map.layers.size > 0), phase === 2, `layers known to the page in phase ${phase}`);
  assert.ok(await page.isDisabled("#lock"), "nothing is chosen yet");
  await page.keyboard.press("Enter");
  assert.ok(await page.isVisible("#answer"), "an answer was locked that nobody gave");
  for (const key of confidenceKeys) await page.keyboard.press(key);
  await page.keyboard.press("Enter");
  await page.waitForSelector("#answer", { state: "hidden" });
}

run(() => withPage(facts, {}, async (page) => {
  const asked = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await page.goto(facts.address);
  await page.waitForFunction(() => document.getElementById("progress").textContent === "Phase 1 of 2, case 1 of 2");
  assert.ok(!page.url().includes("study="), "the key stays in the address");
  await page.reload();
  await readCase(page, 1, ["e", "e", "Shift+E"]);
  assert.equal(await page.textContent("#progress"), "Phase 1 of 2, case 2 of 2");
  await readCase(page, 1, ["q"]);
  const first = asked.filter((path) => /layers|outlines|value|crop|\/api\/slides/.test(path));
  assert.deepEqual(first, [], "the first phase asked for maps");
  await page.waitForFunction(() => document.getElementById("progress").textContent === "Phase 2 of 2, case 1 of 2");
  await readCase(page, 2, ["Shift+E", "Shift+E"]);
  if (facts.shot) {
    await page.keyboard.press("Enter");
    await page.waitForSelector("#answer:not([hidden])");
    await settle(page);
    await page.screenshot({ path: facts.shot });
    await page.keyboard.press("Shift+Q");
    await page.keyboard.press("Enter");
  } else {
    await readCase(page, 2, ["Shift+Q"]);
  }
  await page.waitForFunction(() => document.getElementById("phase-text").textContent.includes("All cases are answered"));
  console.log("study: as it should be");
}));
