/**
 * What the user sees when there is no server: one message with the ways out, and the installation with its progress.
 * Knows the windows; `Session` does the work.
 */
import * as vscode from 'vscode';
import { serverPackage, set } from '../settings';
import type { Session } from './session';

/** Once per window, when a first search has found nothing. */
export async function offer(session: Session, log: vscode.LogOutputChannel): Promise<void> {
  const installIt = vscode.l10n.t('Install…');
  const choose = vscode.l10n.t('Choose the program…');
  const details = vscode.l10n.t('Show log');
  const message = vscode.l10n.t('Sotto needs its server, a Python package: none was found in the workspace, on PATH or in the extension’s own folder.');
  const answer = await vscode.window.showInformationMessage(message, installIt, choose, details);
  if (answer === installIt) await installServer(session, log);
  else if (answer === choose) await chooseProgram();
  else if (answer === details) log.show();
}

/** Ask what to install where no setting says so, then install it. The button of the progress cancels. */
export async function installServer(session: Session, log: vscode.LogOutputChannel): Promise<void> {
  const what = serverPackage() || (await askWhat());
  if (what === undefined) return;
  const progress = { location: vscode.ProgressLocation.Notification, title: vscode.l10n.t('Installing the Sotto server'), cancellable: true };
  const problem = await vscode.window.withProgress<string | undefined>(progress, (report, token) => {
    const abort = new AbortController();
    const listening = token.onCancellationRequested(() => abort.abort());
    const say = (text: string): void => {
      log.info(text);
      report.report({ message: text });
    };
    return session.install(what, say, abort.signal).finally(() => {
      listening.dispose();
    });
  });
  if (problem === undefined || problem === 'cancelled') return;
  log.error(problem);
  const details = vscode.l10n.t('Show log');
  const answer = await vscode.window.showErrorMessage(vscode.l10n.t('The Sotto server could not be installed: {0}', problem), details);
  if (answer === details) log.show();
}

/** A folder of sources or a wheel; kept as the setting, so that it is asked once. */
async function askWhat(): Promise<string | undefined> {
  const chosen = await vscode.window.showOpenDialog({
    title: vscode.l10n.t('Folder of Sotto’s sources, or its wheel'),
    openLabel: vscode.l10n.t('Install this'),
    canSelectFiles: true,
    canSelectFolders: true,
    filters: { [vscode.l10n.t('Python wheels')]: ['whl'] },
  });
  const path = chosen?.[0]?.fsPath;
  if (path !== undefined) await set('server.package', path);
  return path;
}

async function chooseProgram(): Promise<void> {
  const chosen = await vscode.window.showOpenDialog({ title: vscode.l10n.t('The program “sotto”'), openLabel: vscode.l10n.t('Use this') });
  const path = chosen?.[0]?.fsPath;
  if (path !== undefined) await set('server.command', [path]); // the session starts anew when the setting changes
}
