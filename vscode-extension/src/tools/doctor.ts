/** `sotto doctor`, its report in the log. Knows the command; what it checks is the server's. */
import * as os from 'node:os';
import * as vscode from 'vscode';
import { run } from '../server/child';
import type { Session } from '../server/session';

export interface Check {
  name: string;
  ok: boolean;
  found: string;
  advice: string;
}

export async function doctor(session: Session, log: vscode.LogOutputChannel): Promise<void> {
  const server = session.server;
  if (server === undefined) {
    log.warn(session.life.detail || 'no server was found');
    log.show();
    return;
  }
  const progress = { location: vscode.ProgressLocation.Window, title: vscode.l10n.t('Sotto: checking') };
  const ended = await vscode.window.withProgress(progress, () =>
    run(server.command, [...server.args, 'doctor', '--json'], { timeoutMs: 120_000, cwd: os.homedir() }),
  );
  const checks = parse(ended.stdout);
  if (checks === undefined) log.error(ended.problem || ended.stderr || ended.stdout);
  for (const check of checks ?? []) log[check.ok ? 'info' : 'error'](line(check));
  log.show();
  const failed = (checks ?? []).filter((check) => !check.ok).length;
  if (checks !== undefined && failed === 0) void vscode.window.showInformationMessage(vscode.l10n.t('Sotto’s doctor has found nothing wrong.'));
}

/** The report's checks; `undefined` when it is none. */
export function parse(report: string): Check[] | undefined {
  try {
    const value = JSON.parse(report) as { checks?: Check[] };
    return Array.isArray(value.checks) ? value.checks : undefined;
  } catch {
    return undefined;
  }
}

function line(check: Check): string {
  return check.ok ? `✓ ${check.name}: ${check.found}` : `✗ ${check.name}: ${check.found} → ${check.advice}`;
}
