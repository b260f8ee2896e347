/**
 * Collects what the status item tells, from the session, the server's notifications, the settings and the editor in front.
 * Asks the server why nothing was shown, at most a few times a second. Draws nothing.
 */
import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import type { Latency } from '../completion/latency';
import { isOurs } from '../documents';
import { DID_CHANGE_STATUS, STATUS, type ServerReport, type ServerStatus } from '../protocol';
import type { Session } from '../server/session';
import { budgetMs, isEnabled, isLanguageOn } from '../settings';
import type { Quiet } from './quiet';
import type { Facts } from './state';

const WORKING_MS = 200; // shorter work is not worth a spinner
const ASK_MS = 250;
const INTERNAL_ERROR = -32603; // of JSON-RPC: the server answers, but cannot work

export class Monitor implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.changed.event;
  private server: ServerStatus | undefined;
  private report: ServerReport | undefined;
  private withheld: string | undefined;
  private working = false;
  private workTimer: NodeJS.Timeout | undefined;
  private askTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly session: Session,
    private readonly quiet: Quiet,
    private readonly latency: () => Latency,
  ) {}

  /** Listen to a new client, before it starts. */
  attach(client: LanguageClient): void {
    this.forget();
    client.onNotification(DID_CHANGE_STATUS, (status: ServerStatus) => {
      this.server = status;
      if (status.kind === 'Normal' && !status.busy) this.askSoon();
      this.changed.fire();
    });
  }

  /** The server has ended: what it said of itself holds no more. */
  forget(): void {
    this.server = this.report = this.withheld = undefined;
  }

  busy(count: number): void {
    clearTimeout(this.workTimer);
    if (count > 0 && !this.working) this.workTimer = setTimeout(() => this.setWorking(true), WORKING_MS);
    if (count === 0 && this.working) this.setWorking(false);
  }

  answered(withSuggestion: boolean): void {
    if (withSuggestion && this.withheld !== undefined) {
      this.withheld = undefined;
      this.changed.fire();
    }
    if (!withSuggestion) this.askSoon();
    this.changed.fire();
  }

  /** Ask the server what it is doing, unless another question follows at once. */
  askSoon(): void {
    clearTimeout(this.askTimer);
    this.askTimer = setTimeout(() => void this.ask(), ASK_MS);
  }

  refresh(): void {
    this.changed.fire();
  }

  facts(): Facts {
    const document = vscode.window.activeTextEditor?.document;
    const language = document !== undefined && isOurs(document) ? document.languageId : undefined; // not the log in front
    return {
      life: this.session.life,
      server: this.server,
      enabled: isEnabled(),
      languageOff: language !== undefined && !isLanguageOn(language) ? language : undefined,
      quietUntil: timeOfDay(this.quiet.end),
      working: this.working,
      withheld: this.withheld,
      p95: this.latency().p95(),
      budgetMs: budgetMs(),
      model: this.report?.model ?? undefined,
    };
  }

  dispose(): void {
    clearTimeout(this.workTimer);
    clearTimeout(this.askTimer);
    this.changed.dispose();
  }

  private setWorking(working: boolean): void {
    this.working = working;
    this.changed.fire();
  }

  private async ask(): Promise<void> {
    const client = this.session.client;
    try {
      this.report = await client?.sendRequest<ServerReport>(STATUS, {});
    } catch (error) {
      if (!(error instanceof Error) || (error as { code?: unknown }).code !== INTERNAL_ERROR) return; // it is ending; the session tells
      this.server = { kind: 'Error', message: error.message, busy: false };
    }
    this.withheld = whyWithheld(this.report);
    this.changed.fire();
  }
}

/** The reason in words, when there was a suggestion or might have been one. */
export function whyWithheld(report: ServerReport | undefined): string | undefined {
  switch (report?.lastReason) {
    case 'unsure':
      return vscode.l10n.t('the model is not sure enough');
    case 'gated_skip':
    case 'gated_hide':
      return report.gate.lastReason || vscode.l10n.t('you are unlikely to take it');
    default:
      return undefined;
  }
}

function timeOfDay(end: number | undefined): string | undefined {
  if (end === undefined) return undefined;
  return Number.isFinite(end) ? new Date(end).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }) : '';
}
