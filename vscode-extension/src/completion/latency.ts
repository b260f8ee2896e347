/** How long answers take, as the user feels it: from the editor's question to its answer. Knows no clock. */

const KEPT = 50;
const ENOUGH = 10; // fewer say nothing about the slowest twentieth

export class Latency {
  private readonly times: number[] = [];

  add(milliseconds: number): void {
    this.times.push(milliseconds);
    if (this.times.length > KEPT) this.times.shift();
  }

  /** The 95th percentile of the latest answers, milliseconds; `undefined` before there are enough of them. */
  p95(): number | undefined {
    if (this.times.length < ENOUGH) return undefined;
    const sorted = [...this.times].sort((a, b) => a - b);
    return sorted[Math.ceil(0.95 * sorted.length) - 1];
  }

  clear(): void {
    this.times.length = 0;
  }
}
