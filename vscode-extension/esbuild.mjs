/**
 * Bundles the extension into one file: `node esbuild.mjs [--watch] [--debug]`. The licences of what is in it go into
 * `NOTICES.txt` beside it: they ask for that, and a minified bundle keeps no comments.
 */
import * as esbuild from 'esbuild';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const debug = process.argv.includes('--debug') || process.argv.includes('--watch');
const options = {
  entryPoints: ['src/extension.ts'],
  outfile: 'dist/extension.js',
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20', // what VS Code 1.91 runs
  external: ['vscode'],
  mainFields: ['module', 'main'],
  minify: !debug,
  sourcemap: debug ? 'inline' : false,
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
};

if (process.argv.includes('--watch')) await (await esbuild.context(options)).watch();
else writeFileSync(join(dirname(options.outfile), 'NOTICES.txt'), notices(await esbuild.build(options)));

/** The licence of each package that a build has taken something from; it fails where one brings none. */
function notices({ metafile }) {
  const inputs = Object.keys(metafile.inputs).map((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]);
  const folders = [...new Set(inputs.filter(Boolean))].sort();
  return folders.map(notice).join(`\n${'='.repeat(80)}\n\n`);
}

function notice(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  if (file === undefined) throw new Error(`${name} ${version} is bundled and brings no licence`);
  return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
}
