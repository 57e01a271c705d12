// Started by cv_report_test.py with a cross-validation's report.html and its figures as files.
const assert = require("node:assert/strict");
const { readFacts, run, withPage } = require("./view_page.cjs");

const facts = readFacts();
const SECTIONS = ["cohort", "measures", "comparison", "curves", "examples", "learning", "test", "survival", "methods", "checklist"];
const WIDTH = 1280;

async function everySectionHoldsSomething(page) {
  const found = await page.evaluate(() => [...document.querySelectorAll("h2[id]")].map((heading) => {
    let tables = 0, pictures = 0, words = "";
    for (let next = heading.nextElementSibling; next && next.tagName !== "H2"; next = next.nextElementSibling) {
      tables += next.querySelectorAll("table").length;
      pictures += next.querySelectorAll("img").length + (next.tagName === "IMG");
      words += next.innerText;
    }
    return { id: heading.id, tables, pictures, words: words.length };
  }));
  assert.deepEqual(found.map(({ id }) => id), SECTIONS);
  const of = Object.fromEntries(found.map((section) => [section.id, section]));
  for (const id of ["cohort", "measures", "comparison", "test", "survival", "methods", "checklist"]) assert.ok(of[id].tables > 0, `no table under #${id}`);
  for (const id of ["cohort", "curves", "examples", "learning", "survival"]) assert.ok(of[id].pictures > 0, `no picture under #${id}`);
  for (const { id, words } of found) assert.ok(words > 20, `#${id} is empty`);
  for (const link of await page.locator("nav a").evaluateAll((list) => list.map((one) => one.getAttribute("href")))) {
    assert.equal(await page.locator(`h2${link}`).count(), 1, `the link ${link} leads nowhere`);
  }
}

/** Every picture is decoded, has ink, says what it shows, and lies inside the page. */
async function picturesAreDrawn(page) {
  const pictures = await page.evaluate(async () => {
    const list = [];
    for (const image of document.images) {
      await image.decode();
      const canvas = Object.assign(document.createElement("canvas"), { width: 400, height: 300 });
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.fillStyle = "#fff";
      context.fillRect(0, 0, 400, 300);
      context.drawImage(image, 0, 0, 400, 300);
      const { data } = context.getImageData(0, 0, 400, 300);
      let ink = 0;
      for (let i = 0; i < data.length; i += 4) ink += data[i] + data[i + 1] + data[i + 2] < 600;
      const { left, right, width, height } = image.getBoundingClientRect();
      list.push({ what: image.alt, natural: image.naturalWidth, svg: image.src.startsWith("data:image/svg"), ink, left, right, width, height });
    }
    return list;
  });
  assert.ok(pictures.filter(({ svg }) => svg).length >= 8, `only ${pictures.length} pictures`);
  assert.ok(pictures.some(({ svg }) => !svg), "no example");
  for (const { what, natural, ink, left, right, width, height } of pictures) {
    assert.ok(what.length > 10, "a picture that says not what it shows");
    assert.ok(natural > 0 && width >= 150 && height >= 80, `${what}: ${width} x ${height} px`);
    assert.ok(ink > 150, `${what}: ${ink} of 120000 px are drawn`);
    assert.ok(left >= 0 && right <= WIDTH, `${what}: from ${left} to ${right} px`);
  }
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= WIDTH, `the page is ${wide} px wide`);
  const hidden = await page.evaluate(() => [...document.querySelectorAll(".scroll")].filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.innerText.slice(0, 60)));
  assert.deepEqual(hidden, [], "tables whose last columns are out of sight");
}

/** No two texts of a figure lie on each other (legends, ticks, captions), and none leaves the figure. */
async function textsOfFiguresAreApart(page) {
  const problems = await page.evaluate(async () => {
    const out = [];
    let texts = 0;
    for (const image of [...document.images].filter((one) => one.src.startsWith("data:image/svg"))) {
      const holder = document.createElement("div");
      holder.style.cssText = "position:absolute;left:0;top:0;background:#fff";
      holder.innerHTML = new TextDecoder().decode(Uint8Array.from(atob(image.src.split(",")[1]), (one) => one.charCodeAt(0)));
      document.body.append(holder);
      const svg = holder.querySelector("svg");
      const frame = svg.getBoundingClientRect();
      const boxes = [...svg.querySelectorAll("text")].filter((one) => one.textContent.trim())
        .map((one) => ({ text: one.textContent.trim(), box: one.getBoundingClientRect() }));
      texts += boxes.length;
      if (boxes.length === 0) out.push(`${image.alt}: no text at all`);
      const slack = 1.5;  // boxes hold the space above and below letters too
      boxes.forEach(({ text, box }, i) => {
        if (box.left < frame.left - slack || box.right > frame.right + slack || box.top < frame.top - slack || box.bottom > frame.bottom + slack)
          out.push(`${image.alt}: '${text}' leaves the figure`);
        for (const other of boxes.slice(i + 1)) {
          const across = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
          const down = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
          if (across > slack && down > Math.max(slack, 0.3 * Math.min(box.height, other.box.height))) out.push(`${image.alt}: '${text}' lies on '${other.text}'`);
        }
      });
      holder.remove();
    }
    return { out, texts };
  });
  assert.ok(problems.texts > 50, `only ${problems.texts} texts in all figures`);
  assert.deepEqual(problems.out, []);
}

/** What the clipboard holds, as a user would find it: pasted. */
async function pasted(page) {
  await page.evaluate(() => {
    const area = Object.assign(document.createElement("textarea"), { id: "pasted" });
    area.style.cssText = "position:fixed;left:0;top:0";
    document.body.append(area);
    area.focus();
  });
  await page.keyboard.press("Control+V");
  const text = await page.inputValue("#pasted");
  await page.evaluate(() => document.getElementById("pasted").remove());
  return text;
}

const unquoted = (text) => text.split("\n").map((line) => line.slice(1, -1).split('","').map((cell) => cell.replaceAll('""', '"')));

/** By keys alone: every link and button is reached by Tab, and a table's buttons give it as CSV and LaTeX. */
async function tablesAreCopiedByKeys(page) {
  const wanted = await page.locator("nav a, button").count();
  const tables = await page.locator("table").count();
  assert.equal(await page.locator("button").count(), 2 * tables, "each table has two buttons");
  await page.evaluate(() => { document.activeElement?.blur(); window.scrollTo(0, 0); });
  const reached = new Set(), buttons = [];
  for (let press = 0; press < wanted + tables + 5 && reached.size < wanted; ++press) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const one = document.activeElement;
      const all = [...document.querySelectorAll("nav a, button")];
      const { top, bottom } = one.getBoundingClientRect();
      return { place: all.indexOf(one), kind: one.textContent, top, bottom, height: innerHeight, ring: getComputedStyle(one).outlineStyle };
    });
    if (at.place < 0) continue;  // a table that scrolls
    const inSight = at.top >= 0 && at.bottom <= at.height;
    assert.ok(inSight, `'${at.kind}' has the focus out of sight: ${at.top} to ${at.bottom} of ${at.height} px`);
    assert.notEqual(at.ring, "none", `'${at.kind}' has the focus and does not show it`);
    reached.add(at.place);
    if (at.kind === "copy as CSV") buttons.push(at.place);
  }
  assert.equal(reached.size, wanted, "a link or button is not reached by Tab");
  for (const index of [0, 1, tables - 1]) {
    const cells = await page.locator("table").nth(index).evaluate((table) => [...table.rows].map((row) => [...row.cells].map((cell) => cell.textContent.trim())));
    await page.locator("button", { hasText: "copy as CSV" }).nth(0).waitFor();
    const own = page.locator("table").nth(index).locator("xpath=../following-sibling::div[1]/button");
    await own.nth(0).focus();
    await page.keyboard.press("Enter");
    await page.waitForFunction((one) => one.textContent === "copied", await own.nth(0).elementHandle());
    assert.deepEqual(unquoted(await pasted(page)), cells);
    await own.nth(1).focus();
    await page.keyboard.press("Space");
    await page.waitForFunction((one) => one.textContent === "copied", await own.nth(1).elementHandle());
    const latex = await pasted(page);
    assert.ok(latex.startsWith(`\\begin{tabular}{l${"r".repeat(cells[0].length - 1)}}\n\\hline\n`) && latex.endsWith("\\hline\n\\end{tabular}"), latex);
    const lines = latex.split("\n").filter((line) => line.endsWith("\\\\"));
    assert.equal(lines.length, cells.length);
    lines.forEach((line, i) => assert.equal(line.split(" & ").length, cells[i].length, line));
    assert.ok(!/(^|[^\\])[%_#]/.test(latex) && !/[–−±×]/.test(latex), `LaTeX would not take it: ${latex}`);
  }
}

/** On A4 nothing is wider than the paper, and buttons and links are not printed. */
async function printIsNotCut(page) {
  await page.emulateMedia({ media: "print" });
  await page.setViewportSize({ width: facts.paper_px, height: 1000 });
  const cut = await page.evaluate((paper) => [...document.querySelectorAll("body *")].filter((one) => {
    const { right, width } = one.getBoundingClientRect();
    return width > 0 && (right > paper + 1 || one.tagName === "DIV" && one.scrollWidth > one.clientWidth + 1);
  }).map((one) => `${one.tagName}.${one.className}: ${(one.innerText || one.alt || "").slice(0, 60)}, ${one.getBoundingClientRect().right}`), facts.paper_px);
  assert.deepEqual(cut, []);
  assert.equal(await page.locator("button:visible, nav:visible").count(), 0, "buttons on paper");
  const split = await page.evaluate(() => [...document.querySelectorAll("figure, tr")].filter((one) => getComputedStyle(one).breakInside !== "avoid").length);
  assert.equal(split, 0, "a figure or a row may be cut in two by the end of a page");
  const pdf = await page.pdf({ preferCSSPageSize: true, printBackground: true });
  const [, width, height] = pdf.toString("latin1").match(/\/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]/);
  assert.ok(Math.abs(width - 841.9) < 1.5 && Math.abs(height - 595.3) < 1.5, `${width} x ${height} pt is not A4 across`);
  if (facts.shot) require("node:fs").writeFileSync(`${facts.shot}.pdf`, pdf);
  await page.setViewportSize({ width: WIDTH, height: 800 });
  await page.emulateMedia({ media: "screen" });
}

run(() => withPage(facts, {}, async (page, context) => {
  const asked = [];
  page.on("request", (request) => { if (!request.url().startsWith("data:")) asked.push(request.url()); });
  await context.setOffline(true);
  await page.goto(facts.address);
  assert.equal(await page.title(), "clmnet cross-validation");
  if (facts.shot) await page.screenshot({ path: `${facts.shot}.png`, fullPage: true });
  await everySectionHoldsSomething(page);
  await picturesAreDrawn(page);
  await textsOfFiguresAreApart(page);
  await tablesAreCopiedByKeys(page);
  await printIsNotCut(page);
  assert.deepEqual(asked, [facts.address], "the report asks for more than itself");
  console.log("report: as it should be");
}));
