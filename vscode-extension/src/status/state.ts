/**
 * What the status item says: one state from all that is known, in the order of what the user has to know first.
 * Knows values and sentences; draws nothing.
 */
import { l10n } from 'vscode';
import type { ServerStatus } from '../protocol';
import type { Life } from '../server/session';

export interface Facts {
  life: Life;
  /** The server's latest word on itself and the file in front. */
  server: ServerStatus | undefined;
  enabled: boolean;
  /** The language of the file in front, when it is switched off. */
  languageOff: string | undefined;
  /** Until when the user wants quiet, as a time of day; `''` without an end; `undefined` when not. */
  quietUntil: string | undefined;
  /** A question has been under way for a while. */
  working: boolean;
  /** Why the latest question got no suggestion, when the gate or the quality floor withheld one. */
  withheld: string | undefined;
  /** 95th percentile of answers, milliseconds, and what the settings allow. */
  p95: number | undefined;
  budgetMs: number;
  model: string | undefined;
}

export type Name =
  | 'ready' | 'working' | 'gated' | 'excluded' | 'slow' | 'loading' | 'restarting' | 'quiet' | 'off' | 'stopped' | 'missing' | 'failed' | 'idle';

export interface View {
  name: Name;
  icon: string;
  /** Stands beside the name in the status bar; may be empty. */
  label: string;
  /** One or two sentences: what it is and what to do. */
  tooltip: string;
  severity: 'normal' | 'warning' | 'error';
}

/** Slower than the budget allows by this much is not the model's work alone: the machine is busy or too small. */
const SLACK = 1.25;

export function view(facts: Facts): View {
  return lifeView(facts) ?? switchedOff(facts) ?? serverView(facts) ?? workView(facts);
}

function lifeView({ life }: Facts): View | undefined {
  switch (life.phase) {
    case 'missing':
      return problem('missing', l10n.t('no server'), life.detail || l10n.t('No Sotto server was found. Click to install it or to choose the program.'));
    case 'failed':
      return problem('failed', l10n.t('stopped'), `${life.detail} ${l10n.t('Click for the log, or to start it again.')}`);
    case 'stopped':
      return quiet('stopped', 'circle-slash', l10n.t('stopped'), l10n.t('The server is stopped. Click to start it again.'));
    case 'idle':
      return quiet('idle', 'comment', '', l10n.t('Sotto starts with the first file of a language that it is switched on for.'));
    case 'searching':
    case 'starting':
      return quiet('loading', 'loading~spin', '', l10n.t('The server is starting.'));
    case 'installing':
      return quiet('loading', 'loading~spin', l10n.t('installing'), l10n.t('The server is being installed.'));
    case 'restarting':
      return warning('restarting', 'sync~spin', l10n.t('restarting'), l10n.t('The server has ended and is starting again.'));
    case 'running':
      return undefined;
  }
}

function switchedOff(facts: Facts): View | undefined {
  if (!facts.enabled) return quiet('off', 'circle-slash', l10n.t('off'), l10n.t('Suggestions are switched off (setting sotto.enabled).'));
  if (facts.quietUntil !== undefined) {
    const until = facts.quietUntil ? l10n.t('Quiet until {0}.', facts.quietUntil) : l10n.t('Quiet until you say otherwise.');
    return quiet('quiet', 'bell-slash', l10n.t('quiet'), until);
  }
  if (facts.languageOff !== undefined)
    return quiet('off', 'circle-slash', l10n.t('off'), l10n.t('Suggestions are switched off for {0}.', facts.languageOff));
  return undefined;
}

function serverView({ server }: Facts): View | undefined {
  if (server?.kind === 'Error') return problem('failed', l10n.t('no model'), `${server.message} ${l10n.t('Click for the log and the doctor.')}`);
  if (server?.kind === 'Warning')
    return warning('restarting', 'sync~spin', l10n.t('restarting'), server.message || l10n.t('The engine has ended and is starting again.'));
  if (server?.kind === 'Inactive') return quiet('excluded', 'circle-slash', l10n.t('excluded'), l10n.t('No suggestions here: {0}.', server.message));
  if (server === undefined || server.busy) return quiet('loading', 'loading~spin', '', l10n.t('The model is loading.'));
  return undefined;
}

function workView(facts: Facts): View {
  if (facts.working) return quiet('working', 'loading~spin', '', l10n.t('Sotto is working.'));
  if (facts.p95 !== undefined && facts.p95 > SLACK * facts.budgetMs) {
    const advice = l10n.t('One answer in twenty takes {0} ms or more. Close what keeps the processor busy, set fewer sotto.maxTokens, or a smaller sotto.model.', Math.round(facts.p95));
    return warning('slow', 'watch', l10n.t('slow'), advice);
  }
  if (facts.withheld !== undefined) return quiet('gated', 'eye-closed', '', l10n.t('A suggestion was withheld: {0}.', facts.withheld));
  return quiet('ready', 'check', '', facts.model ? l10n.t('Sotto is ready ({0}).', facts.model) : l10n.t('Sotto is ready.'));
}

function quiet(name: Name, icon: string, label: string, tooltip: string): View {
  return { name, icon, label, tooltip, severity: 'normal' };
}

function warning(name: Name, icon: string, label: string, tooltip: string): View {
  return { name, icon, label, tooltip, severity: 'warning' };
}

function problem(name: Name, label: string, tooltip: string): View {
  return { name, icon: 'error', label, tooltip, severity: 'error' };
}
