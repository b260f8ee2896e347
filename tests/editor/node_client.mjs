/**
 * A plain client on the protocol's own library: talks to a server, records both directions, prints all of it as one JSON value.
 * `node node_client.mjs MODULES ENCODING -- COMMAND...`. Knows LSP as that library does; nothing of what an answer should say.
 */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';

const [modules, encoding, , command, ...rest] = process.argv.slice(2);
const lsp = createRequire(`${modules}/`)('vscode-languageserver-protocol/node');

const record = [];
const server = spawn(command, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
const reader = new lsp.StreamMessageReader(server.stdout);
const writer = new lsp.StreamMessageWriter(server.stdin);
const write = writer.write.bind(writer);
writer.write = (message) => {
  record.push({ from: 'client', message });
  return write(message);
};
const listen = reader.listen.bind(reader);
reader.listen = (hear) =>
  listen((message) => {
    record.push({ from: 'server', message });
    hear(message);
  });

const connection = lsp.createProtocolConnection(reader, writer);
let ready;
const isReady = new Promise((resolve) => (ready = resolve));
connection.onNotification('didChangeStatus', (status) => status.kind === 'Normal' && !status.busy && ready());
connection.onRequest(lsp.ConfigurationRequest.type, () => [{ minConfidence: 0, stopBelow: 0, budgetMs: 10000 }]);
connection.onRequest(lsp.RegistrationRequest.type, () => undefined);
connection.onRequest(lsp.WorkDoneProgressCreateRequest.type, () => undefined);
connection.listen();

const capabilities = {
  general: { positionEncodings: [encoding] },
  window: { workDoneProgress: true },
  workspace: { configuration: true, applyEdit: true, workspaceEdit: { documentChanges: true }, didChangeConfiguration: { dynamicRegistration: true } },
  textDocument: {
    inlineCompletion: {},
    synchronization: { didSave: true },
    codeAction: { codeActionLiteralSupport: { codeActionKind: { valueSet: ['quickfix', 'refactor'] } } },
    publishDiagnostics: { relatedInformation: true },
  },
};
const initialized = await connection.sendRequest(lsp.InitializeRequest.type, { processId: process.pid, rootUri: null, workspaceFolders: null, capabilities });
await connection.sendNotification(lsp.InitializedNotification.type, {});
await isReady;

const uri = 'file:///project/both.py';
const head = 'import os\n\n\ndef both(folder, first):\n    "🙂é"; return os';
const units = { 'utf-8': (text) => Buffer.byteLength(text, 'utf8'), 'utf-16': (text) => text.length, 'utf-32': (text) => [...text].length };
const last = head.split('\n').at(-1);
await connection.sendNotification(lsp.DidOpenTextDocumentNotification.type, { textDocument: { uri, languageId: 'python', version: 1, text: head } });
const end = { line: 4, character: units[encoding](last) };
await connection.sendNotification(lsp.DidChangeTextDocumentNotification.type, { textDocument: { uri, version: 2 }, contentChanges: [{ range: { start: end, end }, text: '.' }] });
const position = { line: 4, character: end.character + 1 };
const context = { triggerKind: lsp.InlineCompletionTriggerKind.Invoked };

const answer = await connection.sendRequest(lsp.InlineCompletionRequest.type, { textDocument: { uri }, position, context });
const other = { uri: 'file:///project/other.py' }; // nothing of it is cached: there is work to cancel
await connection.sendNotification(lsp.DidOpenTextDocumentNotification.type, { textDocument: { ...other, languageId: 'python', version: 1, text: 'class Stack:\n    def ' } });
const source = new lsp.CancellationTokenSource();
const cancelled = connection.sendRequest(lsp.InlineCompletionRequest.type, { textDocument: other, position: { line: 1, character: 8 }, context }, source.token).then((value) => ({ value }), (error) => ({ code: error.code }));
source.cancel();
const actions = await connection.sendRequest(lsp.CodeActionRequest.type, { textDocument: { uri }, range: { start: { line: 3, character: 0 }, end: { line: 3, character: 0 } }, context: { diagnostics: [] } });
const symbols = await connection.sendRequest(lsp.WorkspaceSymbolRequest.type, { query: 'both' });
const unknown = await connection.sendRequest('textDocument/hover', { textDocument: { uri }, position }).then((value) => ({ value }), (error) => ({ code: error.code }));
const item = answer?.items?.[0];
if (item?.command) await connection.sendRequest(lsp.ExecuteCommandRequest.type, { command: item.command.command, arguments: item.command.arguments });
await connection.sendNotification(lsp.DidSaveTextDocumentNotification.type, { textDocument: { uri } });
await connection.sendNotification(lsp.DidCloseTextDocumentNotification.type, { textDocument: { uri } });
await connection.sendRequest(lsp.ShutdownRequest.type);
await connection.sendNotification(lsp.ExitNotification.type);
const code = await new Promise((resolve) => server.on('exit', resolve));

/** Methods of the standard and the names under which the library declares them. */
const names = Object.fromEntries(Object.entries(lsp).filter(([, value]) => value?.type && value.method).map(([name, value]) => [value.method, name]));
process.stdout.write(JSON.stringify({ initialized, answer, position, cancelled: await cancelled, actions, symbols, unknown, code, record, names }));
