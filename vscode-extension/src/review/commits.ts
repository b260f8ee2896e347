/** Tells of commits, by the Git extension's published API. Without that extension nothing is told. */
import * as vscode from 'vscode';

interface Repository {
  rootUri: vscode.Uri;
  onDidCommit?: vscode.Event<void>;
}

interface Git {
  repositories: Repository[];
  onDidOpenRepository: vscode.Event<Repository>;
}

/** Calls `committed` after each commit that is made in the editor. */
export function onCommit(committed: (root: vscode.Uri) => void): vscode.Disposable {
  const listeners: vscode.Disposable[] = [];
  const watch = (repository: Repository): void => {
    const listening = repository.onDidCommit?.(() => committed(repository.rootUri));
    if (listening !== undefined) listeners.push(listening);
  };
  const begin = async (): Promise<void> => {
    const extension = vscode.extensions.getExtension<{ getAPI(version: 1): Git }>('vscode.git');
    if (extension === undefined) return;
    const git = (await extension.activate()).getAPI(1);
    git.repositories.forEach(watch);
    listeners.push(git.onDidOpenRepository(watch));
  };
  void begin().catch(() => undefined); // Git is switched off
  return new vscode.Disposable(() => listeners.forEach((one) => void one.dispose()));
}
