/** Tells the server at `initialize` that next edits of files that are not open can be shown. */
import type { ClientCapabilities, FeatureState, StaticFeature } from 'vscode-languageclient/node';

export class NextEditFeature implements StaticFeature {
  fillClientCapabilities(capabilities: ClientCapabilities): void {
    const experimental = (capabilities.experimental ?? {}) as Record<string, unknown>;
    capabilities.experimental = { ...experimental, nextEdit: { opensFiles: true } };
  }

  initialize(): void {
    // The method names are known; nothing of the server's answer is needed.
  }

  getState(): FeatureState {
    return { kind: 'static' };
  }

  clear(): void {
    // holds nothing
  }
}
