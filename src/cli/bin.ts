#!/usr/bin/env node
/** The command `balena-image-manager`. It loads nothing else before it knows that the runtime is new enough. */
const { node } = process.versions;
if (Number.parseInt(node, 10) < 22) {
  process.stderr.write(`balena-image-manager needs Node 22.18 or newer. This is Node ${node}.\n`);
  process.exitCode = 1;
} else {
  const { main } = await import("./main.ts");
  await main(process.argv.slice(2));
}
