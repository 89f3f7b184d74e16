import { type Fence, fencesOf } from "./markdown.ts";

/** One thing that a reader does while following a guide, or sees. docs/README.md describes the words behind the back-ticks. */
export type GuideStep =
  | { readonly kind: "command"; readonly text: string; readonly line: number; readonly exitCode: number }
  | { readonly kind: "background" | "output"; readonly text: string; readonly line: number }
  | { readonly kind: "file"; readonly name: string; readonly text: string; readonly line: number };

/**
 * The steps of a guide, in order. Throws for words that mean nothing, so that a block of commands cannot be left out by
 * a slip of the pen.
 */
export function stepsOf(markdown: string): readonly GuideStep[] {
  return fencesOf(markdown).flatMap((fence) => stepOf(fence) ?? []);
}

function stepOf({ language, info, text, line }: Fence): GuideStep | undefined {
  if (info === "output") return { kind: "output", text, line };
  if (language === "yaml" && /^[\w./-]+\.yaml$/.test(info)) return { kind: "file", name: info, text, line };
  if (language !== "sh") return undefined;
  if (info === "") return { kind: "command", text, line, exitCode: 0 };
  if (info === "background") return { kind: "background", text, line };
  const exitCode = /^exit (\d+)$/.exec(info)?.[1];
  if (exitCode !== undefined) return { kind: "command", text, line, exitCode: Number(exitCode) };
  if (/^not-run: \S/.test(info)) return undefined;
  throw new Error(`line ${line}: "${info}" says nothing that is known of a block of commands`);
}

/**
 * What of the expected lines is not in the output: each line's pieces between the ellipses have to be there, one after
 * the other. Empty when all of it is.
 */
export function missingFrom(output: string, expected: string): readonly string[] {
  const missing: string[] = [];
  let from = 0;
  for (const piece of expected.split(/…|\n/).map((each) => each.trim())) {
    const at = output.indexOf(piece, from);
    if (at === -1) missing.push(piece);
    else from = at + piece.length;
  }
  return missing;
}
