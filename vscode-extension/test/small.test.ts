import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Restarts } from '../src/server/restarts';
import { isLanguageOn, serverCommand, setLanguage } from '../src/settings';
import { whyWithheld } from '../src/status/monitor';
import { Quiet } from '../src/status/quiet';
import { parse } from '../src/tools/doctor';
import { reset, settings, updates } from './vscode';

describe('restarts', () => {
  it('ends a crash loop and forgives what is long ago', () => {
    const restarts = new Restarts();
    expect([0, 1, 2, 3, 4].map((at) => restarts.mayStart(at))).toEqual([true, true, true, true, true]);
    expect(restarts.mayStart(5)).toBe(false);
    expect(restarts.mayStart(180_005)).toBe(true);
  });
});

describe('quiet', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('ends by itself', () => {
    const changed = vi.fn();
    const quiet = new Quiet(changed);
    quiet.begin(5, 0);
    expect([quiet.isOn, quiet.end]).toEqual([true, 300_000]);
    vi.advanceTimersByTime(300_000);
    expect([quiet.isOn, changed.mock.calls.length]).toEqual([false, 2]);
  });

  it('ends when it is told to, and leaves no timer', () => {
    const quiet = new Quiet(() => undefined);
    quiet.begin(Infinity);
    expect([quiet.isOn, vi.getTimerCount()]).toEqual([true, 0]);
    quiet.begin(5);
    quiet.finish();
    expect([quiet.isOn, vi.getTimerCount()]).toEqual([false, 0]);
    quiet.begin(5);
    quiet.dispose();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('settings', () => {
  beforeEach(reset);

  it('takes a program alone, or with its arguments', () => {
    expect(serverCommand()).toEqual([]);
    settings['server.command'] = ' /opt/sotto ';
    expect(serverCommand()).toEqual(['/opt/sotto']);
    settings['server.command'] = ['uv', 'run', 'sotto'];
    expect(serverCommand()).toEqual(['uv', 'run', 'sotto']);
  });

  it('looks a language up, then the star', () => {
    settings['languages'] = { '*': false, python: true };
    expect([isLanguageOn('python'), isLanguageOn('c')]).toEqual([true, false]);
  });

  it('writes one language and keeps the others that the user has set', async () => {
    settings['languages'] = { c: false };
    await setLanguage('python', false);
    expect(updates).toEqual([['languages', { c: false, python: false }]]);
  });
});

describe('words of the server', () => {
  const report = { version: '', state: '', message: '', model: null, enginePid: null, telemetry: true, gate: { kind: '', lastReason: 'why' } };
  it.each([
    ['gated_hide', 'why'],
    ['unsure', 'the model is not sure enough'],
    ['empty', undefined],
    [null, undefined],
  ])('%s', (lastReason, why) => expect(whyWithheld({ ...report, lastReason })).toBe(why));

  it('reads a doctor’s report, and knows when it is none', () => {
    expect(parse('{"ok": true, "checks": [{"name": "python", "ok": true, "found": "3.11", "advice": ""}]}')).toHaveLength(1);
    expect(parse('Traceback')).toBeUndefined();
    expect(parse('{}')).toBeUndefined();
  });
});
