/**
 * The dashboard: a process of its own, its page in the editor's simple browser, through a door. Both end with the window.
 * Knows the command and its first line; nothing of the pages.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import * as os from 'node:os';
import * as vscode from 'vscode';
import type { Session } from '../server/session';
import { Door } from './door';

const PATIENCE_MS = 20_000;

export class Dashboard implements vscode.Disposable {
  private child: ChildProcess | undefined;
  private door: Door | undefined;

  constructor(
    private readonly session: Session,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  /** Its address works once, so every call starts anew. */
  async open(): Promise<void> {
    const server = this.session.server;
    if (server === undefined) {
      void vscode.window.showWarningMessage(vscode.l10n.t('The dashboard needs the Sotto server, and none was found.'));
      return;
    }
    this.dispose();
    const child = spawn(server.command, [...server.args, 'dashboard', '--no-browser'], { stdio: ['ignore', 'pipe', 'pipe'], cwd: os.homedir() });
    this.child = child;
    try {
      const address = await firstAddress(child);
      const door = (this.door = await Door.open(address));
      const outside = await vscode.env.asExternalUri(vscode.Uri.parse(door.address, true));
      door.root = outside.path;
      await vscode.commands.executeCommand('simpleBrowser.show', outside.toString(true));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.log.error(why);
      void vscode.window.showErrorMessage(vscode.l10n.t('The dashboard did not start: {0}', why));
    }
  }

  dispose(): void {
    this.door?.close();
    this.door = undefined;
    this.child?.kill();
    this.child = undefined;
  }
}

/** The address that the program prints. Rejects with its last words. */
export function firstAddress(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const timer = setTimeout(() => reject(new Error('no address within 20 s')), PATIENCE_MS);
    const hear = (text: Buffer): void => {
      said += text.toString();
      const address = /^(http:\/\/\S+)\s*$/m.exec(said)?.[1];
      if (address === undefined) return;
      clearTimeout(timer);
      resolve(address);
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', (text: Buffer) => (said += text.toString()));
    child.on('error', reject);
    child.on('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(said.trim() || `exit code ${code ?? '?'}`));
    });
  });
}
