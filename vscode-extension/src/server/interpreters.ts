/**
 * The workspace's Python interpreters: from the Python extension where there is one, and from its setting.
 * An untrusted workspace has none: whoever wrote it would choose what runs.
 */
import * as path from 'node:path';
import * as vscode from 'vscode';

/** As much of the Python extension's published API as is used. */
interface PythonApi {
  environments?: {
    getActiveEnvironmentPath?(resource?: vscode.Uri): { path: string };
    resolveEnvironment?(environment: { path: string }): Promise<{ executable?: { uri?: vscode.Uri } } | undefined>;
  };
}

const PATIENCE_MS = 3_000; // the Python extension may be looking for interpreters itself

export async function interpreters(): Promise<string[]> {
  if (!vscode.workspace.isTrusted) return [];
  const found: string[] = [];
  for (const folder of vscode.workspace.workspaceFolders ?? []) {
    const chosen = (await fromExtension(folder.uri)) ?? fromSetting(folder);
    if (chosen !== undefined && path.isAbsolute(chosen) && !found.includes(chosen)) found.push(chosen);
  }
  return found;
}

async function fromExtension(folder: vscode.Uri): Promise<string | undefined> {
  const extension = vscode.extensions.getExtension<PythonApi>('ms-python.python');
  if (extension === undefined) return undefined;
  try {
    const environments = (await within(Promise.resolve(extension.activate()), PATIENCE_MS))?.environments;
    const active = environments?.getActiveEnvironmentPath?.(folder);
    if (active === undefined) return undefined;
    const resolved = await within(Promise.resolve(environments?.resolveEnvironment?.(active)), PATIENCE_MS);
    return resolved?.executable?.uri?.fsPath ?? active.path;
  } catch {
    return undefined; // another extension's trouble is not ours
  }
}

function fromSetting(folder: vscode.WorkspaceFolder): string | undefined {
  const named = vscode.workspace.getConfiguration('python', folder.uri).get<unknown>('defaultInterpreterPath');
  return typeof named === 'string' ? named.replaceAll('${workspaceFolder}', folder.uri.fsPath) : undefined;
}

async function within<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
