/** How often a server may be started anew: a crash now and then costs nothing, a crash loop ends. Knows no clock. */

const MOST = 5;
const WITHIN_MS = 180_000;

export class Restarts {
  private readonly times: number[] = [];

  /** Whether a start at `now` (milliseconds) is one of the first five within three minutes; counts it if so. */
  mayStart(now: number): boolean {
    while (this.times[0] !== undefined && now - this.times[0] > WITHIN_MS) this.times.shift();
    if (this.times.length >= MOST) return false;
    this.times.push(now);
    return true;
  }
}
