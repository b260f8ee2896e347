/**
 * Runs a program to its end, with a time limit and a way to stop it. Knows nothing of what it runs.
 */
import { spawn } from 'node:child_process';

export interface Ended {
  /** The exit code; `null` when the program could not be started or was stopped. */
  code: number | null;
  stdout: string;
  stderr: string;
  /** Why it did not run to its end, in the system's words; empty when it did. */
  problem: string;
}

export interface Limits {
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Called with each line of stdout as it comes. */
  onLine?: (line: string) => void;
  cwd?: string;
}

const KEPT = 200_000; // characters of each stream: a failing pip says its reason at the end

/** Never rejects. No shell reads the arguments. */
export function run(command: string, args: readonly string[], limits: Limits = {}): Promise<Ended> {
  return new Promise((resolve) => {
    let stdout = '';
    let stderr = '';
    let problem = '';
    let line = '';
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true, cwd: limits.cwd });
    const stop = (why: string): void => {
      problem ||= why;
      child.kill('SIGKILL');
    };
    const timer = limits.timeoutMs === undefined ? undefined : setTimeout(() => stop('it did not answer in time'), limits.timeoutMs);
    const aborted = (): void => stop('cancelled');
    limits.signal?.addEventListener('abort', aborted);
    const finish = (code: number | null): void => {
      clearTimeout(timer);
      limits.signal?.removeEventListener('abort', aborted);
      resolve({ code: problem ? null : code, stdout, stderr, problem });
    };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout = (stdout + text).slice(-KEPT);
      const lines = (line + text).split(/\r?\n/);
      line = lines.pop() ?? '';
      for (const one of lines) limits.onLine?.(one);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-KEPT);
    });
    child.on('error', (error) => {
      problem ||= error.message;
      finish(null);
    });
    child.on('close', finish);
    if (limits.signal?.aborted) aborted();
  });
}

/** The last words of a program that failed, for a message: its last lines that are not blank. */
export function lastWords(ended: Ended, lines = 3): string {
  if (ended.problem) return ended.problem;
  const said = (ended.stderr.trim() || ended.stdout.trim()).split(/\r?\n/).filter((line) => line.trim());
  return said.slice(-lines).join('\n') || `exit code ${ended.code ?? '?'}`;
}
