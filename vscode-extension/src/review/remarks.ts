/**
 * What a review says, read from the server's diagnostics: they move with their lines and go when they are dealt with.
 * Knows diagnostics; draws nothing.
 */
import * as vscode from 'vscode';

const SOURCE = 'sotto';

/** One comment of a review. `id` names it to the server. */
export interface Remark {
  id: string;
  uri: vscode.Uri;
  range: vscode.Range;
  rule: string;
  message: string;
  severity: vscode.DiagnosticSeverity;
  related: readonly vscode.DiagnosticRelatedInformation[];
}

/** All that stand now, by document and line. */
export function remarks(): Remark[] {
  const found = vscode.languages.getDiagnostics().flatMap(([uri, list]) => list.map((one) => remark(uri, one)));
  const known = found.filter((one): one is Remark => one !== undefined);
  return known.sort((a, b) => a.uri.toString().localeCompare(b.uri.toString()) || a.range.start.compareTo(b.range.start));
}

function remark(uri: vscode.Uri, diagnostic: vscode.Diagnostic & { data?: { id?: unknown } }): Remark | undefined {
  const id = diagnostic.data?.id;
  if (diagnostic.source !== SOURCE || typeof id !== 'string') return undefined;
  const { range, message, severity, relatedInformation: related = [] } = diagnostic;
  const code = typeof diagnostic.code === 'object' ? diagnostic.code.value : diagnostic.code;
  return { id, uri, range, rule: String(code ?? ''), message, severity, related };
}
