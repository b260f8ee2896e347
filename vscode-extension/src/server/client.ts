/**
 * The language client of one server process: what it may see, and what happens when the process ends.
 * Knows nothing of how the server was found.
 */
import * as os from 'node:os';
import * as vscode from 'vscode';
import {
  CloseAction,
  type CloseHandlerResult,
  ErrorAction,
  type ErrorHandler,
  LanguageClient,
  type Middleware,
  RevealOutputChannelOn,
} from 'vscode-languageclient/node';
import { DOCUMENTS } from '../documents';
import { NextEditFeature } from '../nextEdit/feature';
import { SECTION } from '../settings';
import type { Server } from './find';
import { Restarts } from './restarts';

export interface Ending {
  /** The process has ended by itself and another one is being started. */
  restarting(): void;
  /** It has ended too often; nobody starts another one. */
  gaveUp(): void;
}

export function makeClient(server: Server, log: vscode.LogOutputChannel, middleware: Middleware, ending: Ending): LanguageClient {
  const options = {
    cwd: os.homedir(), // not a folder of the workspace: its files are data, never code to start with
    env: { ...process.env },
  };
  const args = [...server.args, 'serve', '--stdio'];
  const client = new LanguageClient(
    SECTION,
    'Sotto',
    { command: server.command, args, options },
    {
      documentSelector: DOCUMENTS,
      initializationOptions: () => ({ [SECTION]: vscode.workspace.getConfiguration(SECTION) }),
      outputChannel: log,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      initializationFailedHandler: () => false,
      errorHandler: new Handler(new Restarts(), ending),
      middleware,
    },
  );
  client.registerFeature(new NextEditFeature());
  return client;
}

/** Silent restarts; the status item tells what happens. */
class Handler implements ErrorHandler {
  constructor(
    private readonly restarts: Restarts,
    private readonly ending: Ending,
  ) {}

  error(): { action: ErrorAction; handled: boolean } {
    return { action: ErrorAction.Continue, handled: true };
  }

  closed(): CloseHandlerResult {
    if (this.restarts.mayStart(Date.now())) {
      this.ending.restarting();
      return { action: CloseAction.Restart, handled: true };
    }
    this.ending.gaveUp();
    return { action: CloseAction.DoNotRestart, handled: true };
  }
}
