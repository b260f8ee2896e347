/** As much of the `vscode` module as the units under test touch. Settings are a plain object that a test fills. */

export const settings: Record<string, unknown> = {};
export const updates: [string, unknown][] = [];

export const l10n = {
  t: (text: string, ...args: unknown[]): string => text.replace(/\{(\d)\}/g, (_, index: string) => String(args[Number(index)])),
};

export enum InlineCompletionTriggerKind {
  Invoke = 0,
  Automatic = 1,
}

export enum QuickPickItemKind {
  Separator = -1,
  Default = 0,
}

export enum ConfigurationTarget {
  Global = 1,
}

export const window = { activeTextEditor: undefined as unknown };

export const workspace = {
  getConfiguration: () => ({
    get: (name: string) => settings[name],
    inspect: (name: string) => ({ globalValue: settings[name] }),
    update: (name: string, value: unknown) => {
      updates.push([name, value]);
      settings[name] = value;
      return Promise.resolve();
    },
  }),
};

export const commands = { executeCommand: () => Promise.resolve() };

export class EventEmitter<T> {
  private readonly listeners: ((value: T) => void)[] = [];
  readonly event = (listener: (value: T) => void): { dispose: () => void } => {
    this.listeners.push(listener);
    return { dispose: () => undefined };
  };
  fire(value: T): void {
    for (const listener of this.listeners) listener(value);
  }
  dispose(): void {
    this.listeners.length = 0;
  }
}

export function reset(): void {
  for (const name of Object.keys(settings)) Reflect.deleteProperty(settings, name);
  updates.length = 0;
  window.activeTextEditor = undefined;
}
