/**
 * The next edit on the screen: asked for after a change, shown where it is or pointed to, taken with Tab, waved away with Esc.
 * An edit is shown only for the version of the document that it was made for.
 */
import * as vscode from 'vscode';
import { DID_SHOW_INLINE_EDIT, type PredictedEdit, REJECT_COMMAND } from '../protocol';
import { isEnabled, read } from '../settings';
import { Asker, type Client } from './asker';
import { Marks } from './marks';
import { type Edit, type Place, insertsAt, landing, plan } from './plan';
import { type Stage, stage } from './stage';

const AFTER_CHANGE_MS = 120;
const AFTER_MOVE_MS = 250;
const RECENT_MS = 10_000; // a move of the cursor this long after a change may still belong to it
export const STAGE_KEY = 'sotto.nextEdit';

interface Shown {
  uri: vscode.Uri;
  predicted: PredictedEdit;
  edit: Edit;
  hasJumped: boolean;
  reported: boolean;
}

export class NextEdits implements vscode.Disposable {
  private readonly marks = new Marks();
  private readonly asker: Asker;
  private shown: Shown | undefined;
  private stage: Stage = 'none';
  private changedAt = -Infinity;
  private isOurs = false;
  private readonly listeners: vscode.Disposable[];

  constructor(
    private readonly client: Client,
    private readonly isQuiet: () => boolean,
    private readonly hasGhost: (document: vscode.TextDocument, cursor: vscode.Position) => boolean,
  ) {
    this.asker = new Asker(client, (edit) => this.heard(edit));
    this.listeners = [
      vscode.workspace.onDidChangeTextDocument((event) => this.changed(event)),
      vscode.window.onDidChangeTextEditorSelection((event) => this.moved(event)),
      vscode.window.onDidChangeActiveTextEditor(() => this.redraw()),
      vscode.window.onDidChangeTextEditorVisibleRanges(() => this.redraw()),
      vscode.commands.registerCommand('sotto.nextEdit.tab', () => (this.stage === 'jump' ? this.jump() : this.take())),
      vscode.commands.registerCommand('sotto.nextEdit.reject', () => this.reject()),
    ];
  }

  /**
   * Whether Tab is wanted for a next edit at this place: in the middle of a line the user is mending code that is there, and
   * what follows from that comes before more text at the cursor.
   */
  claims(document: vscode.TextDocument, cursor: vscode.Position): boolean {
    return this.stage !== 'none' && isInTheMiddle(document, cursor);
  }

  /** The same, as soon as it is known what follows from the latest change: ghost text would come and go otherwise. */
  async willClaim(document: vscode.TextDocument, cursor: vscode.Position): Promise<boolean> {
    if (!isInTheMiddle(document, cursor)) return false;
    await this.asker.settled();
    return this.claims(document, cursor);
  }

  /** Nothing is shown any more, and nothing asked. */
  clear(): void {
    this.asker.stop();
    this.drop();
  }

  dispose(): void {
    this.clear();
    this.asker.dispose();
    this.marks.dispose();
    for (const listener of this.listeners) listener.dispose();
  }

  private changed(event: vscode.TextDocumentChangeEvent): void {
    if (event.contentChanges.length === 0) return;
    if (this.shown?.uri.toString() === event.document.uri.toString()) this.drop();
    if (event.document !== vscode.window.activeTextEditor?.document || this.isOurs) return;
    this.changedAt = performance.now();
    this.askSoon(AFTER_CHANGE_MS);
  }

  private moved(event: vscode.TextEditorSelectionChangeEvent): void {
    if (event.textEditor !== vscode.window.activeTextEditor || this.isOurs) return;
    if (this.shown !== undefined) {
      this.shown.hasJumped = false;
      this.redraw();
    } else if (performance.now() - this.changedAt < RECENT_MS && event.kind !== undefined) this.askSoon(AFTER_MOVE_MS);
  }

  private askSoon(milliseconds: number): void {
    if (isEnabled() && read<boolean>('nextEdit', true) && !this.isQuiet()) this.asker.soon(milliseconds);
  }

  private heard(predicted: PredictedEdit | undefined): void {
    this.drop();
    if (predicted === undefined) return;
    const uri = vscode.Uri.parse(predicted.textDocument.uri);
    const { start, end } = predicted.range;
    this.shown = { uri, predicted, edit: { start, end, text: predicted.text }, hasJumped: false, reported: false };
    const document = this.document();
    const version = predicted.textDocument.version;
    if (version !== null && document?.version !== version) this.shown = undefined;
    this.redraw();
    const front = vscode.window.activeTextEditor;
    if (front !== undefined && this.hasGhost(front.document, front.selection.active) && this.claims(front.document, front.selection.active))
      void vscode.commands.executeCommand('editor.action.inlineSuggest.hide');
  }

  /** The edit's document, where it is open. */
  private document(): vscode.TextDocument | undefined {
    const uri = this.shown?.uri.toString();
    return vscode.workspace.textDocuments.find((one) => one.uri.toString() === uri);
  }

  private redraw(): void {
    this.marks.clear();
    const editor = vscode.window.activeTextEditor;
    if (this.shown === undefined || editor === undefined) { this.setStage('none'); return; }
    const document = this.document();
    const isHere = document === editor.document;
    const lines = document === undefined ? [] : linesOf(document);
    const cursor = editor.selection.active;
    const { edit, hasJumped } = this.shown;
    // Typing has just led here: the server offers it as ghost text too, and one of them is enough.
    if (isHere && !hasJumped && insertsAt(lines, edit, cursor)) { this.setStage('none'); return; }
    const from = document === undefined ? edit.start : landing(lines, edit).from;
    const left = editor.document.lineAt(cursor.line).text.slice(0, cursor.character);
    const isVisible = isHere && editor.visibleRanges.some((range) => range.start.line <= from.line && from.line <= range.end.line);
    this.setStage(stage({ isHere, from, to: edit.end, cursor, hasSelection: !editor.selection.isEmpty, left, hasJumped }));
    const hover = this.hover(lines);
    if (isVisible) this.marks.draw(editor, plan(lines, edit), hover);
    else this.marks.point(editor, nearest(editor, cursor.line), this.direction(editor, isHere, from), hover);
    this.report();
  }

  private direction(editor: vscode.TextEditor, isHere: boolean, from: Place): string {
    const line = from.line + 1;
    const cursor = editor.selection.active;
    const key = this.stage === 'jump' && !this.hasGhost(editor.document, cursor) ? 'Tab ' : ''; // Tab takes the ghost text first
    if (!isHere) return `${key}→ ${vscode.workspace.asRelativePath(this.shown?.uri ?? '')}:${line}`;
    return `${key}${from.line < cursor.line ? '↑' : '↓'} ${vscode.l10n.t('line {0}', line)}`;
  }

  private hover(lines: readonly string[]): vscode.MarkdownString {
    const edit = this.shown?.edit;
    const text = new vscode.MarkdownString(vscode.l10n.t('Next edit: Tab goes there and takes it, Esc lets it go.'));
    if (edit === undefined) return text;
    const old = lines.slice(edit.start.line, edit.end.line + 1);
    const head = (old[0] ?? '').slice(0, edit.start.character);
    const tail = (old.at(-1) ?? '').slice(edit.end.character);
    const fresh = `${head}${edit.text}${tail}`.split(/\r?\n/);
    return text.appendCodeblock([...old.map((line) => `-${line}`), ...fresh.map((line) => `+${line}`)].join('\n'), 'diff');
  }

  private async jump(): Promise<void> {
    const shown = this.shown;
    if (shown === undefined) return;
    const document = this.document() ?? (await vscode.workspace.openTextDocument(shown.uri));
    if (shown.predicted.textDocument.version === null && document.isDirty) { this.clear(); return; }
    await this.asOurs(async () => {
      const editor = await vscode.window.showTextDocument(document);
      const { from } = landing(linesOf(document), shown.edit);
      const at = document.validatePosition(position(from));
      editor.selection = new vscode.Selection(at, at);
      editor.revealRange(new vscode.Range(at, at), vscode.TextEditorRevealType.InCenterIfOutsideViewport);
    });
    if (this.shown !== shown) return;
    shown.hasJumped = true;
    this.redraw();
  }

  private async take(): Promise<void> {
    const shown = this.shown;
    const editor = vscode.window.activeTextEditor;
    if (shown === undefined || editor?.document.uri.toString() !== shown.uri.toString()) return;
    const { edit, predicted } = shown;
    const { to } = landing(linesOf(editor.document), edit);
    const range = new vscode.Range(position(edit.start), position(edit.end));
    this.drop();
    const done = await this.asOurs(async () => {
      const applied = await editor.edit((builder) => builder.replace(range, edit.text));
      if (applied) editor.selection = new vscode.Selection(position(to), position(to));
      return applied;
    });
    if (!done) return;
    await this.execute(predicted.command.command, predicted.command.arguments);
    this.changedAt = performance.now();
    this.askSoon(0);
  }

  private async reject(): Promise<void> {
    const shown = this.shown;
    this.clear();
    if (shown !== undefined) await this.execute(REJECT_COMMAND, shown.predicted.command.arguments);
  }

  private async execute(command: string, args: unknown[] | undefined): Promise<void> {
    await this.client()?.sendRequest('workspace/executeCommand', { command, arguments: args }).then(undefined, () => undefined);
  }

  private report(): void {
    if (this.shown === undefined || this.shown.reported) return;
    this.shown.reported = true;
    const { text, command } = this.shown.predicted;
    void this.client()?.sendNotification(DID_SHOW_INLINE_EDIT, { item: { insertText: text, command } });
  }

  /** Changes and moves meanwhile are ours, not the user's. */
  private async asOurs<T>(work: () => Promise<T>): Promise<T> {
    this.isOurs = true;
    try {
      return await work();
    } finally {
      setTimeout(() => (this.isOurs = false), 0); // the editor tells of a selection after the call that set it
    }
  }

  private drop(): void {
    this.shown = undefined;
    this.marks.clear();
    this.setStage('none');
  }

  private setStage(stage: Stage): void {
    if (stage === this.stage) return;
    this.stage = stage;
    void vscode.commands.executeCommand('setContext', STAGE_KEY, stage);
  }
}

/** Code stands behind the cursor. */
function isInTheMiddle(document: vscode.TextDocument, cursor: vscode.Position): boolean {
  return /[\p{L}\p{N}_]/u.test(document.lineAt(cursor.line).text.slice(cursor.character));
}

/** A line on the screen to write beside: the cursor's, or the one nearest to it. */
function nearest(editor: vscode.TextEditor, line: number): number {
  const seen = editor.visibleRanges;
  const first = seen[0]?.start.line ?? line;
  const last = seen.at(-1)?.end.line ?? line;
  return Math.min(Math.max(line, first), last);
}

function linesOf(document: vscode.TextDocument): string[] {
  return document.getText().split(/\r\n|\n|\r/);
}

function position(place: Place): vscode.Position {
  return new vscode.Position(place.line, place.character);
}
