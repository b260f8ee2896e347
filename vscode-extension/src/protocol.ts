/**
 * The messages beyond LSP, as `lsp_server/protocol.py` defines them. Knows their names and shapes, nothing of what they are for.
 */
import type { Command, InlineCompletionItem, Range } from 'vscode-languageserver-protocol';

export const STATUS = 'sotto/status';
export const DID_CHANGE_STATUS = 'didChangeStatus';
export const DID_FOCUS = 'textDocument/didFocus';
export const DID_SHOW_COMPLETION = 'textDocument/didShowCompletion';
export const DID_PARTIALLY_ACCEPT_COMPLETION = 'textDocument/didPartiallyAcceptCompletion';
export const ACCEPT_COMMAND = 'sotto.didAccept';

/** `didChangeStatus`: for the status item. `Inactive`: this file gets no suggestions, and `message` says why. */
export interface ServerStatus {
  kind: 'Normal' | 'Warning' | 'Error' | 'Inactive';
  message: string;
  busy: boolean;
}

/** The part of the answer to `sotto/status` that is looked at here. */
export interface ServerReport {
  version: string;
  state: string;
  message: string;
  model: string | null;
  enginePid: number | null;
  telemetry: boolean;
  lastReason: string | null;
  gate: { kind: string; lastReason: string };
}

/** The item of the protocol, as much of it as a notification about it needs. */
export interface ReportedItem extends Pick<InlineCompletionItem, 'insertText'> {
  command: Command;
}

export const INLINE_EDIT = 'textDocument/copilotInlineEdit';
export const DID_SHOW_INLINE_EDIT = 'textDocument/didShowInlineEdit';
export const REJECT_COMMAND = 'sotto.rejectEdit';

/** A predicted edit; it holds for that version of its document, `null` for a file that is not open. */
export interface PredictedEdit {
  text: string;
  range: Range;
  textDocument: { uri: string; version: number | null };
  command: Command;
}

/** The answer to `INLINE_EDIT`: at most one. */
export interface PredictedEdits {
  edits: PredictedEdit[];
}

export const REVIEW_COMMAND = 'sotto.review';
export const REVIEW_FILE_COMMAND = 'sotto.reviewFile';
export const DISMISS_COMMAND = 'sotto.dismissComment';
export const DISMISS_RULE_COMMAND = 'sotto.dismissRule';

/** The answer to a review, as much of it as is shown; the comments themselves come as diagnostics. */
export interface ReviewReport {
  comments: unknown[];
  /** Comments that were held back. */
  hidden: number;
  overview: string;
  /** Why there was no review. */
  problem?: string;
}
