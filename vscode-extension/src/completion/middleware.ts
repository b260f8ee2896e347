/**
 * Stands between the editor and the language client's inline completion: counts what is under way, measures it, reports what
 * is shown, and keeps automatic suggestions back where they are not wanted. Knows nothing of how suggestions are made.
 */
import * as vscode from 'vscode';
import type { ExecuteCommandMiddleware } from 'vscode-languageclient/node';
import { ACCEPT_COMMAND, DID_PARTIALLY_ACCEPT_COMPLETION, DID_SHOW_COMPLETION, type ReportedItem } from '../protocol';
import { Latency } from './latency';
import { type Shown, accepted, continues } from './shown';

type Answer = vscode.InlineCompletionItem[] | vscode.InlineCompletionList | null | undefined;
type Ask = (
  document: vscode.TextDocument,
  position: vscode.Position,
  context: vscode.InlineCompletionContext,
  token: vscode.CancellationToken,
) => vscode.ProviderResult<Answer>;

/** What happens here, for the status item. */
export interface Listener {
  /** The editor has a question, be it wanted or not. Returns whether it only seems to be asked by hand. */
  asked(): boolean;
  /** The number of questions under way has changed. */
  busy(count: number): void;
  /** A question was answered and nobody has moved on meanwhile. */
  answered(withSuggestion: boolean, document: vscode.TextDocument): void;
}

/** Sends a notification to the server, if there is one. */
export type Notify = (method: string, params: unknown) => void;

export class Completions {
  readonly latency = new Latency();
  private busy = 0;
  private shown: Shown | undefined;
  private asked: { uri: string; version: number; offset: number } | undefined;

  constructor(
    private readonly notify: Notify,
    private readonly isUnwanted: (document: vscode.TextDocument, position: vscode.Position) => boolean,
    private readonly isOvertaken: (document: vscode.TextDocument, position: vscode.Position) => Promise<boolean>,
    private readonly listener: Listener,
  ) {}

  async provideInlineCompletionItems(
    document: vscode.TextDocument,
    position: vscode.Position,
    context: vscode.InlineCompletionContext,
    token: vscode.CancellationToken,
    next: Ask,
  ): Promise<Answer> {
    const automatic = vscode.InlineCompletionTriggerKind.Automatic;
    const isAutomatic = this.listener.asked() || context.triggerKind === automatic;
    if (isAutomatic && this.isUnwanted(document, position)) return undefined;
    const asked = performance.now();
    this.listener.busy(++this.busy);
    let answer: Answer;
    try {
      answer = await next(document, position, isAutomatic ? { ...context, triggerKind: automatic } : context, token);
    } finally {
      this.listener.busy(--this.busy);
    }
    const took = performance.now() - asked;
    const isOvertaken = isAutomatic && answer && (await this.isOvertaken(document, position));
    if (token.isCancellationRequested) return undefined;
    if (isAutomatic && answer) this.latency.add(took);
    if (isOvertaken) return undefined;
    const items = Array.isArray(answer) ? answer : (answer?.items ?? []);
    if (answer) this.listener.answered(items.length > 0, document);
    this.asked = items[0] && { uri: document.uri.toString(), version: document.version, offset: document.offsetAt(position) };
    if (items[0] !== undefined) this.show(document, items[0]);
    return answer;
  }

  /** Whether ghost text probably stands at this place: it was answered for it, and nothing has been typed since. */
  isShownAt(document: vscode.TextDocument, cursor: vscode.Position): boolean {
    return this.asked?.version === document.version && this.asked.uri === document.uri.toString() && this.asked.offset === document.offsetAt(cursor);
  }

  /** A part was taken by one of the extension's commands: say how much of the suggestion is in the text now. */
  tookPart(document: vscode.TextDocument, cursor: vscode.Position): void {
    const shown = this.shown;
    if (shown === undefined || shown.uri !== document.uri.toString()) return;
    const units = accepted(shown, document.getText(), document.offsetAt(cursor));
    if (units > 0) this.notify(DID_PARTIALLY_ACCEPT_COMPLETION, { item: shown.item, acceptedLength: units });
  }

  /** The language client's middleware for commands: an acceptance ends what is shown. */
  readonly executeCommand: ExecuteCommandMiddleware['executeCommand'] = (command, args, next) => {
    if (command === ACCEPT_COMMAND) this.shown = undefined;
    return next(command, args) as vscode.ProviderResult<unknown>;
  };

  private show(document: vscode.TextDocument, item: vscode.InlineCompletionItem): void {
    if (item.command === undefined || item.range === undefined) return;
    const { command, title, arguments: args } = item.command;
    const insertText = typeof item.insertText === 'string' ? item.insertText : { kind: 'snippet' as const, value: item.insertText.value };
    const reported: ReportedItem = { insertText, command: { title, command, arguments: args } };
    const next = { uri: document.uri.toString(), offset: document.offsetAt(item.range.start), item: reported };
    if (this.shown === undefined || !continues(this.shown, next, document.getText())) this.shown = next;
    this.notify(DID_SHOW_COMPLETION, { item: reported });
  }
}
