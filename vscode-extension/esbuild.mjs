/** Bundles the extension into one file: `node esbuild.mjs [--watch] [--debug]`. */
import * as esbuild from 'esbuild';

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
};

if (process.argv.includes('--watch')) await (await esbuild.context(options)).watch();
else await esbuild.build(options);
