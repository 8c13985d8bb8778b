/** The words of a command line: what there is, what was written, and the help that says so. */
import { type ParseArgsConfig, parseArgs } from "node:util";
import { commands } from "./commands.ts";
import { wrong } from "./exit-code.ts";

/** Of each option: its letter, what its value is, what it is for. */
const options = {
  output: ["o", "FILE", "file to write; - is the standard output"],
  dev: ["", "", "the development image"],
  "image-type": ["", "TYPE", "raw or flasher; default: what the device type has"],
  "file-type": ["", "TYPE", ".img, .zip or .gz as balena packs it; default: the raw image"],
  drafts: ["", "", "consider versions that are not final, too"],
  cache: ["", "MODE", "how the store is used, in the words of fetch (no-cache, only-if-cached, …)"],
  "max-bytes": ["", "SIZE", "most bytes that stored images may take, such as 50GB"],
  "unused-days": ["", "DAYS", "also delete images that nobody used for so many days"],
  repair: ["", "", "download damaged chunks again"],
  port: ["", "PORT", "port to listen on; default: 8080"],
  host: ["", "ADDRESS", "address to listen on; default: 127.0.0.1"],
  store: ["s", "URL", "./dir, s3://bucket/prefix or redis://host; default: $BALENA_IMAGE_STORE"],
  "api-url": ["", "URL", "the balena API; default: as the balena CLI is set up"],
  json: ["", "", "print the result as JSON"],
  quiet: ["q", "", "no progress, no warnings"],
  help: ["h", "", "print this help"],
  version: ["", "", "print the version"],
} as const;
const common = ["store", "api-url", "json", "quiet", "help"];

type Option = keyof typeof options;
type CommandName = keyof typeof commands;
export type Values = { readonly [Name in Option]?: (typeof options)[Name][1] extends "" ? boolean : string };

/** What to do. Without a command, or with `help`, that is to help. */
export interface Invocation {
  readonly command: CommandName | undefined;
  readonly type: string;
  readonly version: string | undefined;
  readonly values: Values;
}

/** @throws {InvalidArgumentError} `INVALID_ARGUMENT` that says what is wrong. */
export function parse(words: readonly string[]): Invocation {
  const { values, positionals } = parsed(words);
  const [name, type = "", version] = positionals;
  if (name !== undefined && !Object.hasOwn(commands, name)) throw wrong(`There is no command "${name}"`);
  const command = name as CommandName | undefined;
  if (!command || values.help) return { command, type, version, values };
  const { takes, has } = commands[command];
  const most = takes.split(" ").filter(Boolean).length;
  const [least, count] = [takes.includes("[") ? most - 1 : most, positionals.length - 1];
  if (count < least || count > most) throw wrong(`Write: ${synopsis(command)}`);
  const other = Object.keys(values).find((option) => ![...common, ...has].includes(option));
  if (other) throw wrong(`${command} takes no --${other}`);
  return { command, type, version, values };
}

function parsed(words: readonly string[]) {
  const config: ParseArgsConfig["options"] = {};
  for (const [name, [short, value]] of Object.entries(options))
    config[name] = { type: value ? "string" : "boolean", ...(short && { short }) };
  try {
    const { values, positionals } = parseArgs({ args: [...words], options: config, allowPositionals: true });
    return { values: values as Values, positionals };
  } catch (cause) {
    throw wrong((cause as Error).message.replace(/\. .*$/s, ""));
  }
}

/** `50GB`, `20GiB` or a number of bytes. */
export function bytesIn(text: string): number {
  const [, number, letter = "", binary] = /^(\d+(?:\.\d+)?)([kMGT]?)(i?)B?$/i.exec(text) ?? [];
  if (!number) throw wrong(`"${text}" is no size: write 50GB, 20GiB or a number of bytes`);
  return Math.floor(Number(number) * (binary ? 1024 : 1000) ** " kmgt".indexOf(letter.toLowerCase() || " "));
}

const synopsis = (name: CommandName) => `balena-image-manager ${name} ${commands[name].takes} [options]`;

/** The help of a command, or of all of them. */
export function helpOf(command: CommandName | undefined): string {
  const lines = Object.entries(commands).map(([name, { is }]) => `  ${name.padEnd(10)}${is}`);
  const ofAll = ["Gets balenaOS images through a verified cache", "balena-image-manager COMMAND [options]"];
  const head = command ? [commands[command].is, synopsis(command)] : [...ofAll, lines.join("\n")];
  const names = command ? [...commands[command].has, ...common] : [...common, "version"];
  const ofOptions = names.map((name) => {
    const [short, value, text] = options[name as Option];
    return `  ${short ? `-${short},` : "   "} ${`--${name} ${value}`.padEnd(20)} ${text}`;
  });
  return [...head, ofOptions.join("\n")].join("\n\n");
}
