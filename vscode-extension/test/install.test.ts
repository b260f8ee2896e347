import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Result, install, stepOf } from '../src/server/install';

/** Stands for an interpreter: makes the environment that `-m venv` would, with a pip that does as the test says. */
function python(folder: string, pip: string): string {
  const file = path.join(folder, 'python3');
  const inside = `#!/bin/sh\ncase "$*" in *"pip install"*) ${pip};; esac\n`;
  writeFileSync(path.join(folder, 'inside'), inside);
  writeFileSync(
    file,
    `#!/bin/sh\ncase "$*" in *venv*) case "$*" in *import*) exit 0;; esac
for last; do :; done; mkdir -p "$last/bin"; cp "${folder}/inside" "$last/bin/python"; chmod 755 "$last/bin/python";; esac\n`,
  );
  chmodSync(file, 0o755);
  return file;
}

let folder = '';
const said: string[] = [];
const attempt = (pythons: string[], signal = new AbortController().signal): Promise<Result> =>
  install(
    { folder: path.join(folder, 'own'), what: '/src/sotto', pipArguments: ['--pre'], pythons, windows: false },
    (text) => said.push(text),
    signal,
  );

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sotto-install-'));
  said.length = 0;
});
afterEach(() => rmSync(folder, { recursive: true }));

describe.skipIf(process.platform === 'win32')('install', () => {
  it('makes an environment, installs what it was told, and asks the program for its version', async () => {
    const make = `echo "Collecting torch"; printf '#!/bin/sh\\necho "sotto 0.1.0"' > "\${0%/*}/sotto"; chmod 755 "\${0%/*}/sotto"; echo "$*" > "${folder}/args"`;
    const result = await attempt(['/nowhere/python', python(folder, make)]);
    expect(result).toEqual({ server: { command: path.join(folder, 'own/bin/sotto'), args: [], from: 'own', version: '0.1.0' } });
    expect(said).toEqual(['making a virtual environment', 'collecting torch']);
  });

  it('says what pip said, and leaves nothing behind', async () => {
    const result = await attempt([python(folder, 'echo "ERROR: No matching distribution found for torch" >&2; exit 1')]);
    expect(result).toEqual({ problem: 'pip install /src/sotto failed:\nERROR: No matching distribution found for torch' });
    expect(existsSync(path.join(folder, 'own'))).toBe(false);
  });

  it('is cancelled while pip runs, and leaves nothing behind', async () => {
    const abort = new AbortController();
    const work = install(
      { folder: path.join(folder, 'own'), what: 'x', pipArguments: [], pythons: [python(folder, 'echo "Collecting torch"; exec sleep 60')], windows: false },
      (text) => {
        if (text.startsWith('collecting')) abort.abort();
      },
      abort.signal,
    );
    expect(await work).toEqual({ problem: 'cancelled' });
    expect(existsSync(path.join(folder, 'own'))).toBe(false);
  });

  it('names every interpreter that would not do', async () => {
    const result = await attempt(['/nowhere/python']);
    expect('problem' in result && result.problem).toMatch(/no Python 3\.10 or newer.*\n\/nowhere\/python: .*ENOENT/);
  });
});

describe('stepOf', () => {
  it.each([
    ['Collecting torch>=2.6', 'collecting torch>=2.6'],
    ['  Downloading https://host/path/torch-2.13.0-cp311.whl (200 MB)', 'downloading torch-2.13.0-cp311.whl'],
    ['Installing collected packages: a, b, c', 'installing packages'],
    ['Requirement already satisfied: numpy', undefined],
  ])('%s', (line, step) => expect(stepOf(line)).toBe(step));
});
