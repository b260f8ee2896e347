/**
 * How to show an edit with marks on text that is there: what of the old is struck, and what is written beside it.
 * Lines and columns in, marks out; knows no editor.
 */

export interface Place {
  line: number;
  character: number;
}

/** Replace the text between two places. */
export interface Edit {
  start: Place;
  end: Place;
  text: string;
}

/** `[from, to)` of one line goes. */
export interface Struck {
  line: number;
  from: number;
  to: number;
}

/** `text` comes, written behind `character` of a line. `alone`: nothing goes for it, so it reads as ghost text. */
export interface Written {
  line: number;
  character: number;
  text: string;
  alone: boolean;
}

export interface Plan {
  struck: Struck[];
  written: Written[];
}

const MOST_LINES = 4; // of new text beside one line; the hover shows the rest
const BREAK = ' ⏎ ';
const WORD = /[\p{L}\p{N}_$]/u;

/** `lines` are the document's, without their ends. */
export function plan(lines: readonly string[], edit: Edit): Plan {
  const before = between(lines, edit.start, edit.end);
  const after = edit.text.replaceAll('\r\n', '\n');
  const head = commonStart(before, after);
  const tail = commonEnd(before.slice(head), after.slice(head));
  const old = before.slice(head, before.length - tail);
  const fresh = after.slice(head, after.length - tail);
  const at = moved(edit.start, before.slice(0, head));
  if (!old.includes('\n') && !fresh.includes('\n')) return inLine(lines[at.line] ?? '', at, old, fresh);
  return overLines(lines, at, moved(at, old), fresh);
}

/** Whether it only inserts at this place. */
export function insertsAt(lines: readonly string[], edit: Edit, cursor: Place): boolean {
  const before = between(lines, edit.start, edit.end);
  const head = commonStart(before, edit.text);
  if (commonEnd(before.slice(head), edit.text.slice(head)) + head < before.length) return false;
  const at = moved(edit.start, before.slice(0, head));
  return at.line === cursor.line && at.character === cursor.character;
}

/** Where the change itself begins, and where its new text ends. */
export function landing(lines: readonly string[], edit: Edit): { from: Place; to: Place } {
  const before = between(lines, edit.start, edit.end);
  const text = edit.text.replaceAll('\r\n', '\n');
  const head = commonStart(before, text);
  const tail = commonEnd(before.slice(head), text.slice(head));
  return { from: moved(edit.start, before.slice(0, head)), to: moved(edit.start, text.slice(0, text.length - tail)) };
}

function inLine(line: string, at: Place, old: string, fresh: string): Plan {
  if (old === '') return { struck: [], written: [{ ...at, text: fresh, alone: true }] };
  // Whole words read better than the letters that differ.
  let from = at.character;
  let to = at.character + old.length;
  const edge = (side: string | undefined): boolean => WORD.test(side ?? '');
  if (edge(old[0]) || edge(fresh[0])) while (from > 0 && WORD.test(line[from - 1] ?? '')) from--;
  if (edge(old.at(-1)) || edge(fresh.at(-1))) while (to < line.length && WORD.test(line[to] ?? '')) to++;
  const text = line.slice(from, at.character) + fresh + line.slice(at.character + old.length, to);
  const struck = [{ line: at.line, from, to }];
  return { struck, written: fresh === '' && text.trim() === '' ? [] : [{ line: at.line, character: to, text, alone: false }] };
}

/** Line against line: equal ones at both ends stay, the rest stands beside what it replaces. */
function overLines(lines: readonly string[], from: Place, to: Place, fresh: string): Plan {
  const whole = (lines[from.line] ?? '').slice(0, from.character) + fresh + (lines[to.line] ?? '').slice(to.character);
  const old = lines.slice(from.line, to.line + 1);
  const news = whole.split('\n');
  let first = from.line;
  while (old.length > 0 && news.length > 0 && old[0] === news[0]) {
    old.shift();
    news.shift();
    first++;
  }
  while (old.length > 0 && news.length > 0 && old.at(-1) === news.at(-1)) {
    old.pop();
    news.pop();
  }
  const struck = old.map((line, i) => ({ line: first + i, from: indent(line), to: line.length })).filter((one) => one.from < one.to);
  if (old.length === 0) {
    const above = Math.max(0, first - 1);
    const text = BREAK + shortened(news);
    return { struck, written: [{ line: above, character: (lines[above] ?? '').length, text, alone: true }] };
  }
  const paired = news.slice(0, old.length).map((text, i) => ({ line: first + i, character: (old[i] ?? '').length, text: text.trim(), alone: false }));
  const rest = news.slice(old.length);
  const last = paired.at(-1);
  if (last !== undefined && rest.length > 0) last.text += BREAK + shortened(rest);
  return { struck, written: paired.filter((one) => one.text !== '') };
}

function shortened(lines: readonly string[]): string {
  const shown = lines.slice(0, MOST_LINES).map((line) => line.trim());
  const more = lines.length - MOST_LINES;
  return shown.join(BREAK).trimEnd() + (more > 0 ? `${BREAK}… +${more}` : '');
}

function between(lines: readonly string[], start: Place, end: Place): string {
  const part = lines.slice(start.line, end.line + 1);
  if (part.length === 0) return '';
  part[part.length - 1] = (part.at(-1) ?? '').slice(0, end.character);
  part[0] = (part[0] ?? '').slice(start.character);
  return part.join('\n');
}

function moved(from: Place, over: string): Place {
  const lines = over.split('\n');
  const last = lines.at(-1) ?? '';
  return lines.length === 1 ? { line: from.line, character: from.character + last.length } : { line: from.line + lines.length - 1, character: last.length };
}

function commonStart(a: string, b: string): number {
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) n++;
  return n;
}

function commonEnd(a: string, b: string): number {
  let n = 0;
  while (n < a.length && n < b.length && a[a.length - 1 - n] === b[b.length - 1 - n]) n++;
  return n;
}

function indent(line: string): number {
  return line.length - line.trimStart().length;
}
