// Finds the names that an example uses and does not declare, by asking the compiler what it can't find.
import ts from "typescript";
import type { Example } from "./examples.ts";

/** Those of each example; the platform's own names are among them. */
export function freeNames(examples: readonly Example[]): Set<string>[] {
  const files = new Map(examples.map(({ language, code }, index) => [`${index}.${language}`, code]));
  const program = ts.createProgram([...files.keys()], options, hostOf(files));
  return [...files.keys()].map((file) => {
    const found = program.getSemanticDiagnostics(program.getSourceFile(file)!);
    return new Set(
      found.flatMap(({ messageText }) => nameIn(ts.flattenDiagnosticMessageText(messageText, " "))),
    );
  });
}

const options: ts.CompilerOptions = {
  ...{ noLib: true, noResolve: true, types: [], allowJs: true, checkJs: true },
  target: ts.ScriptTarget.ESNext,
  module: ts.ModuleKind.ESNext,
  moduleDetection: ts.ModuleDetectionKind.Force,
};

function hostOf(files: ReadonlyMap<string, string>): ts.CompilerHost {
  return {
    ...ts.createCompilerHost(options),
    getSourceFile: (name, target) => {
      const text = files.get(name);
      return text === undefined ? undefined : ts.createSourceFile(name, text, target);
    },
  };
}

function nameIn(message: string): string[] {
  const found = /(?:Cannot find (?:name|namespace)|in scope for the shorthand property) '(\w+)'/.exec(
    message,
  );
  return found?.[1] === undefined ? [] : [found[1]];
}
