import type * as vscode from 'vscode';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

/** Everything of the editor's that is held: listeners, commands, views, decorations, by the name that made it. */
const held = vi.hoisted(() => new Map<object, string>());

vi.mock('vscode', async (original) => {
  const hold = (name: string): object => {
    const one: object = new Proxy({ dispose: () => void held.delete(one) }, { get: (target, key) => (key in target ? (Reflect.get(target, key) as unknown) : () => undefined), set: () => true });
    held.set(one, name);
    return one;
  };
  const space = (own: Record<string, unknown>): object =>
    new Proxy(own, { get: (target, key) => (key in target ? (Reflect.get(target, key) as unknown) : /^(on|create|register)[A-Z]/.test(String(key)) ? () => hold(String(key)) : undefined) });
  const settings = { get: () => undefined, inspect: () => undefined };
  const real = await original<object>();
  class Disposable {
    constructor(private readonly end: () => void) {
      held.set(this, 'Disposable');
    }
    dispose(): void {
      held.delete(this);
      this.end();
    }
  }
  return {
    ...real,
    Disposable,
    ThemeColor: Object,
    DecorationRangeBehavior: {},
    DiagnosticSeverity: {},
    StatusBarAlignment: {},
    ViewColumn: {},
    EventEmitter: class {
      event = (): object => hold('event');
      fire = (): void => undefined;
      dispose = (): void => undefined;
    },
    window: space({ visibleTextEditors: [] }),
    workspace: space({ textDocuments: [], isTrusted: true, getConfiguration: () => settings }),
    commands: space({ executeCommand: () => Promise.resolve() }),
    languages: space({ getDiagnostics: () => [] }),
    comments: space({}),
    extensions: { getExtension: () => undefined },
  };
});

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it('leaves no listener and no timer behind', async () => {
  const { activate, deactivate } = await import('../src/extension.js');
  const subscriptions: vscode.Disposable[] = [];
  activate({ subscriptions, globalStorageUri: { fsPath: '/nowhere' } } as unknown as vscode.ExtensionContext);
  expect(held.size).toBeGreaterThan(30);
  await deactivate();
  for (const one of subscriptions) one.dispose();
  expect([...held.values()].filter((name) => name !== 'event')).toEqual([]); // ends with the emitter that it is of
  expect(vi.getTimerCount()).toBe(0);
});
