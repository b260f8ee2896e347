/** Review in the editor: its commands, and the windows that show what it says. What is said is the server's. */
import * as vscode from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import { DISMISS_COMMAND, DISMISS_RULE_COMMAND, REVIEW_COMMAND, REVIEW_FILE_COMMAND, type ReviewReport } from '../protocol';
import { read } from '../settings';
import { onCommit } from './commits';
import { type Remark, remarks } from './remarks';
import { Threads } from './threads';
import { ReviewTree, summary } from './tree';

/** A thread of the margin or an entry of the tree: what a menu hands over. */
type Chosen = vscode.CommentThread | Remark;

export class Reviews implements vscode.Disposable {
  private readonly threads = new Threads();
  private readonly tree = new ReviewTree();
  private readonly listeners: vscode.Disposable[];

  constructor(private readonly client: () => Promise<LanguageClient | undefined>) {
    const command = (name: string, run: (...args: never[]) => unknown): vscode.Disposable => vscode.commands.registerCommand(name, run);
    this.listeners = [
      vscode.languages.onDidChangeDiagnostics(() => this.refresh()),
      command('sotto.reviewChanges', () => this.review(REVIEW_COMMAND)),
      command('sotto.reviewStaged', () => this.review(REVIEW_COMMAND, { staged: true })),
      command('sotto.reviewThisFile', () => this.review(REVIEW_FILE_COMMAND, vscode.window.activeTextEditor?.document.uri.toString())),
      command('sotto.review.show', (remark: Remark) => this.reveal(remark)),
      command('sotto.review.fix', (chosen: Chosen) => this.fix(chosen)),
      command('sotto.review.dismiss', (chosen: Chosen) => this.execute(DISMISS_COMMAND, this.idOf(chosen))),
      command('sotto.review.dismissRule', (chosen: Chosen) => this.execute(DISMISS_RULE_COMMAND, this.idOf(chosen))),
      onCommit(() => {
        if (read<boolean>('reviewOnCommit', false)) void this.review(REVIEW_COMMAND, { revision: 'HEAD~1..HEAD' });
      }),
    ];
  }

  dispose(): void {
    for (const one of [...this.listeners, this.threads, this.tree]) void one.dispose();
  }

  private async review(command: string, argument?: unknown): Promise<void> {
    const progress = { location: { viewId: 'sotto.review' } };
    const report = await vscode.window.withProgress(progress, () => this.execute<ReviewReport>(command, argument));
    if (report === undefined) {
      void vscode.window.showWarningMessage(vscode.l10n.t('A review needs the Sotto server, and it does not run.'));
      return;
    }
    this.tree.tell(report);
    if (report.problem !== undefined) void vscode.window.showInformationMessage(report.problem);
    else if (report.comments.length === 0) void vscode.window.showInformationMessage(summary(report));
  }

  private refresh(): void {
    const now = remarks();
    this.threads.show(now);
    this.tree.show(now);
  }

  private async reveal(remark: Remark): Promise<void> {
    await vscode.window.showTextDocument(remark.uri, { selection: new vscode.Range(remark.range.start, remark.range.start) });
    this.threads.reveal(remark.id);
  }

  /** Apply the preferred quick fix of a remark, as the light bulb would. */
  private async fix(chosen: Chosen): Promise<void> {
    const remark = remarks().find((one) => one.id === this.idOf(chosen));
    if (remark === undefined) return;
    await this.reveal(remark);
    const kind = vscode.CodeActionKind.QuickFix.value;
    const list = await vscode.commands.executeCommand<vscode.CodeAction[]>('vscode.executeCodeActionProvider', remark.uri, remark.range, kind);
    const action = list.find((one) => one.isPreferred && one.diagnostics?.some((of) => of.message === remark.message));
    if (action?.edit === undefined) {
      void vscode.window.showInformationMessage(vscode.l10n.t('This comment has no fix to apply.'));
      return;
    }
    const isApplied = await vscode.workspace.applyEdit(action.edit);
    if (isApplied && action.command !== undefined) await vscode.commands.executeCommand(action.command.command, ...((action.command.arguments ?? []) as unknown[]));
  }

  private idOf(chosen: Chosen): string | undefined {
    return 'id' in chosen ? chosen.id : this.threads.idOf(chosen);
  }

  private async execute<T>(command: string, argument?: unknown): Promise<T | undefined> {
    const client = await this.client();
    const args = argument === undefined ? [] : [argument];
    return client?.sendRequest<T>('workspace/executeCommand', { command, arguments: args }).catch(() => undefined);
  }
}
