/** Joins the parts: session, completions, status, commands. Every one of them ends with the extension. */
import * as path from 'node:path';
import * as vscode from 'vscode';
import { registerCompletionCommands } from './completion/commands';
import { Completions, type Listener } from './completion/middleware';
import { Missed } from './completion/missed';
import { NextEdits } from './nextEdit/controller';
import { DID_FOCUS } from './protocol';
import { Reviews } from './review/controller';
import { installServer, offer } from './server/offer';
import { Session } from './server/session';
import { wakeOnCode } from './server/wake';
import { StatusItem } from './status/item';
import { askQuiet, openMenu } from './status/menu';
import { Monitor } from './status/monitor';
import { Quiet } from './status/quiet';
import { view } from './status/state';
import { Dashboard } from './tools/dashboard';
import { doctor } from './tools/doctor';

let ended: (() => Promise<void>) | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel('Sotto', { log: true });
  const notify = (method: string, params: unknown): void => void session.client?.sendNotification(method, params);
  const quiet = new Quiet(() => monitor.refresh());
  const missed = new Missed(() => session.client !== undefined);
  const listener: Listener = {
    asked: () => missed.asked(),
    busy: (n) => monitor.busy(n),
    answered: (shown, document) => {
      missed.answered(document);
      monitor.answered(shown);
    },
  };
  const completions: Completions = new Completions(
    notify,
    (document, at) => quiet.isOn || nextEdits.claims(document, at),
    (document, at) => nextEdits.willClaim(document, at),
    listener,
  );
  const own = path.join(context.globalStorageUri.fsPath, 'server');
  const session: Session = new Session(own, log, completions, (client) => monitor.attach(client));
  const monitor: Monitor = new Monitor(session, quiet, () => completions.latency);
  const item = new StatusItem();
  const nextEdits: NextEdits = new NextEdits(() => session.client, () => quiet.isOn, (document, cursor) => completions.isShownAt(document, cursor));
  const reviews = new Reviews(async () => {
    await session.start();
    return session.client;
  });
  const dashboard = new Dashboard(session, log);
  const draw = (): void => item.draw(view(monitor.facts()));
  const focus = (editor: vscode.TextEditor | undefined): void =>
    notify(DID_FOCUS, editor === undefined ? {} : { textDocument: { uri: editor.document.uri.toString() } });

  let offered = false;
  const command = (name: string, run: () => unknown): vscode.Disposable => vscode.commands.registerCommand(name, run);
  context.subscriptions.push(
    log, quiet, missed, monitor, item, nextEdits, reviews, dashboard,
    monitor.onDidChange(draw),
    session.onDidChange(({ phase }) => {
      if (phase !== 'running') monitor.forget();
      draw();
      void vscode.commands.executeCommand('setContext', 'sotto.running', phase === 'running');
      if (phase === 'running') {
        monitor.askSoon();
        missed.served();
        focus(vscode.window.activeTextEditor);
      }
      if (phase === 'missing' && !offered) {
        offered = true;
        void offer(session, log);
      }
    }),
    vscode.window.onDidChangeActiveTextEditor((editor) => {
      focus(editor);
      draw();
    }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (!event.affectsConfiguration('sotto')) return;
      completions.latency.clear();
      nextEdits.clear();
      draw();
      if (event.affectsConfiguration('sotto.server.command')) void session.restart();
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => {
      if (session.life.phase === 'missing') void session.restart();
    }),
    wakeOnCode(() => void session.start()),
    ...registerCompletionCommands(completions),
    command('sotto.menu', () => openMenu(view(monitor.facts()), quiet)),
    command('sotto.quiet', () => (quiet.isOn ? quiet.finish() : askQuiet(quiet))),
    command('sotto.restart', () => session.restart()),
    command('sotto.installServer', () => installServer(session, log)),
    command('sotto.dashboard', () => dashboard.open()),
    command('sotto.doctor', () => doctor(session, log)),
    command('sotto.showLog', () => log.show()),
    command('sotto.settings', () => vscode.commands.executeCommand('workbench.action.openSettings', '@ext:sotto.sotto')),
  );
  ended = () => session.dispose();
  draw();
}

/** The editor waits for it: the server has said goodbye when it resolves. */
export async function deactivate(): Promise<void> {
  await ended?.();
}
