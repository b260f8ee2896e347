// The rows behind a number, newest first, and everything that is stored of one.

import { h, ask, moment, ms, idLink, table, empty, count } from "./dom.js";

const asked = new URLSearchParams(location.search);
const state = document.getElementById("state"), more = document.getElementById("more"), detail = document.getElementById("detail");
const body = document.querySelector("section .body");
const found = [];

const words = { step: "", since: "from ", until: "before " };
const told = (name, value) => (name === "since" || name === "until" ? words[name] + moment(Number(value)) : name === "step" ? value : `${name}: ${value || "none"}`);

function draw(next) {
  const number = (value) => (value == null ? "" : value.toFixed(2));
  body.replaceChildren(found.length ? table(["id", "when", "kind", "language", "trigger", "decision", "reason", "rule", "#probability", "#threshold", "#time", "#characters", "outcome", "#seen for", "#accepted", "#kept"],
    found.map((row) => [idLink(row.id), moment(row.ts_ms), row.kind, row.language, row.trigger, row.explored ? `${row.decision} (explored)` : row.decision, row.why && row.why !== row.reason ? `${row.reason} (${row.why})` : row.reason, row.rule, number(row.p), number(row.threshold),
      ms(row.t_total), row.n_chars ?? "", row.outcome ?? "", row.visible_ms == null ? "" : ms(row.visible_ms), row.accepted_chars ?? "", row.retained_chars ?? ""]))
    : empty(next ? "None among the rows looked at so far." : "No such rows. Rows are kept 90 days; counts of older days lead to none."));
  state.textContent = `${count(found.length)} rows${next ? " so far" : ""}`;
  more.hidden = !next;
  more.onclick = () => { for (const [name, value] of Object.entries(next)) asked.set(name, value); load(); };
}

async function load() {
  try {
    const answer = await (await ask(`/api/rows?${asked}`)).json();
    found.push(...answer.rows);
    draw(answer.next);
  } catch (error) {
    fail(error);
  }
}

const round = (value) => Number(value.toFixed(4));

function pairs(row) {
  return table(["name", "value"], Object.entries(row).filter(([, value]) => typeof value !== "object" || value === null).map(([name, value]) =>
    [name, value === null ? "none" : name === "ts_ms" || name === "shown_ms" ? `${value} (${moment(value)})` : typeof value === "number" ? round(value) : value]), { kind: "pairs" });
}

async function one(id) {
  try {
    const row = await (await ask(`/api/row?id=${encodeURIComponent(id)}`)).json();
    const parts = ["impressions", "outcomes", "retentions"].flatMap((name) => row[name].map((part) => [h("h3", {}, name.slice(0, -1)), pairs(part)]));
    const features = Object.entries(row.features).sort((a, b) => a[0].localeCompare(b[0]));
    document.querySelector("section").hidden = true;
    detail.hidden = false;
    detail.querySelector(".body").replaceChildren(h("div", { class: "pair" }, h("div", {}, pairs(row)),
      h("div", {}, parts.flat(), h("h3", {}, "what the gate knew"), features.length ? table(["feature", "value"], features.map(([name, value]) => [name, round(value)]), { kind: "pairs" }) : empty("No features were stored."))),
      h("p", { class: "note" }, "Why, feature by feature: ", h("code", {}, `sotto gate explain ${row.id}`)));
    state.textContent = "1 row";
  } catch (error) {
    fail(error);
  }
}

function fail(error) {
  state.textContent = error.message;
  state.className = "bad";
}

document.getElementById("filters").replaceChildren(...[...asked].filter(([name, value]) => name !== "id" && (value || name !== "step")).map(([name, value]) => h("span", {}, told(name, value))));
if (asked.has("id")) one(asked.get("id"));
else load();
