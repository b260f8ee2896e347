/** Quiet for a while: until a time, or until the user says otherwise. Lives as long as the window. */

export class Quiet {
  private until: number | undefined;
  private timer: NodeJS.Timeout | undefined;

  /** `changed` is called when it begins and when it ends. */
  constructor(private readonly changed: () => void) {}

  get isOn(): boolean {
    return this.until !== undefined;
  }

  /** When it ends, milliseconds since 1970; `Infinity` without an end; `undefined` when it is off. */
  get end(): number | undefined {
    return this.until;
  }

  begin(minutes: number, now = Date.now()): void {
    clearTimeout(this.timer);
    this.until = now + minutes * 60_000;
    if (Number.isFinite(minutes)) this.timer = setTimeout(() => this.finish(), minutes * 60_000);
    this.changed();
  }

  finish(): void {
    clearTimeout(this.timer);
    this.until = undefined;
    this.changed();
  }

  dispose(): void {
    clearTimeout(this.timer);
  }
}
