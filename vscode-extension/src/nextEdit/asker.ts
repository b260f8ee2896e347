/**
 * Asks the server for the next edit: soon after a change, once at a time, the newest question wins.
 * Knows when to ask; nothing of what becomes of the answer.
 */
import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import { INLINE_EDIT, type PredictedEdit, type PredictedEdits } from '../protocol';

export type Client = () => LanguageClient | undefined;

export class Asker implements vscode.Disposable {
  private timer: NodeJS.Timeout | undefined;
  private running: vscode.CancellationTokenSource | undefined;
  private waiting: (() => void)[] = [];

  constructor(
    private readonly client: Client,
    private readonly heard: (edit: PredictedEdit | undefined) => void,
  ) {}

  /** Forget what was asked, and ask at this moment's cursor in a while. */
  soon(milliseconds: number): void {
    clearTimeout(this.timer);
    this.drop();
    this.timer = setTimeout(() => void this.ask(), milliseconds);
  }

  /** Resolves when nothing is to be asked and nothing asked is unanswered. */
  settled(): Promise<void> {
    return this.timer === undefined ? Promise.resolve() : new Promise((resolve) => this.waiting.push(resolve));
  }

  stop(): void {
    clearTimeout(this.timer);
    this.drop();
    this.settle();
  }

  private settle(): void {
    this.timer = undefined;
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  private drop(): void {
    this.running?.cancel();
    this.running?.dispose();
    this.running = undefined;
  }

  dispose(): void {
    this.stop();
  }

  private async ask(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const client = this.client();
    if (editor === undefined || client === undefined || editor.selections.length > 1) {
      this.settle();
      return;
    }
    const source = new vscode.CancellationTokenSource();
    this.running = source;
    const { document, selection } = editor;
    const textDocument = { uri: client.code2ProtocolConverter.asUri(document.uri), version: document.version };
    const position = client.code2ProtocolConverter.asPosition(selection.active);
    try {
      const answer = await client.sendRequest<PredictedEdits | null>(INLINE_EDIT, { textDocument, position }, source.token);
      if (!source.token.isCancellationRequested) this.heard(answer?.edits[0]);
    } catch {
      // cancelled, or the server is ending: nothing to show either way
    } finally {
      if (this.running === source) {
        this.running = undefined;
        this.settle();
      }
      source.dispose();
    }
  }
}
