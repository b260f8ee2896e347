/** The remarks of a review as comment threads in the margin, closed until one is clicked. Knows remarks and threads only. */
import * as vscode from 'vscode';
import type { Remark } from './remarks';

export class Threads implements vscode.Disposable {
  private readonly controller = vscode.comments.createCommentController('sotto.review', vscode.l10n.t('Sotto review'));
  private readonly open = new Map<string, vscode.CommentThread>();

  /** Make, move and remove threads so that each remark has one. */
  show(remarks: readonly Remark[]): void {
    const wanted = new Set(remarks.map((remark) => remark.id));
    for (const [id, thread] of this.open) {
      if (wanted.has(id)) continue;
      thread.dispose();
      this.open.delete(id);
    }
    for (const remark of remarks) {
      const known = this.open.get(remark.id);
      if (known === undefined) this.open.set(remark.id, this.make(remark));
      else if (!known.range.isEqual(remark.range)) known.range = remark.range;
    }
  }

  /** The remark that a thread stands for. */
  idOf(thread: vscode.CommentThread): string | undefined {
    return [...this.open].find(([, one]) => one === thread)?.[0];
  }

  /** Open the thread of a remark. */
  reveal(id: string): void {
    const thread = this.open.get(id);
    if (thread !== undefined) thread.collapsibleState = vscode.CommentThreadCollapsibleState.Expanded;
  }

  dispose(): void {
    this.controller.dispose();
    this.open.clear();
  }

  private make(remark: Remark): vscode.CommentThread {
    const author = { name: `Sotto · ${remark.rule}` };
    const comment = { body: body(remark), mode: vscode.CommentMode.Preview, author };
    const thread = this.controller.createCommentThread(remark.uri, remark.range, [comment]);
    thread.canReply = false;
    thread.contextValue = 'sotto';
    thread.collapsibleState = vscode.CommentThreadCollapsibleState.Collapsed;
    return thread;
  }
}

/** The sentence, then each line that it rests on, as a link to it. */
export function body(remark: Remark): vscode.MarkdownString {
  const text = new vscode.MarkdownString();
  text.appendText(remark.message);
  for (const { location, message } of remark.related) {
    const line = location.range.start.line + 1;
    const name = `${vscode.workspace.asRelativePath(location.uri)}:${line}`;
    text.appendMarkdown(`\n\n[${name.replace(/[[\]\\]/g, '\\$&')}](${location.uri.with({ fragment: `L${line}` }).toString()}) `);
    text.appendText(message);
  }
  return text;
}
