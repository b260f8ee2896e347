import { describe, expect, it } from 'vitest';
import { type Surroundings, places, programs } from '../src/server/places';

const NOTHING: Surroundings = { setting: [], interpreters: [], folders: [], path: '', own: '/own', windows: false };
const commands = (around: Partial<Surroundings>): string[] => places({ ...NOTHING, ...around }).map((place) => place.command);

describe('places', () => {
  it('looks nowhere else once the user has named a program', () => {
    const found = places({ ...NOTHING, setting: ['uv', 'run', 'sotto'], path: '/usr/bin', interpreters: ['/v/bin/python'] });
    expect(found).toEqual([{ command: 'uv', args: ['run', 'sotto'], from: 'setting' }]);
  });

  it('goes from the chosen interpreter over the usual folders and PATH to its own environment', () => {
    const found = places({ ...NOTHING, interpreters: ['/conda/bin/python'], folders: ['/w'], path: '/usr/bin:/bin' });
    expect(found.map(({ command, from }) => [command, from])).toEqual([
      ['/conda/bin/sotto', 'workspace'],
      ['/w/.venv/bin/sotto', 'workspace'],
      ['/w/venv/bin/sotto', 'workspace'],
      ['/w/env/bin/sotto', 'workspace'],
      ['/usr/bin/sotto', 'path'],
      ['/bin/sotto', 'path'],
      ['/own/bin/sotto', 'own'],
    ]);
  });

  it('never takes a relative entry of PATH, which would be a folder of the workspace', () => {
    expect(commands({ path: '.:bin::/usr/bin' })).toEqual(['/usr/bin/sotto', '/own/bin/sotto']);
  });

  it('names a place once', () => {
    expect(commands({ interpreters: ['/w/.venv/bin/python'], folders: ['/w'], path: '/w/.venv/bin' })[0]).toBe('/w/.venv/bin/sotto');
    expect(commands({ interpreters: ['/w/.venv/bin/python'], folders: ['/w'], path: '/w/.venv/bin' })).toHaveLength(4);
  });

  it('knows how Windows lays out an environment', () => {
    const found = commands({ windows: true, folders: ['C:\\w'], path: 'C:\\tools;tools', own: 'C:\\own' });
    expect(found).toContain('C:\\w\\.venv\\Scripts\\sotto.exe');
    expect(found).toContain('C:\\tools\\sotto.exe');
    expect(found.at(-1)).toBe('C:\\own\\Scripts\\sotto.exe');
    expect(programs('/e', false)).toBe('/e/bin');
  });
});
