// What an example's comments say that it prints.

/**
 * What is stated and was not printed, or nothing. A comment behind a `console.log(…)` is the line that it prints, `…` in it
 * stands for anything; one with a comma, a colon or a semicolon is prose.
 */
export function missingOutput(code: string, stdout: string): string {
  const comments = Array.from(
    code.matchAll(/console\.log\(.*\);? *\/\/ (?:prints )?(.+)$/gm),
    ([, text = ""]) => text,
  );
  const stated = comments.filter((text) => !/[,:;]/.test(text));
  const lines = stdout.split("\n");
  const missing = stated.filter((text) => !lines.some((line) => isLike(line, text)));
  return missing
    .map((text) => `Its comment says that it prints "${text}", but it printed:\n${stdout}`)
    .join("\n");
}

function isLike(line: string, text: string): boolean {
  const [start = "", ...rest] = text.split("…");
  if (rest.length === 0) return line === text;
  return line.startsWith(start) && line.endsWith(rest.at(-1) ?? "");
}
