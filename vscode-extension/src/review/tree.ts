/** The review as a tree: its overview above, files, and what is said of each. Knows remarks and the report; runs nothing. */
import * as vscode from 'vscode';
import type { ReviewReport } from '../protocol';
import type { Remark } from './remarks';

type Node = vscode.Uri | Remark;

const ICON = {
  [vscode.DiagnosticSeverity.Error]: 'error',
  [vscode.DiagnosticSeverity.Warning]: 'warning',
  [vscode.DiagnosticSeverity.Information]: 'info',
  [vscode.DiagnosticSeverity.Hint]: 'lightbulb',
};

export class ReviewTree implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.changed.event;
  private readonly view = vscode.window.createTreeView<Node>('sotto.review', { treeDataProvider: this });
  private remarks: readonly Remark[] = [];
  private isAwaited = false;

  show(remarks: readonly Remark[]): void {
    this.remarks = remarks;
    this.view.badge = remarks.length > 0 ? { value: remarks.length, tooltip: vscode.l10n.t('{0} comments', remarks.length) } : undefined;
    this.changed.fire(undefined);
    const first = remarks[0];
    if (!this.isAwaited || first === undefined) return;
    this.isAwaited = false;
    void this.view.reveal(first, { focus: false, select: false }).then(undefined, () => undefined); // the keyboard stays where it is
  }

  /** What the review says of the change as a whole; the view opens as soon as there is a comment. */
  tell(report: ReviewReport): void {
    this.view.message = report.problem ?? summary(report);
    this.isAwaited = report.comments.length > 0;
    this.show(this.remarks);
  }

  getParent(node: Node): Node | undefined {
    return node instanceof vscode.Uri ? undefined : this.getChildren().find((one) => one instanceof vscode.Uri && one.toString() === node.uri.toString());
  }

  getChildren(node?: Node): Node[] {
    if (node === undefined) return [...new Map(this.remarks.map((one) => [one.uri.toString(), one.uri])).values()];
    return node instanceof vscode.Uri ? this.remarks.filter((one) => one.uri.toString() === node.toString()) : [];
  }

  getTreeItem(node: Node): vscode.TreeItem {
    if (node instanceof vscode.Uri) {
      const item = new vscode.TreeItem(node, vscode.TreeItemCollapsibleState.Expanded);
      item.iconPath = vscode.ThemeIcon.File;
      item.description = true;
      return item;
    }
    const item = new vscode.TreeItem(node.message);
    item.id = node.id;
    item.description = node.rule;
    item.tooltip = node.message;
    item.iconPath = new vscode.ThemeIcon(ICON[node.severity]);
    item.contextValue = 'remark';
    item.command = { title: vscode.l10n.t('Show'), command: 'sotto.review.show', arguments: [node] };
    return item;
  }

  dispose(): void {
    this.view.dispose();
    this.changed.dispose();
  }
}

export function summary(report: ReviewReport): string {
  const held = report.hidden > 0 ? ` ${vscode.l10n.t('{0} less likely comments are held back.', report.hidden)}` : '';
  const none = report.comments.length === 0 ? ` ${vscode.l10n.t('No comments.')}` : '';
  return `${report.overview}${none}${held}`;
}
