/**
 * Makes the extension's own virtual environment and installs the server in it. Knows no VS Code: progress goes to a function.
 */
import { mkdir, rm } from 'node:fs/promises';
import * as path from 'node:path';
import { type Ended, lastWords, run } from './child';
import { type Server, ask } from './find';
import { programs } from './places';

export interface Wish {
  /** Where the environment shall stand; whatever is there is replaced. */
  folder: string;
  /** What pip shall install: a folder, a wheel, an address, or a name with a version. */
  what: string;
  /** Further arguments of `pip install`. */
  pipArguments: readonly string[];
  /** Interpreters to try, the best first. */
  pythons: readonly string[];
  windows: boolean;
}

export type Result = { server: Server } | { problem: string };

/** Needs a Python that Sotto runs on and that can make environments. */
const FIT = 'import sys, venv, ensurepip; sys.exit(0 if sys.version_info >= (3, 10) else "it is older than Python 3.10")';

/** What is made by a stopped or failed attempt is removed. */
export async function install(wish: Wish, say: (text: string) => void, signal: AbortSignal): Promise<Result> {
  const result = await attempt(wish, say, signal);
  if ('problem' in result) await rm(wish.folder, { recursive: true, force: true });
  return signal.aborted && 'problem' in result ? { problem: 'cancelled' } : result;
}

async function attempt(wish: Wish, say: (text: string) => void, signal: AbortSignal): Promise<Result> {
  const tried: string[] = [];
  const python = await firstFit(wish.pythons, tried, signal);
  if (python === undefined) return { problem: `no Python 3.10 or newer with the venv module was found:\n${tried.join('\n')}` };
  await rm(wish.folder, { recursive: true, force: true });
  await mkdir(path.dirname(wish.folder), { recursive: true });
  say('making a virtual environment');
  const made = await run(python, ['-I', '-m', 'venv', wish.folder], { signal });
  if (made.code !== 0) return { problem: failed(`${python} -m venv ${wish.folder}`, made) };
  const own = path.join(programs(wish.folder, wish.windows), wish.windows ? 'python.exe' : 'python');
  const args = ['-I', '-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--progress-bar', 'off'];
  const installed = await run(own, [...args, ...wish.pipArguments, wish.what], {
    signal,
    cwd: path.dirname(wish.folder), // never a folder of the workspace: pip reads files of the one it runs in
    onLine: (line) => {
      const step = stepOf(line);
      if (step !== undefined) say(step);
    },
  });
  if (installed.code !== 0) return { problem: failed(`pip install ${wish.what}`, installed) };
  const program = path.join(programs(wish.folder, wish.windows), wish.windows ? 'sotto.exe' : 'sotto');
  const answer = await ask({ command: program, args: [], from: 'own' }, signal);
  return typeof answer === 'string' ? { problem: answer } : { server: answer };
}

async function firstFit(pythons: readonly string[], tried: string[], signal: AbortSignal): Promise<string | undefined> {
  for (const python of pythons) {
    const ended = await run(python, ['-I', '-c', FIT], { timeoutMs: 15_000, signal });
    if (ended.code === 0) return python;
    tried.push(`${python}: ${lastWords(ended, 1)}`);
  }
  return undefined;
}

/** What pip is at, in two words and a name; `undefined` for lines that say nothing new. */
export function stepOf(line: string): string | undefined {
  const match = /^\s*(Collecting|Downloading|Building wheel for|Installing collected packages)[: ]*(\S*)/.exec(line);
  if (match === null) return undefined;
  const [, step = '', name = ''] = match;
  if (step === 'Installing collected packages') return 'installing packages';
  const last = name.split('/').pop() ?? name;
  return `${step.toLowerCase()} ${last.length > 40 ? `${last.slice(0, 39)}…` : last}`;
}

function failed(what: string, ended: Ended): string {
  return `${what} failed:\n${lastWords(ended)}`;
}
