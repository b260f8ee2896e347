import * as vscode from 'vscode';
import { beforeEach, describe, expect, it } from 'vitest';
import { Latency } from '../src/completion/latency';
import { Completions } from '../src/completion/middleware';
import { accepted, continues } from '../src/completion/shown';

const ITEM = { insertText: 'path.join(a, b)', command: { title: '', command: 'sotto.didAccept', arguments: ['7'] } };

describe('shown', () => {
  const shown = { uri: 'u', offset: 3, item: ITEM };
  it.each([
    ['os.path', 7, 4],
    ['os.path.join(a, b)', 18, 15],
    ['os.', 3, 0],
    ['os.other', 8, 0],
    ['o', 1, 0],
  ])('%s at %d has %d of it', (text, cursor, units) => expect(accepted(shown, text, cursor)).toBe(units));

  it('knows the rest of what is being typed', () => {
    const rest = { uri: 'u', offset: 7, item: { ...ITEM, insertText: '.join(a, b)' } };
    expect(continues(shown, rest, 'os.path')).toBe(true);
    expect(continues(shown, rest, 'os.pass')).toBe(false);
    expect(continues(shown, { ...rest, uri: 'v' }, 'os.path')).toBe(false);
  });
});

describe('latency', () => {
  it('says nothing before there are enough, then the 95th percentile of the latest fifty', () => {
    const latency = new Latency();
    for (let i = 1; i <= 9; i++) latency.add(i);
    expect(latency.p95()).toBeUndefined();
    for (let i = 0; i < 100; i++) latency.add(i);
    expect(latency.p95()).toBe(97);
  });
});

describe('completions', () => {
  const sent: [string, unknown][] = [];
  const heard: string[] = [];
  let quiet = false;
  let overtaken = false;
  let seems = false;
  let completions: Completions;
  const document = { uri: { toString: () => 'u' }, getText: () => 'os.path', offsetAt: (n: number) => n } as unknown as vscode.TextDocument;
  const at = (offset: number): vscode.Position => offset as unknown as vscode.Position;
  const itemAt = (offset: number, insertText: string): vscode.InlineCompletionItem =>
    ({ insertText, range: { start: offset, end: offset }, command: ITEM.command }) as unknown as vscode.InlineCompletionItem;
  const item = itemAt(3, ITEM.insertText);
  const ask = (answer: unknown, triggerKind = vscode.InlineCompletionTriggerKind.Automatic, cancelled = false): Promise<unknown> =>
    completions.provideInlineCompletionItems(
      document,
      at(3),
      { triggerKind, selectedCompletionInfo: undefined },
      { isCancellationRequested: cancelled } as vscode.CancellationToken,
      () => answer as vscode.InlineCompletionItem[],
    );

  beforeEach(() => {
    sent.length = heard.length = 0;
    quiet = overtaken = seems = false;
    completions = new Completions(
      (method, params) => sent.push([method, params]),
      () => quiet,
      () => Promise.resolve(overtaken),
      { asked: () => seems, busy: (count) => heard.push(`busy ${count}`), answered: (shown) => heard.push(shown ? 'shown' : 'nothing') },
    );
  });

  it('reports what is shown, and that it has worked', async () => {
    expect(await ask({ items: [item] })).toEqual({ items: [item] });
    expect(sent).toEqual([['textDocument/didShowCompletion', { item: ITEM }]]);
    expect(heard).toEqual(['busy 1', 'busy 0', 'shown']);
  });

  it('reports nothing of an answer that came too late', async () => {
    expect(await ask({ items: [item] }, vscode.InlineCompletionTriggerKind.Automatic, true)).toBeUndefined();
    expect(sent).toEqual([]);
    expect(heard).toEqual(['busy 1', 'busy 0']);
  });

  it('tells an empty answer from one that was overtaken', async () => {
    await ask({ items: [] });
    await ask(null);
    expect(heard).toEqual(['busy 1', 'busy 0', 'nothing', 'busy 1', 'busy 0']);
  });

  it('asks nothing while it shall be quiet, unless asked by hand', async () => {
    quiet = true;
    expect(await ask({ items: [item] })).toBeUndefined();
    expect(heard).toEqual([]);
    expect(await ask({ items: [item] }, vscode.InlineCompletionTriggerKind.Invoke)).toEqual({ items: [item] });
  });

  it('takes a question that only seems to be asked by hand for what it is', async () => {
    quiet = seems = true;
    expect(await ask({ items: [item] }, vscode.InlineCompletionTriggerKind.Invoke)).toBeUndefined();
  });

  it('keeps back what a next edit comes before, unless asked by hand', async () => {
    overtaken = true;
    expect(await ask({ items: [item] })).toBeUndefined();
    expect(sent).toEqual([]);
    expect(await ask({ items: [item] }, vscode.InlineCompletionTriggerKind.Invoke)).toEqual({ items: [item] });
  });

  it('is not left busy by a question that fails', async () => {
    await expect(ask(Promise.reject(new Error('gone')))).rejects.toThrow('gone');
    expect(heard).toEqual(['busy 1', 'busy 0']);
  });

  it('counts what was taken from the beginning of the first of its answers', async () => {
    await ask({ items: [item] });
    await ask({ items: [itemAt(7, '.join(a, b)')] });
    completions.tookPart(document, at(7));
    expect(sent.at(-1)).toEqual(['textDocument/didPartiallyAcceptCompletion', { item: ITEM, acceptedLength: 4 }]);
  });

  it('knows of nothing to take after an acceptance', async () => {
    await ask({ items: [item] });
    await completions.executeCommand?.('sotto.didAccept', ['7'], () => Promise.resolve(null));
    sent.length = 0;
    completions.tookPart(document, at(7));
    expect(sent).toEqual([]);
  });
});
