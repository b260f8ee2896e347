/**
 * A browser page that obeys JSON: one command a line on stdin, one answer a line on stdout.
 * `node page.mjs PLAYWRIGHT_FOLDER BROWSER`. Knows the page's keys and scripts, nothing of VS Code.
 */
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const [folder, executablePath] = process.argv.slice(2);
const { chromium } = createRequire(import.meta.url)(folder);
const args = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const browser = await chromium.launch({ executablePath, headless: true, args });
const page = await browser.newPage({ viewport: { width: 1100, height: 700 } });
page.setDefaultTimeout(60_000);

const commands = {
  before: ({ script }) => page.addInitScript({ content: script }).then(() => null),
  goto: ({ address }) => page.goto(address).then(() => null),
  press: ({ keys }) => page.keyboard.press(keys).then(() => null),
  type: ({ text, delay = 40 }) => page.keyboard.type(text, { delay }).then(() => null),
  insert: ({ text }) => page.keyboard.insertText(text).then(() => null),
  click: ({ selector }) => page.click(selector).then(() => null),
  hover: ({ selector }) => page.hover(selector).then(() => null),
  evaluate: ({ script, argument = null }) => page.evaluate(`(${script})(${JSON.stringify(argument)})`),
  framed: ({ script }) => Promise.all(page.frames().map((frame) => frame.evaluate(`(${script})()`).catch(() => null))),
  wait: async ({ script, argument = null, timeout = 60_000 }) => {
    const handle = await page.waitForFunction(`(${script})(${JSON.stringify(argument)})`, null, { timeout, polling: 50 });
    return handle.jsonValue();
  },
  shot: ({ path }) => page.screenshot({ path }).then(() => null),
  size: ({ width, height }) => page.setViewportSize({ width, height }).then(() => null),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { op, ...rest } = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await commands[op](rest)) ?? null };
  } catch (error) {
    answer = { error: String(error.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
