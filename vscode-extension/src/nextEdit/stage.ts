/**
 * What Tab would do with the next edit now: nothing, jump to it, or take it. Knows where things are, not how they are drawn.
 *
 * Tab stays the editor's own key for indentation: left of the first letter of a line it is taken only where a jump has just
 * put the cursor.
 */
import type { Place } from './plan';

export type Stage = 'none' | 'jump' | 'take';

export interface Situation {
  /** The edit's document is the one in front. */
  isHere: boolean;
  /** Where the edit changes something, and where what it replaces ends. */
  from: Place;
  to: Place;
  cursor: Place;
  hasSelection: boolean;
  /** The cursor's line up to the cursor. */
  left: string;
  /** The user has come here by Tab and has not moved since. */
  hasJumped: boolean;
}

export function stage(at: Situation): Stage {
  if (at.hasSelection) return 'none';
  if (at.hasJumped && at.isHere) return 'take';
  if (at.left.trim() === '') return 'none';
  const isOnIt = at.isHere && at.cursor.line >= at.from.line && at.cursor.line <= at.to.line;
  return isOnIt ? 'take' : 'jump';
}
