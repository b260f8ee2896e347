// One function a panel: the summary in, nodes out. Every number is a link to its rows.

import { h, count, percent, ms, moment, rows, link, rateText, rateBar, idLink, empty, table, FEW } from "./dom.js";
import * as charts from "./charts.js";
import { dataPanel } from "./data.js";
import { model, rules, timeline } from "./work.js";

const PHASES = { t_wait: "wait", t_context: "context", t_prefill: "prefill", t_decode: "decode", t_total: "whole" };
const DIMENSIONS = { language: "Language", kind: "Kind", model: "Model", trigger: "Trigger", reason: "Reason", why: "The gate's word", rule: "Rule", outcome: "Outcome", gate: "Gate version" };
const NOT_YET = "Nothing is recorded in this span yet. Sotto notes each moment at which a suggestion was possible while you edit; the numbers come by themselves.";
const STAGES = { 1: "before the model runs", 2: "before it is shown" };

const WHYS = { gate: "the gate: you are unlikely to take it", invoked: "you asked for it", new: "you are new here", sure: "likely to be taken",
  silence: "nothing was shown for long", budget: "hiding more would cost you", explored: "shown to learn from it", standing: "it stood there already", error: "the gate failed" };

/** Why one was hidden: the quality floor comes before the gate, whatever that thought. */
const why = (row) => (row.reason === "unsure" ? "below the quality floor" : WHYS[row.why] || row.why || "the gate: below its threshold");

function whys(list) {
  const found = new Map();
  for (const row of list) found.set(why(row), (found.get(why(row)) || 0) + 1);
  return [...found].sort((a, b) => b[1] - a[1]).map(([text, n]) => `${count(n)} ${text}`).join("; ");
}

/** What the user has chosen; it outlives a redraw. */
export const chosen = { curve: null, threshold: null, dimension: "language" };

const tile = (value, ...below) => h("div", { class: "tile" }, h("b", {}, value), h("span", {}, below));

function rateTile(rate, name, filters) {
  if (!rate.n) return tile("none yet", name);
  const href = rows(filters);
  const shown = rate.few ? `${count(rate.k)} of ${count(rate.n)}` : percent(rate.k / rate.n);
  return tile(h("a", { href }, shown), `${name}, n ${count(rate.n)}, 95 % interval ${percent(rate.low)} to ${percent(rate.high)}`);
}

function today(data) {
  const row = data.today, since = data.midnight_ms;
  if (!row.opportunities) {
    return [empty("Nothing yet today. "), data.data.opportunities ? null : h("p", { class: "note" },
      "This is where your own numbers will stand. Join Sotto to an editor and type; the record is kept in ", h("code", {}, data.data.path), " and goes nowhere else.")];
  }
  return h("div", { class: "tiles" },
    tile(link(row.shown, { step: "shown", since }), "suggestions shown, of ", link(row.opportunities, { since }), " moments"),
    rateTile(row.acceptance, "accepted of those judged", { step: "judged", since }),
    tile(link(row.accepted_chars, { step: "accepted", since }), "characters accepted"),
    rateTile(row.kept_share, "of accepted characters still there after two minutes", { step: "checked", since }),
    tile(link(row.hidden, { step: "hidden", since }), "computed and hidden by the gate"),
    tile(link(row.unread, { step: "unread", since }), "typed over before they can have been read"));
}

function days(data, width) {
  if (!data.total.opportunities) return empty(NOT_YET);
  const half = width > 860 ? width / 2 - 16 : width;
  return [h("div", { class: "pair" },
    h("div", {}, h("h3", {}, "Accepted, of those clearly taken or refused"), charts.acceptance(data, half),
      charts.legend(["band", "95 % interval (Wilson)"], ["dot", `share, from n ${FEW} on`], ["bar quiet", "n"])),
    h("div", {}, h("h3", {}, "Characters"), charts.characters(data, half),
      charts.legend(["bar soft", "accepted"], ["bar", "of these, seen still there after two minutes"]))),
  h("details", {}, h("summary", {}, "As a table"), table(["day (UTC)", "#moments", "#hidden", "#shown", "accepted, of those judged", "#characters accepted", "still there after two minutes"],
    Object.entries(data.by_day).reverse().map(([day, row]) => {
      const since = Date.parse(day), span = { since, until: since + 86400000 };
      return [day, link(row.opportunities, span), link(row.hidden, { step: "hidden", ...span }), link(row.shown, { step: "shown", ...span }),
        rateText(row.acceptance), link(row.accepted_chars, { step: "accepted", ...span }), rateText(row.kept_share, "characters")];
    }))), h("p", { class: "note" }, `Days are UTC. Rows are kept ${data.data.raw_days} days, their counts ${data.data.daily_days}; older numbers lead to no rows.`)];
}

function funnel(data, width) {
  const row = data.total, since = data.since_ms;
  if (!row.opportunities) return empty(NOT_YET);
  const step = (text, n, name, kind) => ({ text, n, kind, href: rows({ since, step: name || null }) });
  return [charts.bars([
    step("moments", row.opportunities, ""),
    step("not computed", row.skipped, "skipped", "quiet"),
    step("computed", row.generated, "generated"),
    step("computed, hidden", row.hidden, "hidden", "quiet"),
    step("shown", row.shown, "shown"),
    step("clearly judged", row.judged, "judged"),
    step("accepted", row.accepted, "accepted"),
    step("looked at again", row.checked, "checked", "quiet"),
    step("retained", row.kept, "kept"),
  ], width, "Funnel"),
  h("h3", {}, "In characters"),
  charts.bars([
    { text: "shown", n: row.shown_chars, href: rows({ since, step: "shown" }) },
    { text: "accepted", n: row.accepted_chars, href: rows({ since, step: "accepted" }) },
    { text: "looked at again", n: row.checked_120, href: rows({ since, step: "checked" }), kind: "quiet" },
    { text: "kept 2 minutes", n: row.retained_120, href: rows({ since, step: "retained" }) },
  ], width, "Funnel in characters"),
  h("p", { class: "note" }, "Kept, of those looked at again: ", rateText(row.kept_share, "characters"),
    ". Its interval counts suggestions, not characters. Retained: half of its text or more stands there two minutes later. Accepting is no aim of its own; text that stays is.")];
}

function latency(data, width) {
  const found = data.latency.show, since = data.since_ms;
  if (!found.t_total) return empty("No suggestion has been shown in this span yet, so there is nothing to time.");
  const list = Object.entries(PHASES).filter(([phase]) => found[phase]);
  const timed = { since, kind: "inline" }, href = rows({ ...timed, decision: "show" });
  return [charts.bars(list.map(([phase, name]) =>
    ({ text: name, n: found[phase].p50, back: found[phase].p95, told: `${ms(found[phase].p50)}, ${ms(found[phase].p95)}`, href })), width, "Latency by stage"),
  charts.legend(["bar", "p50: half came within"], ["bar soft", "p95: nineteen of twenty"]),
  h("p", { class: "note" }, "Of suggestions shown at the cursor, n ", link(found.t_total.n, { ...timed, decision: "show" }),
    data.speed ? `; the model decoded ${count(data.speed)} tokens a second` : "",
    ". Cancelled because you typed on: ", rateText(data.total.cancelled_share), "."),
  data.latency.hide.t_total && h("p", { class: "note" }, `Hidden ones took ${ms(data.latency.hide.t_total.p50)} (p50) and ${ms(data.latency.hide.t_total.p95)} (p95), n `,
    link(data.latency.hide.t_total.n, { ...timed, step: "hidden" }), ".")];
}

function gate(data) {
  const found = data.gate, since = data.since_ms;
  if (!found.hidden_share.n) return empty("The gate has decided nothing in this span yet. A new user sees every suggestion at first; then hides appear here, each with its reason.");
  const explored = found.explored;
  return [h("div", { class: "tiles" },
    rateTile(found.hidden_share, "hidden, of suggestions that were computed", { since, step: "hidden" }),
    tile(link(data.by.reason.gated_skip?.opportunities ?? 0, { since, reason: "gated_skip" }), "moments at which the gate did not ask the model"),
    tile(link(explored.explored, { since, step: "explored" }), "hides overruled by chance, to learn what hiding costs"),
    rateTile(explored.acceptance, "of those overruled, and judged, you took", { since, step: "explored" }),
    tile(link(found.silence.now, { trigger: "automatic", kind: "inline" }), `moments without a suggestion just now; longest ${count(found.silence.longest)} among the last ${count(found.silence.among)} automatic ones`)),
  found.curves.length === 0 && h("p", { class: "note" }, "No gate version has decided in this span yet; what is hidden is below the quality floor."),
  h("h3", {}, `Why the last ${found.hidden.length} were hidden`), 
  found.hidden.length > 0 && h("p", {}, whys(found.hidden), "."), hiddenTable(found.hidden),
  found.hidden.length > 0 && h("p", { class: "note" }, "Probability is what the gate gave to your taking it; it hides below the threshold, except with the chance in the last column. More: ", h("code", {}, "sotto gate explain ID"), ".")];
}

const hiddenTable = (list) => (list.length === 0 ? empty("Nothing was hidden.") :
  table(["when", "kind", "language", "reason", "stage", "#probability", "#threshold", "#chance of being shown", "id"], list.map((row) => {
    const p = row.p2 ?? row.p1, gated = row.reason !== "unsure"; // the quality floor asks no gate
    return [moment(row.ts_ms), row.kind, row.language, why(row), gated ? STAGES[row.stage] || "" : "", p == null ? "" : p.toFixed(2),
      row.threshold == null || !gated ? "" : row.threshold.toFixed(2), row.stage && gated ? `${(100 * (1 - row.propensity)).toFixed(1)} %` : "", idLink(row.id)];
  }), { scroll: true, label: "Hidden suggestions" }));

function calibration(data, width, redraw) {
  const curves = data.gate.curves;
  if (!curves.length) return empty("No gate has given a probability in this span yet. With the first decisions a reliability diagram appears here for each gate version, and a slider that tells what another threshold would have done.");
  const name = (one) => `${one.gate || "no name"}, ${STAGES[one.stage]}`;
  if (!curves.some((one) => name(one) === chosen.curve)) chosen.curve = name([...curves].sort((a, b) => b.stage - a.stage || age(data, a) - age(data, b) || b.labelled - a.labelled)[0]);
  if (chosen.threshold == null) chosen.threshold = Math.round(100 * (data.gate.hidden[0]?.threshold ?? 0.5));
  const curve = curves.find((one) => name(one) === chosen.curve);
  const half = width > 860 ? width / 2 - 16 : width;
  const picker = h("select", { id: "curve", onchange: (event) => { chosen.curve = event.target.value; redraw("calibration"); } },
    curves.map((one) => h("option", { value: name(one), selected: one === curve }, name(one))));
  return [h("p", { class: "controls" }, h("label", {}, "Gate version ", picker),
    h("span", { class: "note" }, link(curve.n, { since: data.since_ms, gate: curve.gate }), ` decisions, ${count(curve.labelled)} judged`)),
  curve.labelled ? h("div", { class: "pair" },
    h("div", {}, h("h3", {}, "Said, and came true"), charts.reliability(curve, half),
      h("p", { class: "note" }, curve.ece == null ? "Too few judgements for a calibration error (fewer than 100)." : `Expected calibration error ${curve.ece.toFixed(3)}.`, ` Points need n ${FEW}.`)),
    h("div", {}, h("h3", {}, "What if the threshold were another?"), whatIf(curve, half)))
    : empty("None of these was judged yet."),
  h("p", { class: "note" }, "Judgements weigh as in the gate's training, divided by the chance of what was decided; overruled hides stand for all hides. Intervals count judgements, none as more than one.")];
}

/** Versions are known newest first; one without a row is the oldest. */
function age(data, curve) {
  const at = data.gate.versions.findIndex((one) => one.id === curve.gate && curve.labelled);
  return at < 0 ? Infinity : at;
}

function whatIf(curve, width) {
  const place = h("div", {}), told = h("output", { for: "threshold" });
  const slider = h("input", { type: "range", id: "threshold", min: 0, max: 100, step: 1, value: chosen.threshold, "aria-label": "Threshold",
    oninput: (event) => { chosen.threshold = Number(event.target.value); draw(); } });
  function draw() {
    const here = curve.thresholds[chosen.threshold];
    place.replaceChildren(charts.coverage(curve, chosen.threshold, width));
    const rate = here.precision == null ? "nobody judged any that high" : `${here.n < FEW ? "" : percent(here.precision) + " "}(${percent(here.low)} to ${percent(here.high)}, n ${count(here.n)}) of them taken`;
    told.replaceChildren(`Threshold ${here.threshold.toFixed(2)}: ${percent(here.shown)} shown, ${rate}` + (here.lost == null || curve.labelled < FEW ? "." : `; ${percent(here.lost)} of all you would take hidden (of ${count(curve.labelled)} judged).`));
  }
  draw();
  return [place, slider, told];
}

function by(data, width, redraw) {
  if (!data.total.opportunities) return empty(NOT_YET);
  const dimension = chosen.dimension, found = data.by[dimension];
  const label = (key) => (dimension === "model" && data.models[key]) || key || (dimension === "outcome" ? "none yet" : "none");
  const picker = h("select", { id: "dimension", onchange: (event) => { chosen.dimension = event.target.value; redraw("by"); } },
    Object.entries(DIMENSIONS).map(([name, text]) => h("option", { value: name, selected: name === dimension }, text)));
  const body = Object.entries(found).sort((a, b) => b[1].opportunities - a[1].opportunities).map(([key, row]) => {
    const at = { since: data.since_ms, [dimension]: key };
    return [label(key), link(row.opportunities, at), link(row.hidden, { step: "hidden", ...at }), link(row.shown, { step: "shown", ...at }),
      rateBar(row.acceptance), rateText(row.acceptance), link(row.accepted_chars, { step: "accepted", ...at }), rateText(row.kept_share)];
  });
  return [h("p", { class: "controls" }, h("label", {}, "By ", picker)),
    table([DIMENSIONS[dimension].toLowerCase(), "#moments", "#hidden", "#shown", "0 to 100 %", "accepted, of those judged", "#characters", "still there after two minutes"], body)];
}

const edits = (data) => rules(data, "next_edit", "No next edit has been offered in this span yet. When Sotto proposes what to change next, each pattern's offers and what became of them appear here.");
const review = (data) => rules(data, "review", "No review comment has been made in this span yet. With the first `sotto review`, each rule's comments appear here: fixed, dismissed or ignored.");

export const PANELS = { today, days, funnel, latency, timeline, model, gate, calibration, by, edits, review, data: dataPanel };
