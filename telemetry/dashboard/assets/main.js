// Asks for the summary every few seconds while the page can be seen, and redraws the panels when the store has changed.

import { ask } from "./dom.js";
import { PANELS } from "./panels.js";

const EVERY_MS = 4000;
const span = document.getElementById("span"), state = document.getElementById("state");
let summary = null, tag = "", asking = false;

function redraw(only) {
  if (!summary) return;
  for (const [name, panel] of Object.entries(PANELS)) {
    if (only && name !== only) continue;
    const body = document.querySelector(`#${name} .body`);
    if (name === "data" && body.contains(document.activeElement) && document.activeElement.id === "word") continue; // who is typing is not disturbed
    const held = body.contains(document.activeElement) ? key(document.activeElement) : null;
    const open = body.querySelector("details")?.open, scrolled = body.querySelector(".scroll")?.scrollTop;
    const inside = [panel(summary, body.clientWidth, redraw)].flat(Infinity).filter(Boolean);
    body.replaceChildren(...inside);
    if (open) body.querySelector("details").open = true;
    if (scrolled) body.querySelector(".scroll").scrollTop = scrolled;
    if (held) [...body.querySelectorAll("a, button, select, input, summary, [tabindex]")].find((one) => key(one) === held)?.focus();
  }
}

const key = (node) => node.id || node.getAttribute("href") || node.getAttribute("aria-label") || node.localName;

async function refresh() {
  if (asking || document.hidden) return;
  asking = true;
  try {
    const offset = -new Date().getTimezoneOffset();
    const answer = await ask(`/api/summary?days=${span.value}&offset=${offset}`, { headers: tag ? { "if-none-match": tag } : {} });
    if (answer) {
      tag = answer.headers.get("etag") || "";
      summary = await answer.json();
      redraw();
    }
    state.textContent = `Live, ${new Date().toLocaleTimeString("sv-SE")}`;
    state.className = "";
  } catch (error) {
    state.textContent = error instanceof TypeError ? "The dashboard has ended: run `sotto dashboard` again" : error.message;
    state.className = "bad";
  }
  asking = false;
}

function again() {
  tag = "";
  refresh();
}

let resized = 0;
span.addEventListener("change", again);
addEventListener("changed", again);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw()); // a canvas keeps the colours it was drawn with
addEventListener("resize", () => { clearTimeout(resized); resized = setTimeout(() => redraw(), 120); });
document.addEventListener("visibilitychange", refresh);
setInterval(refresh, EVERY_MS);
refresh();
