/**
 * The suggestion that stands at the cursor, as far as stable API tells: it was answered, and nobody has cancelled it.
 * How much of it is in the text is read from the text. Knows values only: no VS Code, no server.
 */
import type { ReportedItem } from '../protocol';

/** A shown item: its whole text begins at `offset` of the document `uri`. */
export interface Shown {
  uri: string;
  offset: number;
  item: ReportedItem;
}

/**
 * How much of the item's text stands in `text`, in UTF-16 units from its start: all that agrees up to the cursor.
 * 0 when the cursor is not behind the item's beginning, or the text between is not the item's.
 */
export function accepted(shown: Shown, text: string, cursor: number): number {
  const whole = textOf(shown.item);
  const there = text.slice(shown.offset, cursor);
  return cursor > shown.offset && whole.startsWith(there) ? there.length : 0;
}

export function textOf(item: ReportedItem): string {
  return typeof item.insertText === 'string' ? item.insertText : item.insertText.value;
}

/** Whether `next` is the rest of `before`, which the user is typing or taking piece by piece. */
export function continues(before: Shown, next: Shown, text: string): boolean {
  const between = text.slice(before.offset, next.offset);
  return before.uri === next.uri && before.offset <= next.offset && between + textOf(next.item) === textOf(before.item);
}
