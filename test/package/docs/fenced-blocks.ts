// Reads the fenced code blocks of Markdown.

/** One block. */
export interface Block {
  /** Of its opening fence, counted from 1. */
  readonly line: number;
  /** What stands behind the opening fence. */
  readonly info: string;
  readonly code: string;
}

/** All of them. In a list they are indented; a longer fence may hold shorter ones. */
export function fencedBlocks(text: string): Block[] {
  const blocks = text.matchAll(/^( *)(`{3,})([^`\n]*)\n(.*?)^ *\2`* *$/gms);
  return Array.from(blocks, ({ index, 1: indent = "", 3: info = "", 4: code = "" }) => ({
    line: text.slice(0, index).split("\n").length,
    info: info.trim(),
    code: code.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
  }));
}
