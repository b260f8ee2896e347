/**
 * Where a Sotto server may be installed, in the order in which it is looked for. Knows paths only: no VS Code, no disk.
 */
import * as path from 'node:path';

export type Source = 'setting' | 'workspace' | 'path' | 'own';

/** A program that may be `sotto`. `args` come before the ones that say what it shall do. */
export interface Place {
  command: string;
  args: readonly string[];
  from: Source;
}

export interface Surroundings {
  /** The setting `sotto.server.command`: a program and its first arguments. */
  setting: readonly string[];
  /** Python interpreters of the workspace, the likeliest first; none while the workspace is not trusted. */
  interpreters: readonly string[];
  /** Folders of the workspace; none while it is not trusted. */
  folders: readonly string[];
  /** `PATH` as the environment has it. */
  path: string;
  /** The virtual environment that the extension makes for itself. */
  own: string;
  windows: boolean;
}

const ENVIRONMENTS = ['.venv', 'venv', 'env'];

/** All places to look at. A command that the user has set is the only one. */
export function places(around: Surroundings): Place[] {
  const [command, ...args] = around.setting;
  if (command !== undefined) return [{ command, args, from: 'setting' }];
  const join = around.windows ? path.win32 : path.posix;
  const found: Place[] = [];
  const add = (folder: string, from: Source): void => {
    const program = join.join(folder, around.windows ? 'sotto.exe' : 'sotto');
    if (!found.some((place) => place.command === program)) found.push({ command: program, args: [], from });
  };
  for (const interpreter of around.interpreters) add(join.dirname(interpreter), 'workspace');
  for (const folder of around.folders)
    for (const name of ENVIRONMENTS) add(programs(join.join(folder, name), around.windows), 'workspace');
  // A relative entry of PATH would mean a folder of the workspace.
  for (const entry of around.path.split(join.delimiter)) if (join.isAbsolute(entry)) add(entry, 'path');
  add(programs(around.own, around.windows), 'own');
  return found;
}

/** The folder of a virtual environment that holds its programs. */
export function programs(environment: string, windows: boolean): string {
  return windows ? path.win32.join(environment, 'Scripts') : path.posix.join(environment, 'bin');
}
