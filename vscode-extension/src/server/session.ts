/**
 * The life of the server as the editor sees it: looked for, missing, starting, running, restarting, failed, stopped.
 * At most one start goes on at a time. Knows nothing of what is asked of the server.
 */
import * as os from 'node:os';
import * as vscode from 'vscode';
import type { LanguageClient, Middleware } from 'vscode-languageclient/node';
import { pipArguments, serverCommand } from '../settings';
import { type Server, find } from './find';
import { type Result, install } from './install';
import { interpreters } from './interpreters';
import { places } from './places';

export type Phase = 'idle' | 'searching' | 'missing' | 'installing' | 'starting' | 'running' | 'restarting' | 'failed' | 'stopped';

/** `detail` is a sentence for `missing` and `failed`; else empty. */
export interface Life {
  phase: Phase;
  detail: string;
}

/** Called with each new client before it starts, so that no message of the server is missed. */
export type Prepare = (client: LanguageClient) => void;

export class Session {
  private readonly changed = new vscode.EventEmitter<Life>();
  readonly onDidChange = this.changed.event;
  private current: Life = { phase: 'idle', detail: '' };
  private running: LanguageClient | undefined;
  private found: Server | undefined;
  private work: Promise<void> = Promise.resolve();

  constructor(
    private readonly own: string,
    private readonly log: vscode.LogOutputChannel,
    private readonly middleware: Middleware,
    private readonly prepare: Prepare,
  ) {}

  get life(): Life {
    return this.current;
  }

  /** The client, while its server answers. */
  get client(): LanguageClient | undefined {
    return this.running?.isRunning() ? this.running : undefined;
  }

  /** The server in use, for commands of its own. */
  get server(): Server | undefined {
    return this.found;
  }

  /** Find a server and start it, unless one runs or is being started. */
  start(): Promise<void> {
    return this.queue(async () => {
      if (this.running === undefined) await this.begin();
    });
  }

  /** Stop what runs, look for a server anew, and start it. */
  restart(): Promise<void> {
    return this.queue(async () => {
      await this.end();
      await this.begin();
    });
  }

  stop(): Promise<void> {
    return this.queue(async () => {
      await this.end();
      this.show('stopped');
    });
  }

  /** Make the extension's own environment and start the server in it. Returns what went wrong, or nothing. */
  async install(what: string, say: (text: string) => void, signal: AbortSignal): Promise<string | undefined> {
    let result: Result = { problem: '' };
    await this.queue(async () => {
      await this.end();
      this.show('installing');
      const pythons = [...(await interpreters()), ...(windows() ? ['py', 'python'] : ['python3', 'python'])];
      result = await install({ folder: this.own, what, pipArguments: pipArguments(), pythons, windows: windows() }, say, signal);
      await this.begin();
    });
    return 'problem' in result ? result.problem : undefined;
  }

  /** Stop for good. */
  async dispose(): Promise<void> {
    await this.queue(() => this.end());
    this.changed.dispose();
  }

  private async begin(): Promise<void> {
    this.show('searching');
    const folders = vscode.workspace.isTrusted ? (vscode.workspace.workspaceFolders ?? []).map((folder) => folder.uri.fsPath) : [];
    const around = { setting: serverCommand(), interpreters: await interpreters(), folders, path: process.env['PATH'] ?? '' };
    const { server, problems } = await find(places({ ...around, own: this.own, windows: windows() }));
    for (const problem of problems) this.log.warn(problem);
    this.found = server;
    if (server === undefined) {
      this.show('missing', problems.join('\n'));
      return;
    }
    this.log.info(`sotto ${server.version}: ${[server.command, ...server.args].join(' ')} (${server.from})`);
    await this.launch(server);
  }

  private async launch(server: Server): Promise<void> {
    this.show('starting');
    const { makeClient } = await import('./client.js'); // its library takes longer to load than all the rest: not at activation
    const client = makeClient(server, this.log, this.middleware, {
      restarting: () => this.show('restarting'),
      gaveUp: () => this.show('failed', vscode.l10n.t('The server ended five times within three minutes.')),
    });
    this.running = client;
    client.onDidChangeState(() => {
      if (client.isRunning()) this.show('running');
    });
    this.prepare(client);
    try {
      await client.start();
    } catch (error) {
      this.running = undefined;
      this.show('failed', error instanceof Error ? error.message : String(error));
      await client.dispose().catch(() => undefined);
    }
  }

  private async end(): Promise<void> {
    const client = this.running;
    this.running = undefined;
    await client?.dispose().catch((error: unknown) => this.log.debug(`the server did not end well: ${String(error)}`));
  }

  private queue(step: () => Promise<void>): Promise<void> {
    this.work = this.work.then(step, step);
    return this.work;
  }

  private show(phase: Phase, detail = ''): void {
    this.current = { phase, detail };
    this.changed.fire(this.current);
  }
}

function windows(): boolean {
  return os.platform() === 'win32';
}
