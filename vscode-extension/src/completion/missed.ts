/**
 * Keys that got no answer because nobody was there to ask or to answer, and the question asked again when somebody is.
 *
 * VS Code makes the part of a new editor that asks for suggestions when it is idle, up to five seconds later: the first keys in a
 * window that has just come up pass unasked. And a server that starts, or starts again, hears nothing of what was typed meanwhile.
 * Knows keys and questions; nothing of suggestions.
 */
import * as vscode from 'vscode';
import { isOurs } from '../documents';

const ASLEEP_MS = 250; // an editor that asks does so within 50 ms of a key
const FRESH_MS = 60_000; // a user who waits longer for a suggestion has stopped waiting

interface Key {
  document: vscode.TextDocument;
  version: number;
  at: number;
}

export class Missed implements vscode.Disposable {
  private asking = new WeakSet<vscode.TextEditor>();
  private key: Key | undefined;
  private timer: NodeJS.Timeout | undefined;
  private isAsking = false;
  private readonly listener = vscode.workspace.onDidChangeTextDocument((event) => this.typed(event));

  constructor(private readonly isServed: () => boolean) {}

  /** The editor in front asks. Returns whether it was told to from here: the user has only typed. */
  asked(): boolean {
    clearTimeout(this.timer);
    const editor = vscode.window.activeTextEditor;
    if (editor !== undefined) this.asking.add(editor);
    const wasTold = this.isAsking;
    this.isAsking = false;
    return wasTold;
  }

  /** The server has answered: whatever it said, there is nothing to ask again. */
  answered(document: vscode.TextDocument): void {
    if (this.key?.document === document) this.key = undefined;
  }

  /** A server has come up: nobody asked while there was none. */
  served(): void {
    this.asking = new WeakSet();
    if (this.key !== undefined && performance.now() - this.key.at < FRESH_MS) this.askLater(this.key);
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.listener.dispose();
  }

  private typed({ document, contentChanges, reason }: vscode.TextDocumentChangeEvent): void {
    const editor = vscode.window.activeTextEditor;
    if (document !== editor?.document || !isOurs(document) || contentChanges.length === 0) return;
    clearTimeout(this.timer);
    const [change] = contentChanges;
    if (reason !== undefined || contentChanges.length > 1 || !change?.text) {
      this.key = undefined; // undone, deleted or changed in several places: nothing is asked for that
      return;
    }
    const key = { document, version: document.version, at: performance.now() };
    this.key = key;
    if (this.isServed() && !this.asking.has(editor)) this.askLater(key);
  }

  private askLater(key: Key): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(key), ASLEEP_MS);
  }

  private ask({ document, version }: Key): void {
    const editor = vscode.window.activeTextEditor;
    if (editor?.document !== document || document.version !== version) return;
    if (vscode.workspace.getConfiguration('editor', document).get('inlineSuggest.enabled') === false) return;
    this.asking.add(editor);
    this.isAsking = true;
    // As if asked for by hand: an automatic question is not asked twice for the same text.
    void vscode.commands.executeCommand('editor.action.inlineSuggest.trigger').then(() => (this.isAsking = false));
  }
}
