/** The menu of the status item: what there is to switch and to look at, the fitting things first. */
import * as vscode from 'vscode';
import { EAGERNESS, type Eagerness, eagerness, isEnabled, isLanguageOn, set, setLanguage } from '../settings';
import type { Quiet } from './quiet';
import type { View } from './state';

interface Choice extends vscode.QuickPickItem {
  run?: () => unknown;
}

export async function openMenu(view: View, quiet: Quiet): Promise<void> {
  const title = `Sotto: ${view.tooltip.split('\n')[0] ?? ''}`;
  const choice = await vscode.window.showQuickPick(choices(view, quiet), { title, placeHolder: vscode.l10n.t('What shall Sotto do?') });
  await choice?.run?.();
}

export function choices(view: View, quiet: Quiet): Choice[] {
  return [...repairs(view), ...switches(quiet), ...gate(), ...looks()];
}

function repairs(view: View): Choice[] {
  const install = { label: `$(cloud-download) ${vscode.l10n.t('Install the server…')}`, run: command('sotto.installServer') };
  const restart = { label: `$(debug-restart) ${vscode.l10n.t('Start the server again')}`, run: command('sotto.restart') };
  if (view.name === 'missing') return [install, { ...restart, label: `$(search) ${vscode.l10n.t('Look for the server again')}` }];
  return view.severity === 'error' || view.name === 'stopped' ? [restart] : [];
}

function switches(quiet: Quiet): Choice[] {
  const language = vscode.window.activeTextEditor?.document.languageId;
  const list: Choice[] = [heading(vscode.l10n.t('Suggestions'))];
  if (language !== undefined) {
    const on = isLanguageOn(language);
    const label = on ? vscode.l10n.t('Switch off for {0}', language) : vscode.l10n.t('Switch on for {0}', language);
    list.push({ label: `$(${on ? 'circle-slash' : 'check'}) ${label}`, run: () => setLanguage(language, !on) });
  }
  const all = isEnabled() ? vscode.l10n.t('Switch off everywhere') : vscode.l10n.t('Switch on');
  list.push({ label: `$(${isEnabled() ? 'circle-slash' : 'check'}) ${all}`, run: () => set('enabled', !isEnabled()) });
  if (quiet.isOn) list.push({ label: `$(bell) ${vscode.l10n.t('End the quiet')}`, run: () => quiet.finish() });
  else list.push({ label: `$(bell-slash) ${vscode.l10n.t('Quiet for a while…')}`, run: command('sotto.quiet') });
  return list;
}

function gate(): Choice[] {
  const now = eagerness();
  const meaning: Record<Eagerness, string> = {
    eager: vscode.l10n.t('shows almost everything'),
    balanced: vscode.l10n.t('hides what you rarely take'),
    quiet: vscode.l10n.t('shows only what you very likely take'),
  };
  const choice = (name: Eagerness): Choice => ({
    label: `$(${name === now ? 'circle-filled' : 'circle-outline'}) ${name}`,
    description: meaning[name],
    run: () => set('eagerness', name),
  });
  return [heading(vscode.l10n.t('How eager')), ...EAGERNESS.map(choice)];
}

function looks(): Choice[] {
  return [
    heading(vscode.l10n.t('Look')),
    { label: `$(graph) ${vscode.l10n.t('Dashboard')}`, run: command('sotto.dashboard') },
    { label: `$(output) ${vscode.l10n.t('Log')}`, run: command('sotto.showLog') },
    { label: `$(pulse) ${vscode.l10n.t('Doctor')}`, run: command('sotto.doctor') },
    { label: `$(gear) ${vscode.l10n.t('Settings')}`, run: command('sotto.settings') },
  ];
}

/** Ask for how long, and be quiet. */
export async function askQuiet(quiet: Quiet): Promise<void> {
  const minutes = [5, 15, 60, 240].map((n) => ({ label: vscode.l10n.t('{0} minutes', n), n }));
  const forever = { label: vscode.l10n.t('Until I say otherwise'), n: Infinity };
  const chosen = await vscode.window.showQuickPick([...minutes, forever], { title: vscode.l10n.t('Quiet for how long?') });
  if (chosen !== undefined) quiet.begin(chosen.n);
}

function heading(label: string): Choice {
  return { label, kind: vscode.QuickPickItemKind.Separator };
}

function command(name: string): () => Thenable<unknown> {
  return () => vscode.commands.executeCommand(name);
}
