/** The extension's own settings, and the server's as far as the editor's windows need them. One place reads them. */
import * as vscode from 'vscode';

export const SECTION = 'sotto';

export type Eagerness = 'eager' | 'balanced' | 'quiet';
export const EAGERNESS: readonly Eagerness[] = ['eager', 'balanced', 'quiet'];

/** `sotto.server.command`: a program, alone or with its first arguments. */
export function serverCommand(): string[] {
  const value = read<unknown>('server.command', []);
  if (typeof value === 'string') return value.trim() ? [value.trim()] : [];
  return Array.isArray(value) ? value.filter((part): part is string => typeof part === 'string') : [];
}

export function serverPackage(): string {
  return read<string>('server.package', '').trim();
}

export function pipArguments(): string[] {
  return read<string[]>('server.pipArguments', []);
}

export function isEnabled(): boolean {
  return read('enabled', true);
}

export function eagerness(): Eagerness {
  return read<Eagerness>('eagerness', 'balanced');
}

export function budgetMs(): number {
  return read('budgetMs', 400);
}

/** Whether a language gets suggestions; `*` stands for those that are not named. */
export function isLanguageOn(language: string): boolean {
  const switches = read<Record<string, boolean>>('languages', {});
  return switches[language] ?? switches['*'] ?? true;
}

/** Keep the switch in the user's settings, and nothing of the defaults with it. */
export async function setLanguage(language: string, on: boolean): Promise<void> {
  const own = configuration().inspect<Record<string, boolean>>('languages')?.globalValue ?? {};
  await set('languages', { ...own, [language]: on });
}

export async function set(name: string, value: unknown): Promise<void> {
  await configuration().update(name, value, vscode.ConfigurationTarget.Global);
}

function configuration(): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration(SECTION);
}

export function read<T>(name: string, otherwise: T): T {
  return configuration().get<T>(name) ?? otherwise;
}
