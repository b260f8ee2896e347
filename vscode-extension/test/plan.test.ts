import { describe, expect, it } from 'vitest';
import { type Edit, insertsAt, landing, plan } from '../src/nextEdit/plan';

const LINES = ['def area(width, height):', '    return width * height', '', 'print(area(2, 3))'];
const edit = (line: number, from: number, to: number, text: string): Edit => ({ start: { line, character: from }, end: { line, character: to }, text });

describe('plan', () => {
  it('strikes the word that goes and writes the one that comes', () => {
    expect(plan(LINES, edit(1, 11, 16, 'wide'))).toEqual({
      struck: [{ line: 1, from: 11, to: 16 }],
      written: [{ line: 1, character: 16, text: 'wide', alone: false }],
    });
  });

  it('finds the change in an edit of the whole line', () => {
    const whole = plan(LINES, edit(1, 0, 25, '    return wide * height'));
    expect(whole).toEqual(plan(LINES, edit(1, 11, 16, 'wide')));
  });

  it('writes an insertion as ghost text', () => {
    expect(plan(LINES, edit(3, 14, 14, ', 4'))).toEqual({ struck: [], written: [{ line: 3, character: 14, text: ', 4', alone: true }] });
  });

  it('only strikes a deletion', () => {
    expect(plan(LINES, edit(3, 12, 15, ''))).toEqual({ struck: [{ line: 3, from: 12, to: 15 }], written: [] });
  });

  it('puts new lines beside the old ones, line by line', () => {
    const two: Edit = { start: { line: 0, character: 0 }, end: { line: 1, character: 25 }, text: 'def area(box):\n    return box.width * box.height\n    # twice' };
    expect(plan(LINES, two)).toEqual({
      struck: [{ line: 0, from: 0, to: 24 }, { line: 1, from: 4, to: 25 }],
      written: [
        { line: 0, character: 24, text: 'def area(box):', alone: false },
        { line: 1, character: 25, text: 'return box.width * box.height ⏎ # twice', alone: false },
      ],
    });
  });

  it('writes whole new lines behind the line above', () => {
    expect(plan(LINES, edit(1, 0, 0, '    assert width > 0\n')).written).toEqual([{ line: 0, character: 24, text: ' ⏎ assert width > 0', alone: true }]);
    expect(plan(LINES, edit(0, 24, 24, '\n    assert width > 0')).written[0]).toMatchObject({ line: 0, text: ' ⏎ assert width > 0', alone: true });
  });

  it('strikes whole lines that go', () => {
    const gone: Edit = { start: { line: 1, character: 0 }, end: { line: 2, character: 0 }, text: '' };
    expect(plan(LINES, gone)).toEqual({ struck: [{ line: 1, from: 4, to: 25 }], written: [] });
  });

  it('shortens a long insertion', () => {
    const text = Array.from({ length: 7 }, (_, i) => `x${i}\n`).join('');
    expect(plan(LINES, edit(1, 0, 0, text)).written[0]?.text).toBe(' ⏎ x0 ⏎ x1 ⏎ x2 ⏎ x3 ⏎ … +3');
  });

  it('treats both line ends alike', () => {
    const two: Edit = { start: { line: 0, character: 24 }, end: { line: 1, character: 25 }, text: '\r\n    return width + height' };
    expect(plan(LINES, two)).toEqual(plan(LINES, edit(1, 17, 18, '+')));
  });
});

describe('places of an edit', () => {
  it('tells an insertion at the cursor', () => {
    expect(insertsAt(LINES, edit(3, 0, 17, 'print(area(2, 3, 4))'), { line: 3, character: 15 })).toBe(true);
    expect(insertsAt(LINES, edit(3, 0, 17, 'print(area(2, 3, 4))'), { line: 3, character: 14 })).toBe(false);
    expect(insertsAt(LINES, edit(3, 11, 12, '9'), { line: 3, character: 11 })).toBe(false);
  });

  it('lands on the change and ends behind what is new', () => {
    expect(landing(LINES, edit(1, 0, 25, '    return wide * height'))).toEqual({ from: { line: 1, character: 14 }, to: { line: 1, character: 15 } });
    expect(landing(LINES, edit(1, 0, 0, 'a\nbc\n'))).toEqual({ from: { line: 1, character: 0 }, to: { line: 3, character: 0 } });
  });
});
