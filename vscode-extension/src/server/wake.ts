/** When to start the server: with the first document that may get suggestions. Until then the extension costs nothing. */
import * as vscode from 'vscode';
import { isOurs } from '../documents';
import { isEnabled, isLanguageOn } from '../settings';

/** Calls `start` now, or when such a document is opened or its language is switched on; once. */
export function wakeOnCode(start: () => void): vscode.Disposable {
  const listeners: vscode.Disposable[] = [];
  const stop = (): void => {
    for (const listener of listeners.splice(0)) listener.dispose();
  };
  const look = (): void => {
    if (!vscode.workspace.textDocuments.some(isCode)) return;
    stop();
    start();
  };
  listeners.push(
    vscode.workspace.onDidOpenTextDocument(look),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration('sotto')) look();
    }),
  );
  look();
  return new vscode.Disposable(stop);
}

function isCode(document: vscode.TextDocument): boolean {
  return isOurs(document) && isEnabled() && isLanguageOn(document.languageId);
}
