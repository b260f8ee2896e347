/** Draws a next edit on an editor's text, or a hint of where it is. Knows decorations; decides nothing. */
import * as vscode from 'vscode';
import type { Plan } from './plan';

const NO_BREAK = '\u00a0'; // blanks at the ends of a decoration's text would be lost

export class Marks implements vscode.Disposable {
  private readonly struck = vscode.window.createTextEditorDecorationType({
    textDecoration: 'line-through',
    backgroundColor: new vscode.ThemeColor('diffEditor.removedTextBackground'),
    rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed,
  });
  private readonly written = vscode.window.createTextEditorDecorationType({ rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed });
  private readonly hint = vscode.window.createTextEditorDecorationType({ rangeBehavior: vscode.DecorationRangeBehavior.ClosedClosed });
  private drawnOn: vscode.TextEditor | undefined;

  draw(editor: vscode.TextEditor, plan: Plan, hover: vscode.MarkdownString): void {
    this.clear();
    this.drawnOn = editor;
    const struck = plan.struck.map((one) => ({ range: new vscode.Range(one.line, one.from, one.line, one.to), hoverMessage: hover }));
    const written = plan.written.map((one): vscode.DecorationOptions => {
      const at = new vscode.Position(one.line, one.character);
      const look = one.alone
        ? { color: new vscode.ThemeColor('editorGhostText.foreground'), fontStyle: 'italic' }
        : { backgroundColor: new vscode.ThemeColor('diffEditor.insertedTextBackground'), margin: '0 0 0 0.5ch' };
      return { range: new vscode.Range(at, at), hoverMessage: hover, renderOptions: { after: { contentText: visible(one.text), ...look } } };
    });
    editor.setDecorations(this.struck, struck);
    editor.setDecorations(this.written, written);
  }

  /** Beside a line that can be seen: where the edit is, and the key that goes there. */
  point(editor: vscode.TextEditor, line: number, text: string, hover: vscode.MarkdownString): void {
    this.drawnOn = editor;
    const end = editor.document.lineAt(line).range.end;
    const after = {
      contentText: visible(text),
      color: new vscode.ThemeColor('badge.foreground'),
      backgroundColor: new vscode.ThemeColor('badge.background'),
      margin: '0 0 0 2ch',
    };
    editor.setDecorations(this.hint, [{ range: new vscode.Range(end, end), hoverMessage: hover, renderOptions: { after } }]);
  }

  clear(): void {
    for (const kind of [this.struck, this.written, this.hint]) this.drawnOn?.setDecorations(kind, []);
    this.drawnOn = undefined;
  }

  dispose(): void {
    this.clear();
    for (const kind of [this.struck, this.written, this.hint]) kind.dispose();
  }
}

function visible(text: string): string {
  return text.replaceAll('\t', '  ').replaceAll(' ', NO_BREAK);
}
