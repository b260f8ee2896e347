/** Collects every sentence given to `l10n.t` into l10n/bundle.l10n.json: `node scripts/l10n.mjs [--check]`. */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('..', import.meta.url);
const bundle = new URL('l10n/bundle.l10n.json', root);

export function sentences() {
  const found = new Set();
  for (const name of readdirSync(new URL('src', root), { recursive: true }).sort()) {
    if (!name.endsWith('.ts')) continue;
    const text = readFileSync(new URL(`src/${name}`, root), 'utf8');
    for (const [, , sentence] of text.matchAll(/l10n\.t\(\s*(['"])((?:(?!\1).)+)\1/g)) found.add(sentence);
  }
  return found;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const wanted = `${JSON.stringify(Object.fromEntries([...sentences()].map((one) => [one, one])), null, 2)}\n`;
  if (!process.argv.includes('--check')) writeFileSync(bundle, wanted);
  else if (readFileSync(bundle, 'utf8') !== wanted) {
    process.stderr.write('l10n/bundle.l10n.json is out of date: run node scripts/l10n.mjs\n');
    process.exitCode = 1;
  }
}
