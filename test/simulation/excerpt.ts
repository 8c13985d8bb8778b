// The lines of a trace that a person needs to understand a violation.

/** Those about what the violations name, and what befell processes; what is repeated stands once. */
export function excerptOf(trace: readonly string[]): string[] {
  const violations = trace.filter((line) => line.includes(mark));
  const isAbout = concernOf(violations.map((line) => line.split(mark)[1]).join("\n"));
  const until = trace.findLastIndex((line) => line.includes(mark));
  return folded(trace.slice(0, until + 1).filter((line) => isStage.test(line) || isAbout(line)));
}

const mark = "VIOLATION:";
const isStage = /VIOLATION:| profile \{| --- | kills p| pauses p| resumes p| clock of p|: away until/;

/** What a violation names: images and chunks if it does, processes otherwise. */
function concernOf(words: string): (line: string) => boolean {
  const things = new Set(words.match(/\b\d+\.\d+\.\d+\b|\b(?=[0-9a-f]*\d)[0-9a-f]{6}\b/g));
  const processes = new Set(words.match(/\bp\d+\b/g));
  const names = things.size > 0 ? things : processes;
  if (names.size === 0) return () => true;
  const pattern = new RegExp(`\\b(${[...names].map((name) => name.replaceAll(".", "\\.")).join("|")})\\b`);
  return (line) => pattern.test(line);
}

/** The longest pattern that counts as one that is repeated. */
const longestPattern = 8;

/** Says once what is said again and again. */
export function folded(lines: readonly string[]): string[] {
  const said = lines.map((line) => line.slice(timeWidth));
  const result: string[] = [];
  for (let at = 0; at < lines.length; ) {
    const { length, times } = repetitionAt(said, at);
    result.push(...lines.slice(at, at + length));
    if (times > 1)
      result.push(
        `${"".padEnd(timeWidth)} … ${times - 1} times more, until ${timeOf(lines[at + length * times - 1]!)}`,
      );
    at += length * times;
  }
  return result;
}

/** The pattern from a line on that saves the most lines. */
function repetitionAt(said: readonly string[], at: number): { length: number; times: number } {
  let best = { length: 1, times: 1 };
  for (let length = 1; length <= longestPattern; length++) {
    let times = 1;
    while (isSame(said, at, at + length * times, length)) times += 1;
    const saved = (times - 1) * length - 1;
    if (times > 2 && saved > (best.times - 1) * best.length - 1) best = { length, times };
  }
  return best;
}

const isSame = (said: readonly string[], first: number, second: number, length: number) =>
  second + length <= said.length &&
  said.slice(first, first + length).every((line, index) => line === said[second + index]);

const timeWidth = 9;
const timeOf = (line: string) => line.slice(0, timeWidth).trim();
