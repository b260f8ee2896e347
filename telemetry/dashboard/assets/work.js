// What the parts of Sotto did: each suggestion's time, the layers and tokens the model left out, and the rules of next edits and reviews.

import { h, count, percent, ms, rows, link, rateBar, rateText, idLink, empty, table, FEW } from "./dom.js";
import { bars, legend } from "./charts.js";

/** All of the last suggestions in time (uPlot: a thousand points are too many for elements); the slowest lead to their rows. */
export function timeline(data, width) {
  const found = data.timeline;
  if (!found.id.length) return empty("No suggestion has been shown in this span yet. Each one will be a point here.");
  const place = h("div", { role: "img", "aria-label": `Time of the last ${found.id.length} suggestions; the slowest are listed below` });
  const style = getComputedStyle(document.documentElement), colour = (name) => style.getPropertyValue(name).trim();
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 }, font: "12px system-ui, sans-serif" };
  const series = (label, stroke) => ({ label, stroke, width: 0, paths: () => null, points: { show: true, size: 4, width: 0, fill: stroke } });
  new uPlot({
    width: Math.max(300, width), height: 240, legend: { show: false }, cursor: { points: { size: 7 } }, scales: { y: { distr: 3 } },
    axes: [axis, { ...axis, size: 76, values: (_, marks) => marks.map((x) => (x == null ? "" : ms(x))) }],
    series: [{ label: "time" }, series("whole", colour("--main")), series("decode", colour("--warm"))],
  }, [found.ts_ms.map((t) => t / 1000), found.t_total, found.t_decode.map((x) => x || null)], place);
  const slowest = found.id.map((id, at) => [found.t_total[at], id]).sort((a, b) => b[0] - a[0]).slice(0, 5);
  return [place, legend(["dot", "whole"], ["dot warm", "decode"]), h("p", { class: "note" }, `The last ${count(found.id.length)} shown at the cursor. The slowest: `,
    slowest.map(([time, id], at) => [at ? ", " : "", idLink(id), ` ${ms(time)}`]), ".")];
}

/** Layers after which tokens left, and what ending at a doubted token saved. */
export function model(data, width) {
  const total = data.total, since = data.since_ms, layers = Object.entries(data.exits).map(([layer, n]) => [Number(layer), n]);
  const all = layers.reduce((sum, one) => sum + one[1], 0);
  const exits = all === 0
    ? empty("Every token of this span ran through all layers, or the engine did not say. A model with early exits shows here after which layer its tokens left.")
    : [bars(layers.map(([layer, n]) => ({ text: `layer ${layer}`, n, told: all < FEW ? count(n) : `${count(n)}, ${percent(n / all)}`, href: rows({ since, step: "generated" }) })), width > 860 ? width / 2 - 16 : width, "Tokens by exit layer"),
      h("p", { class: "note" }, `${count(all)} tokens by the layer after which they left the model; n is tokens, which do not come independently, so shares have no interval.`)];
  const stop = total.ended_early === 0
    ? empty("No answer of this span was ended by a doubted token. The tokens that saves appear here.")
    : h("p", {}, link(total.saved_tokens, { since, step: "ended_early" }), " tokens at most were not decoded, in ", link(total.ended_early, { since, step: "ended_early" }), " answers: ",
      rateText(total.stopped, "computed"), " ended early.");
  return h("div", { class: "pair" }, h("div", {}, h("h3", {}, "Exit layers"), exits), h("div", {}, h("h3", {}, "Tokens saved by Stop"), stop));
}

const ENDS = { accepted: "fixed for you", resolved: "mended by hand", rejected: "dismissed", ignored: "ignored", superseded: "out of date", censored: "open at the end", "": "open" };
const EDIT_ENDS = { ...ENDS, accepted: "taken", rejected: "refused", "": "open" };

/** Each rule's offers and how they ended. */
export function rules(data, kind, nothing) {
  const found = Object.entries(data.rules[kind]).sort((a, b) => b[1].shown - a[1].shown), words = kind === "review" ? ENDS : EDIT_ENDS;
  if (!found.length) return empty(nothing);
  const ends = Object.keys(words).filter((end) => found.some(([, row]) => row.ends[end]));
  const body = found.map(([rule, row]) => {
    const at = { since: data.since_ms, kind, rule };
    return [rule || "no name", link(row.shown, { step: "shown", ...at }), ...ends.map((end) => link(row.ends[end] || 0, { step: "shown", outcome: end, ...at })), rateBar(row.acceptance), rateText(row.acceptance)];
  });
  return [table([kind === "review" ? "rule" : "pattern", "#shown", ...ends.map((end) => `#${words[end]}`), "0 to 100 %", kind === "review" ? "mended, of those judged" : "taken, of those judged"], body),
    data.latency.show[kind] && h("p", { class: "note" }, `Made within p50 ${ms(data.latency.show[kind].p50)}, p95 ${ms(data.latency.show[kind].p95)}, n ${count(data.latency.show[kind].n)}.`)];
}
