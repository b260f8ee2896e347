/** Commands for what stands at the cursor: take a word or a line of it, and ask for a suggestion by hand. */
import * as vscode from 'vscode';
import type { Completions } from './middleware';

export function registerCompletionCommands(completions: Completions): vscode.Disposable[] {
  const part = (own: string, editors: string): vscode.Disposable =>
    vscode.commands.registerCommand(own, async () => {
      await vscode.commands.executeCommand(editors);
      const editor = vscode.window.activeTextEditor;
      if (editor !== undefined) completions.tookPart(editor.document, editor.selection.active);
    });
  return [
    part('sotto.acceptNextWord', 'editor.action.inlineSuggest.acceptNextWord'),
    part('sotto.acceptNextLine', 'editor.action.inlineSuggest.acceptNextLine'),
    vscode.commands.registerCommand('sotto.suggest', () => vscode.commands.executeCommand('editor.action.inlineSuggest.trigger')),
  ];
}
