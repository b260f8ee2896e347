/** Which documents the server sees: source code wherever it lies, never output panes, comment boxes or others' own documents. */
import type { TextDocument } from 'vscode';

export const DOCUMENTS = [{ scheme: 'file' }, { scheme: 'untitled' }, { scheme: 'vscode-notebook-cell' }];

export function isOurs(document: TextDocument): boolean {
  return DOCUMENTS.some(({ scheme }) => scheme === document.uri.scheme);
}
