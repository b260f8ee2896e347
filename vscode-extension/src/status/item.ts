/** The item in the status bar: draws a view, opens the menu. Knows nothing of how the view came about. */
import * as vscode from 'vscode';
import type { View } from './state';

export const MENU = 'sotto.menu';

const BACKGROUND = { normal: undefined, warning: 'statusBarItem.warningBackground', error: 'statusBarItem.errorBackground' };

export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem('sotto.status', vscode.StatusBarAlignment.Right, 100);

  constructor() {
    this.item.name = 'Sotto';
    this.item.command = MENU;
    this.item.show();
  }

  draw(view: View): void {
    const text = ['Sotto', view.label].filter(Boolean).join(': ');
    const color = BACKGROUND[view.severity];
    this.item.text = `$(${view.icon}) ${text}`;
    this.item.tooltip = view.tooltip;
    this.item.accessibilityInformation = { label: `${text}. ${view.tooltip}`, role: 'button' };
    this.item.backgroundColor = color === undefined ? undefined : new vscode.ThemeColor(color);
  }

  dispose(): void {
    this.item.dispose();
  }
}
