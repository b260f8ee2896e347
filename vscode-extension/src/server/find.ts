/**
 * Which of the places holds a server that runs: each is asked for its version, in order. Knows no VS Code.
 */
import { access } from 'node:fs/promises';
import { lastWords, run } from './child';
import type { Place } from './places';

const VERSION = /^sotto (\d+\.\d+\.\d+\S*)/m;
const PATIENCE_MS = 15_000; // a cold start from a slow disk; a warm one takes 0.1 s

export interface Server extends Place {
  version: string;
}

export interface Search {
  server: Server | undefined;
  /** Places that hold something which does not work, each as one sentence. */
  problems: string[];
}

/** The first place that answers. A place without a file is passed over in silence, unless the user has named it. */
export async function find(places: readonly Place[], signal?: AbortSignal): Promise<Search> {
  const problems: string[] = [];
  for (const place of places) {
    if (place.from !== 'setting' && !(await exists(place.command))) continue;
    const answer = await ask(place, signal);
    if (typeof answer !== 'string') return { server: answer, problems };
    problems.push(answer);
    if (signal?.aborted) break;
  }
  return { server: undefined, problems };
}

/** The server at a place, or what is wrong with it. */
export async function ask(place: Place, signal?: AbortSignal): Promise<Server | string> {
  const ended = await run(place.command, [...place.args, '--version'], { timeoutMs: PATIENCE_MS, signal });
  const version = VERSION.exec(ended.stdout)?.[1];
  if (ended.code === 0 && version !== undefined) return { ...place, version };
  const why = ended.code === 0 ? 'it is another program of that name' : lastWords(ended, 1);
  return `${[place.command, ...place.args].join(' ')}: ${why}`;
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
