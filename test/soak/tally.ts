// Counts what happened in a run, and prints it.
import type { Report } from "./protocol.ts";

/** The counts of a run, and its failures. */
export class Tally {
  readonly #counts = new Map<string, number>();
  readonly #longest = new Map<string, number>();
  failures = 0;

  add(name: string, by = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by);
  }

  get(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** Prints it at once, in case the run does not come to its end. */
  fail(what: string, trace = ""): void {
    this.failures += 1;
    if (/wrong bytes|ended as if whole|SHA-256|beyond the end/.test(what)) this.add("wrong bytes");
    console.error(`\nFAILURE ${what}${trace && `\n  trace:\n    ${trace.replaceAll("\n", "\n    ")}`}\n`);
  }

  onReport(report: Report): void {
    if (report.type === "failure") this.fail(report.what, report.trace);
    else if (report.type === "event") this.add(`event: ${report.event}`);
    else if (report.type === "cleaned") {
      this.add(report.error === undefined ? "cleanCache done" : `cleanCache failed: ${report.error}`);
      this.#longest.set("cleanCache", Math.max(this.#longest.get("cleanCache") ?? 0, report.tookMs));
    } else if (report.type === "get") this.#addGet(report.result);
  }

  #addGet({ outcome, code, bytes }: Extract<Report, { type: "get" }>["result"]): void {
    this.add("gets ended");
    this.add("MiB delivered", bytes / 2 ** 20);
    this.add(
      {
        whole: "delivered whole",
        range: "ranges delivered whole",
        left: "left early",
        error: `error: ${code}`,
      }[outcome],
    );
  }

  /** All counts, in a fixed order, each with its name. */
  print(): void {
    this.add("wrong bytes", 0);
    const rows = [...this.#counts].sort(([a], [b]) => order(a) - order(b) || a.localeCompare(b));
    for (const [name, count] of rows) console.log(`${name.padEnd(36)} ${Math.round(count * 10) / 10}`);
    for (const [name, ms] of this.#longest)
      console.log(`${`longest ${name}, ms`.padEnd(36)} ${Math.round(ms)}`);
    console.log(`${"failures".padEnd(36)} ${this.failures}`);
  }
}

const groups = [
  /^gets|^delivered|^ranges|^left/,
  /^error/,
  /^kills|^stops|^store fault|^upstream fault|^cleanCache/,
  /^event/,
  /^upstream|^MiB/,
  /^wrong/,
];
const order = (name: string) => groups.findIndex((group) => group.test(name)) + 1 || 99;
