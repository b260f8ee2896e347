import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lastWords, run } from '../src/server/child';
import { ask, find } from '../src/server/find';
import type { Place } from '../src/server/places';

let folder = '';

function program(name: string, script: string): Place {
  const file = path.join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return { command: file, args: [], from: 'path' };
}

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sotto-find-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe.skipIf(process.platform === 'win32')('find', () => {
  it('takes the first that says its version, and tells of those that do not', async () => {
    const broken = program('broken', 'echo "No module named lsp_server" >&2; exit 1');
    const other = program('other', 'echo "sotto: a game"');
    const good = program('good', '[ "$1" = --version ] && echo "sotto 1.2.3"');
    const missing: Place = { command: path.join(folder, 'missing'), args: [], from: 'path' };
    const { server, problems } = await find([missing, broken, other, good]);
    expect(server).toEqual({ ...good, version: '1.2.3' });
    expect(problems).toEqual([`${broken.command}: No module named lsp_server`, `${other.command}: it is another program of that name`]);
  });

  it('finds nothing without a word where nothing is', async () => {
    expect(await find([{ command: '/nowhere/sotto', args: [], from: 'path' }])).toEqual({ server: undefined, problems: [] });
  });

  it('says what is wrong with a program that the user has named', async () => {
    const { server, problems } = await find([{ command: '/nowhere/sotto', args: ['x'], from: 'setting' }]);
    expect(server).toBeUndefined();
    expect(problems[0]).toMatch(/^\/nowhere\/sotto x: .*ENOENT/);
  });

  it('puts the first arguments before its own', async () => {
    const place = { ...program('args', '[ "$*" = "run --version" ] && echo "sotto 0.1.0"'), args: ['run'] };
    expect(await ask(place)).toMatchObject({ version: '0.1.0' });
  });
});

describe.skipIf(process.platform === 'win32')('run', () => {
  it('stops a program when it is told to', async () => {
    const abort = new AbortController();
    const started = run('/bin/sh', ['-c', 'echo up; exec sleep 60'], { signal: abort.signal, onLine: () => abort.abort() });
    const ended = await started;
    expect(ended).toMatchObject({ code: null, problem: 'cancelled' });
  });

  it('stops one that does not answer', async () => {
    expect(await run('/bin/sh', ['-c', 'exec sleep 60'], { timeoutMs: 50 })).toMatchObject({ code: null, problem: 'it did not answer in time' });
  });

  it('gives whole lines, in order, and the last words of a failure', async () => {
    const lines: string[] = [];
    const ended = await run('/bin/sh', ['-c', 'printf "a\\nb"; printf "c\\n"; echo first >&2; echo last >&2; exit 3'], { onLine: (line) => lines.push(line) });
    expect(lines).toEqual(['a', 'bc']);
    expect(ended.code).toBe(3);
    expect(lastWords(ended, 1)).toBe('last');
  });
});
