// The record itself: where it lies, how to take it along, how to pause it, how to end it.

import { h, ask, bytes, count } from "./dom.js";

let said = ""; // outlives the redraw that erasing brings

export function dataPanel(data) {
  const found = data.data;
  return [h("p", {}, h("code", {}, found.path), `, ${bytes(found.bytes)}: `, h("a", { href: "/rows?step=all" }, `${count(found.opportunities)} moments`),
    ` as rows (kept ${found.raw_days} days), counts of ${count(found.days)} days (kept ${found.daily_days} days).`),
  h("p", { class: "note" }, "Numbers only: no code, no names, no paths. It lies on this machine alone; nothing in Sotto sends anything."),
  h("div", { class: "pair" },
    h("div", {}, h("h3", {}, "Take it along"),
      h("p", {}, h("a", { class: "button", href: "/export.jsonl", download: true }, "All rows as JSON lines"), " ",
        h("a", { class: "button", href: "/export.csv", download: true }, "Opportunities as CSV")),
      h("h3", {}, "Pause"), pauser(found.paused),
      h("p", { class: "note" }, "Or set ", h("code", {}, "\"telemetry\": false"), " in your editor's settings for Sotto: it holds from the next event on. ",
        h("code", {}, "DO_NOT_TRACK=1"), " in the environment does the same for every editor started with it.")),
    h("div", {}, h("h3", {}, "Erase"), eraser()))];
}

/** A pause is a file beside the store: every server of this user sees it. */
function pauser(paused) {
  const told = h("span", { class: "note", role: "status" }, paused ? "Nothing is recorded now." : "The record is being kept.");
  const press = async () => {
    try {
      const { token } = await (await ask("/api/token")).json();
      await ask("/api/pause", { method: "POST", headers: { "content-type": "application/json", "x-sotto-token": token }, body: JSON.stringify({ paused: !paused }) });
      dispatchEvent(new Event("changed"));
    } catch (error) {
      told.textContent = error.message;
    }
  };
  return h("p", { class: "controls" }, h("button", { type: "button", id: "pause", onclick: press }, paused ? "Go on recording" : "Pause recording"), told);
}

function eraser() {
  const word = h("input", { id: "word", autocomplete: "off", autocapitalize: "off", spellcheck: "false", size: 8 });
  const told = h("p", { class: "note", role: "status" }, said);
  return h("form", { onsubmit: (event) => { event.preventDefault(); erase(word, told); } },
    h("p", {}, "Every row, its copies, the key behind the file keys, and what the gate learned from it. It cannot be undone."),
    h("p", { class: "controls" }, h("label", {}, "Type ", h("code", {}, "erase"), " ", word), h("button", { class: "danger" }, "Erase everything")), told);
}

async function erase(word, told) {
  try {
    const { token } = await (await ask("/api/token")).json();
    await ask("/api/erase", { method: "POST", headers: { "content-type": "application/json", "x-sotto-token": token }, body: JSON.stringify({ word: word.value.trim() }) });
    word.value = "";
    said = `Erased, ${new Date().toLocaleTimeString("sv-SE")}.`;
    told.textContent = said;
    dispatchEvent(new Event("changed"));
  } catch (error) {
    told.textContent = error.message;
  }
}
