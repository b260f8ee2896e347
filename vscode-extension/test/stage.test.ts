import { describe, expect, it } from 'vitest';
import { type Situation, stage } from '../src/nextEdit/stage';

const AWAY: Situation = {
  isHere: true,
  from: { line: 9, character: 4 },
  to: { line: 9, character: 8 },
  cursor: { line: 2, character: 7 },
  hasSelection: false,
  left: '    x =',
  hasJumped: false,
};

describe('stage', () => {
  it.each<[string, Partial<Situation>, string]>([
    ['elsewhere, Tab jumps', {}, 'jump'],
    ['in another file, Tab jumps', { isHere: false, cursor: { line: 9, character: 4 } }, 'jump'],
    ['on the line, Tab takes it', { cursor: { line: 9, character: 4 } }, 'take'],
    ['after a jump, Tab takes it even in an indentation', { hasJumped: true, left: '' }, 'take'],
    ['in an indentation, Tab indents', { left: '    ' }, 'none'],
    ['on an empty line, Tab indents', { left: '' }, 'none'],
    ['on the line itself in its indentation, Tab indents', { left: '  ', cursor: { line: 9, character: 2 } }, 'none'],
    ['with a selection, Tab indents it', { hasSelection: true }, 'none'],
  ])('%s', (_, situation, expected) => expect(stage({ ...AWAY, ...situation })).toBe(expected));
});
