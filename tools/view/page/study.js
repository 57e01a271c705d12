// The page of one reader in a study. The server decides what may be seen and when; this page only shows it.
import { askForSlidesAt, getJson, postJson, slideAddress } from "./api.js";
import { byId, startTheme } from "./dom.js";
import { HotSpots } from "./hot_spots.js";
import { Keys } from "./keys.js";
import { MapPanel } from "./map_panel.js";
import { addMapKeys, addViewKeys, makeStage, say, startHelp } from "./stage.js";

const view = makeStage();
const map = new MapPanel(view);
const spots = new HotSpots(view, () => {});
const keys = new Keys();
let root = "";      // below it the server answers this reader
let state = null;   // as the server gave it last
let chosen = null;  // 0 to 100, null until the reader has chosen

/** The reader's key moves from the address, where it could be seen and copied, into this tab's memory. */
function takeKey() {
  const given = new URLSearchParams(location.hash.slice(1)).get("study");
  if (given) {
    sessionStorage.setItem("clmnet-study", given);
    history.replaceState(null, "", "/");
  }
  return sessionStorage.getItem("clmnet-study");
}

function choose(value) {
  chosen = value === null ? null : Math.min(Math.max(value, 0), 100);
  byId("confidence").value = chosen ?? 50;
  byId("confidence-text").textContent = chosen === null ? "not chosen yet" : String(chosen);
  byId("lock").disabled = chosen === null;
}

function phaseText({ phase, aided, not_before: notBefore, washout_days: days }) {
  if (phase > 1) return "All cases are answered. Thank you.";
  if (notBefore) return `The first phase is done. The second begins after ${days} days, on ${new Date(notBefore).toLocaleString()}.`;
  return aided ? "Second phase: with the program's maps." : "First phase: without the program's maps.";
}

async function showState() {
  const { study, reader, question, cases, phase, place, opened, not_before: notBefore, aided } = state;
  document.title = `${study} – clmnet reader study`;
  byId("study-name").textContent = study;
  byId("reader-name").textContent = reader;
  byId("question").textContent = question;
  byId("phase-text").textContent = phaseText(state);
  byId("progress").textContent = phase > 1 ? "done" : `Phase ${phase + 1} of 2, case ${place + 1} of ${cases}`;
  const open = opened && view.details !== null && view.details !== undefined;
  byId("open-case").hidden = open || phase > 1 || notBefore !== null;
  byId("answer").hidden = !open;
  byId("map-section").hidden = byId("spots-section").hidden = !(open && aided);
}

async function openCase() {
  if (byId("open-case").hidden) return;
  say("");
  try {
    state = await postJson(`${root}/open`, { place: state.code });
    const details = await getJson(slideAddress(state.code));
    await view.open(details);
    if (state.aided) {
      map.open(details);
      await spots.open(details);
    }
    choose(null);
    byId("viewer").focus();
  } catch (problem) {
    say(problem.message);
  }
  await showState();
}

async function lock() {
  if (chosen === null || byId("answer").hidden) return;
  try {
    state = await postJson(`${root}/answer`, { place: state.code, confidence: chosen });
    view.close();
    choose(null);
    say("");
  } catch (problem) {
    say(`Not kept: ${problem.message}`);
  }
  await showState();
}

function addKeys() {
  addViewKeys(keys, view);
  const answering = (act) => () => { if (!byId("answer").hidden) act(); };
  const aided = { step: (by) => { if (state?.aided) spots.step(by); } };
  addMapKeys(keys, map, aided);
  keys.add("Enter", "Enter", "Open the next case, or lock the answer", () => (byId("answer").hidden ? openCase() : lock()))
    .add("q", "Q E", "Confidence by 1", answering(() => choose((chosen ?? 50) - 1))).add("e", "", "Confidence by 1", answering(() => choose((chosen ?? 50) + 1)))
    .add("Q", "Shift Q, Shift E", "Confidence by 10", answering(() => choose((chosen ?? 50) - 10))).add("E", "", "Confidence by 10", answering(() => choose((chosen ?? 50) + 10)));
}

async function start() {
  startTheme(byId("theme-button"));
  addKeys();
  startHelp(keys);
  byId("open-case").addEventListener("click", openCase);
  byId("lock").addEventListener("click", lock);
  byId("confidence").addEventListener("input", () => choose(Number(byId("confidence").value)));
  choose(null);
  const key = takeKey();
  if (!key) {
    say("Open the address that clmnet view printed beside your name.");
    return;
  }
  root = `/api/study/${key}`;
  askForSlidesAt(`${root}/slides`);
  try {
    state = await getJson(root);
    await showState();
  } catch (problem) {
    say(problem.message);
  }
}

start();
window.clmnet = { view, map, spots };  // for the tests
