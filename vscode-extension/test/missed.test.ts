import * as vscode from 'vscode';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Missed } from '../src/completion/missed';

const document = { uri: { scheme: 'file' }, version: 1 };
const editor = { document };
const listeners: ((event: unknown) => void)[] = [];
const run = vi.fn(() => Promise.resolve());
let served = true;
let missed: Missed;

const type = (text: string, reason?: number): void => {
  document.version++;
  for (const hear of listeners) hear({ document, reason, contentChanges: [{ text }] });
};

beforeEach(() => {
  vi.useFakeTimers();
  listeners.length = 0;
  run.mockClear();
  served = true;
  Object.assign(vscode.workspace, {
    onDidChangeTextDocument: (listener: (event: unknown) => void) => {
      listeners.push(listener);
      return { dispose: () => undefined };
    },
  });
  Object.assign(vscode.commands, { executeCommand: run });
  Object.assign(vscode.window, { activeTextEditor: editor });
  missed = new Missed(() => served);
});

afterEach(() => {
  missed.dispose();
  Object.assign(vscode.window, { activeTextEditor: undefined });
  vi.useRealTimers();
});

describe('missed', () => {
  it('asks for an editor that does not ask yet, once', () => {
    type('.');
    vi.advanceTimersByTime(1000);
    expect(run).toHaveBeenCalledWith('editor.action.inlineSuggest.trigger');
    expect(missed.asked()).toBe(true);
    expect(missed.asked()).toBe(false);
    type('p');
    vi.advanceTimersByTime(1000);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('leaves an editor alone that asks by itself', () => {
    type('.');
    missed.asked();
    type('p');
    vi.advanceTimersByTime(1000);
    expect(run).not.toHaveBeenCalled();
  });

  it('asks again what no server has answered, as soon as there is one', () => {
    served = false;
    type('.');
    missed.asked();
    vi.advanceTimersByTime(5000);
    served = true;
    missed.served();
    vi.advanceTimersByTime(100);
    type('p');
    vi.advanceTimersByTime(1000);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it.each([
    ['was answered', () => missed.answered(document as unknown as vscode.TextDocument)],
    ['was undone', () => type('', 1)],
    ['was long ago', () => vi.advanceTimersByTime(120_000)],
    ['is another text by now', () => document.version++],
  ])('asks nothing again that %s', (_, happens) => {
    served = false;
    type('.');
    happens();
    missed.served();
    vi.advanceTimersByTime(1000);
    expect(run).not.toHaveBeenCalled();
  });
});
