// Elements and numbers. Text goes in as text nodes only: no name from the store can become markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter((child) => child != null && child !== false).map((c) => (c instanceof Node ? c : String(c))));
  return node;
}

export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
export const count = (n) => whole.format(n);
export const percent = (x) => `${Math.round(100 * x)} %`;
export const ms = (x) => (x < 10 ? x.toFixed(1) : count(x)) + " ms";
export const bytes = (n) => (n < 1e5 ? `${(n / 1e3).toFixed(1)} kB` : `${(n / 1e6).toFixed(1)} MB`);
export const moment = (t) => new Date(t).toLocaleString("sv-SE");

/** An address of the rows behind a number. */
export function rows(filters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(filters)) if (value != null) query.set(name, value);
  return `/rows?${query}`;
}

export const link = (n, filters) => h("a", { href: rows(filters) }, count(n));

/** Below this many no point is drawn (the server's `few`, for rates): it would look firmer than it is. */
export const FEW = 20;

/** A rate in words: never without n and its interval. */
export function rateText(rate, what = "") {
  if (!rate.n) return "none yet";
  const interval = `${percent(rate.low)} to ${percent(rate.high)}`;
  const of = `${count(rate.k)} of ${count(rate.n)}${what ? " " + what : ""}`;
  return rate.few ? `${of}: ${interval}` : `${percent(rate.k / rate.n)} (${interval}), ${of}`;
}

/** The interval as a small picture: 0 to 100 %, its band and, with enough of them, its point. */
export function rateBar(rate) {
  if (!rate.n) return h("span", { class: "note" }, "none yet");
  const x = (value) => 1 + 128 * value;
  return s("svg", { class: "span", viewBox: "0 0 130 14", role: "img", "aria-label": rateText(rate) },
    s("line", { class: "axis", x1: 1, x2: 129, y1: 7, y2: 7 }),
    s("rect", { class: "band", x: x(rate.low), y: 2, width: Math.max(x(rate.high) - x(rate.low), 1), height: 10, rx: 2 }),
    !rate.few && s("circle", { class: "dot", cx: x(rate.k / rate.n), cy: 7, r: 3.5 }));
}

/** An opportunity's id, shortened, as a link to all that is stored of it. */
export const idLink = (id) => h("a", { href: `/rows?id=${encodeURIComponent(id)}`, title: id }, id.length > 10 ? `…${id.slice(-8)}` : id);

export const empty = (...text) => h("p", { class: "empty" }, ...text);

export function table(head, body, options = {}) {
  const cell = (tag) => (value, at) => h(tag, { class: head[at].startsWith("#") ? "n" : at === 0 ? "key" : null, scope: tag === "th" ? "col" : null },
    tag === "th" ? value.replace("#", "") : value);
  return h("div", { class: options.scroll ? "wide scroll" : "wide", tabindex: options.scroll ? 0 : null, role: options.scroll ? "group" : null, "aria-label": options.label },
    h("table", { class: options.kind }, h("thead", {}, h("tr", {}, head.map(cell("th")))), h("tbody", {}, body.map((row) => h("tr", {}, row.map(cell("td")))))));
}

export async function ask(address, options) {
  const answer = await fetch(address, { credentials: "same-origin", ...options });
  if (answer.status === 304) return null;
  if (!answer.ok) throw new Error((await answer.text()).trim() || `the dashboard answers ${answer.status}`);
  return answer;
}
