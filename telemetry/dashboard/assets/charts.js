// Charts as SVG, drawn to the width they stand in, so that text keeps its size. They draw numbers, they compute none.

import { s, h, count, percent, rateText, rows, FEW } from "./dom.js";

const DAY = 86400000;

/** The next round number: an axis ends there. */
function nice(most) {
  const ten = 10 ** Math.floor(Math.log10(Math.max(most, 1)));
  return [1, 2, 4, 6, 8, 10].map((step) => step * ten).find((step) => step >= most);
}

/** A frame with a horizontal scale of `marks` (0..1) and room for a left axis. */
function frame(width, height, label) {
  return s("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "group", "aria-label": label });
}

function scale(svg, left, right, top, bottom, marks, text) {
  for (const mark of marks) {
    const y = bottom - mark * (bottom - top);
    svg.append(s("line", { class: "axis", x1: left, x2: right, y1: y, y2: y }),
      s("text", { x: left - 8, y: y + 4, "text-anchor": "end" }, text(mark)));
  }
}

function allDays(data) {
  const found = [];
  for (let t = data.since_ms; t <= data.now_ms; t += DAY) {
    const day = new Date(t).toISOString().slice(0, 10);
    found.push({ t, day, row: data.by_day[day] });
  }
  const first = found.findIndex((one) => one.row);
  return found.slice(Math.max(0, Math.min(first, found.length - 7)));
}

function dayTicks(svg, days, x, y) {
  const every = Math.ceil(days.length / 8);
  days.forEach((one, at) => at % every === 0 && svg.append(s("text", { x: x(at), y, "text-anchor": "middle" }, one.day.slice(5))));
}

const whole = (one) => ({ since: one.t, until: one.t + DAY });

/** Acceptance by day: the Wilson band, a point where n is at least 20, n as bars below. */
export function acceptance(data, width) {
  const days = allDays(data), height = 250, left = 44, right = width - 8, bottom = 160;
  const step = (right - left) / days.length, x = (at) => left + step * (at + 0.5), y = (v) => bottom - v * (bottom - 12);
  const most = Math.max(1, ...days.map((one) => (one.row ? one.row.acceptance.n : 0)));
  const svg = frame(width, height, "Acceptance by day");
  scale(svg, left, right, 12, bottom, [0, 0.25, 0.5, 0.75, 1], percent);
  svg.append(s("text", { x: left - 8, y: 212, "text-anchor": "end" }, "n"), s("text", { x: left, y: 182 }, `judged a day, at most ${count(most)}`));
  days.forEach((one, at) => {
    const rate = one.row && one.row.acceptance;
    if (!rate || !rate.n) return;
    const tall = Math.max(1, 36 * rate.n / most), wide = Math.max(2, Math.min(18, step * 0.6));
    svg.append(s("a", { href: rows({ step: "judged", ...whole(one) }), "aria-label": `${one.day}: ${rateText(rate)}` },
      s("title", {}, `${one.day}: ${rateText(rate)}`),
      s("rect", { class: "band", x: x(at) - wide / 2, width: wide, y: y(rate.high), height: y(rate.low) - y(rate.high), rx: 2 }),
      !rate.few && s("circle", { class: "dot", cx: x(at), cy: y(rate.k / rate.n), r: Math.min(4, wide / 2 + 1) }),
      s("rect", { class: "bar quiet", x: x(at) - wide / 2, width: wide, y: 226 - tall, height: tall })));
  });
  dayTicks(svg, days, x, 244);
  return svg;
}

/** Characters by day: accepted, and of those looked at again after two minutes the ones still there. */
export function characters(data, width) {
  const days = allDays(data), height = 250, left = 52, right = width - 8, bottom = 226;
  const step = (right - left) / days.length, x = (at) => left + step * (at + 0.5);
  const most = nice(Math.max(2, ...days.map((one) => (one.row ? one.row.accepted_chars : 0))));
  const svg = frame(width, height, "Accepted and kept characters by day");
  scale(svg, left, right, 12, bottom, [0, 0.5, 1], (mark) => count(mark * most));
  days.forEach((one, at) => {
    if (!one.row || !one.row.accepted_chars) return;
    const tall = (n) => n / most * (bottom - 12), wide = Math.max(2, Math.min(18, step * 0.6));
    const text = `${one.day}: ${count(one.row.accepted_chars)} accepted; ${rateText(one.row.kept_share, "looked at again")} still there`;
    svg.append(s("a", { href: rows({ step: "accepted", ...whole(one) }), "aria-label": text }, s("title", {}, text),
      s("rect", { class: "bar soft", x: x(at) - wide / 2, width: wide, y: bottom - tall(one.row.accepted_chars), height: tall(one.row.accepted_chars), rx: 2 }),
      s("rect", { class: "bar", x: x(at) - wide / 2, width: wide, y: bottom - tall(one.row.retained_120), height: tall(one.row.retained_120), rx: 2 })));
  });
  dayTicks(svg, days, x, 244);
  return svg;
}

/** Horizontal bars: [{text, n, back, told, href, kind}], all on one scale; `back` is a longer, pale bar behind. */
export function bars(list, width, label) {
  const row = 34, left = Math.min(190, width * 0.34), room = width - left - Math.min(150, width * 0.3);
  const most = Math.max(1, ...list.map((one) => one.back ?? one.n));
  const svg = frame(width, row * list.length, label);
  list.forEach((one, at) => {
    const y = at * row, long = one.n / most * room, far = (one.back ?? one.n) / most * room;
    const inside = [s("title", {}, `${one.text}: ${one.told || count(one.n)}`),
      s("text", { class: "strong", x: left - 10, y: y + 20, "text-anchor": "end" }, one.text),
      one.back && s("rect", { class: "bar soft", x: left, y: y + 6, width: far, height: 20, rx: 3 }),
      s("rect", { class: `bar ${one.kind || ""}`, x: left, y: y + 6, width: Math.max(long, one.n ? 1.5 : 0), height: 20, rx: 3 }),
      s("text", { class: "strong", x: left + far + 8, y: y + 20 }, one.told || count(one.n))];
    svg.append(one.href ? s("a", { href: one.href, "aria-label": `${one.text}: ${one.told || count(one.n)}` }, inside) : s("g", {}, inside));
  });
  return svg;
}

/** Said against true, with intervals; a perfect gate lies on the diagonal. */
export function reliability(curve, width) {
  const size = Math.min(width, 380), left = 44, right = size - 10, top = 10, bottom = size - 40;
  const x = (v) => left + v * (right - left), y = (v) => bottom - v * (bottom - top);
  const svg = s("svg", { viewBox: `0 0 ${width} ${size}`, height: size, role: "group", "aria-label": "Reliability diagram" });
  scale(svg, left, right, top, bottom, [0, 0.25, 0.5, 0.75, 1], percent);
  for (const mark of [0, 0.25, 0.5, 0.75, 1]) svg.append(s("text", { x: x(mark), y: bottom + 18, "text-anchor": "middle" }, percent(mark)));
  svg.append(s("text", { x: x(0.5), y: bottom + 36, "text-anchor": "middle" }, "probability the gate gave"),
    s("line", { class: "dash", x1: x(0), y1: y(0), x2: x(1), y2: y(1) }));
  for (const point of curve.reliability) {
    const text = `said ${percent(point.said)}, came true ${point.n < FEW ? "" : percent(point.rate) + " "}(${percent(point.low)} to ${percent(point.high)}), n ${count(point.n)}`;
    svg.append(s("g", { role: "img", tabindex: 0, "aria-label": text }, s("title", {}, text),
      s("line", { class: "mark", x1: x(point.said), x2: x(point.said), y1: y(point.low), y2: y(point.high) }),
      point.n >= FEW && s("circle", { class: "dot", cx: x(point.said), cy: y(point.rate), r: 4.5 })));
  }
  return svg;
}

/** Precision over the share that would be shown, its band, and the threshold at hand. */
export function coverage(curve, at, width) {
  const height = 320, left = 44, right = width - 12, top = 10, bottom = height - 40;
  const x = (v) => left + v * (right - left), y = (v) => bottom - v * (bottom - top);
  const points = curve.thresholds.filter((one) => one.precision != null);
  const svg = frame(width, height, "Precision over coverage");
  scale(svg, left, right, top, bottom, [0, 0.25, 0.5, 0.75, 1], percent);
  for (const mark of [0, 0.25, 0.5, 0.75, 1]) svg.append(s("text", { x: x(mark), y: bottom + 18, "text-anchor": "middle" }, percent(mark)));
  svg.append(s("text", { x: x(0.5), y: bottom + 36, "text-anchor": "middle" }, "share of computed suggestions shown"));
  const path = (list, value) => list.map((one) => `${x(one.shown).toFixed(1)},${y(one[value]).toFixed(1)}`);
  svg.append(s("polygon", { class: "band", points: [...path(points, "high"), ...path([...points].reverse(), "low")].join(" ") }),
    s("polyline", { class: "mark", points: path(points.filter((one) => one.n >= FEW), "precision").join(" ") }));
  const here = curve.thresholds[at];
  svg.append(s("line", { class: "mark warm", x1: x(here.shown), x2: x(here.shown), y1: top, y2: bottom }));
  if (here.precision != null && here.n >= FEW) svg.append(s("circle", { class: "dot warm", cx: x(here.shown), cy: y(here.precision), r: 5 }));
  return svg;
}

export const legend = (...items) => h("p", { class: "legend" }, items.map(([kind, text]) =>
  h("span", {}, s("svg", { viewBox: "0 0 22 10", "aria-hidden": "true" },
    kind.startsWith("dot") ? s("circle", { class: kind, cx: 11, cy: 5, r: 4 }) : s("rect", { class: kind, x: 0, y: 0, width: 22, height: 10, rx: 2 })), text)));
