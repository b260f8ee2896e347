import { describe, expect, it } from 'vitest';
import { type Facts, type Name, view } from '../src/status/state';

const READY: Facts = {
  life: { phase: 'running', detail: '' },
  server: { kind: 'Normal', message: '', busy: false },
  enabled: true,
  languageOff: undefined,
  quietUntil: undefined,
  working: false,
  withheld: undefined,
  p95: undefined,
  budgetMs: 400,
  model: 'sotto-tiny',
};
const seen = (facts: Partial<Facts>): { name: Name; tooltip: string; severity: string } => view({ ...READY, ...facts });

describe('view', () => {
  it('is ready, and names the model', () => expect(seen({})).toMatchObject({ name: 'ready', tooltip: 'Sotto is ready (sotto-tiny).' }));

  it.each<[Partial<Facts>, Name, RegExp]>([
    [{ life: { phase: 'missing', detail: '' } }, 'missing', /install/],
    [{ life: { phase: 'missing', detail: '/x/sotto: no such file' } }, 'missing', /\/x\/sotto: no such file/],
    [{ life: { phase: 'failed', detail: 'It ended.' } }, 'failed', /It ended\. Click/],
    [{ life: { phase: 'restarting', detail: '' } }, 'restarting', /server has ended/],
    [{ life: { phase: 'starting', detail: '' } }, 'loading', /starting/],
    [{ life: { phase: 'idle', detail: '' } }, 'idle', /first file/],
    [{ life: { phase: 'stopped', detail: '' } }, 'stopped', /stopped/],
    [{ enabled: false }, 'off', /sotto\.enabled/],
    [{ languageOff: 'markdown' }, 'off', /markdown/],
    [{ quietUntil: '12:30' }, 'quiet', /12:30/],
    [{ quietUntil: '' }, 'quiet', /otherwise/],
    [{ server: { kind: 'Error', message: 'The model cannot be read.', busy: false } }, 'failed', /cannot be read\. Click/],
    [{ server: { kind: 'Warning', message: '', busy: true } }, 'restarting', /engine has ended/],
    [{ server: { kind: 'Inactive', message: 'this file is excluded: **/.env*', busy: false } }, 'excluded', /\.env/],
    [{ server: { kind: 'Normal', message: '', busy: true } }, 'loading', /model is loading/],
    [{ server: undefined }, 'loading', /model is loading/],
    [{ working: true }, 'working', /working/],
    [{ p95: 900 }, 'slow', /900 ms/],
    [{ withheld: 'you are unlikely to take it' }, 'gated', /unlikely/],
  ])('%j', (facts, name, tooltip) => {
    expect(seen(facts).name).toBe(name);
    expect(seen(facts).tooltip).toMatch(tooltip);
  });

  it('tells first what the user has to know first', () => {
    const all: Partial<Facts> = { p95: 9000, withheld: 'x', working: true, languageOff: 'c', server: { kind: 'Error', message: 'e', busy: false } };
    expect(seen({ ...all, enabled: false, life: { phase: 'missing', detail: '' } }).name).toBe('missing');
    expect(seen({ ...all, enabled: false }).name).toBe('off');
    expect(seen({ ...all, languageOff: undefined }).name).toBe('failed');
    expect(seen({ ...all, languageOff: undefined, server: READY.server }).name).toBe('working');
    expect(seen({ ...all, languageOff: undefined, server: READY.server, working: false }).name).toBe('slow');
  });

  it('is not slow within its budget', () => expect(seen({ p95: 450 }).name).toBe('ready'));
});
