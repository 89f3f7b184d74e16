/** Where a secret, or a value that may lie where secrets lie, is: `{ env: NAME }` or `{ file: PATH }`. */
import { z } from "zod";
import type { Wrong } from "./fault-kind.ts";
import { expectation, isMapping } from "./validate.ts";
import { filePath, oneOf } from "./value-schemas.ts";
import type { RawMapping } from "./yaml-document.ts";

const environmentName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
  .describe("Name of an environment variable.")
  .meta({ examples: ["ZOCDOC_CLIENT_SECRET"] });

const fileName = z
  .string()
  .regex(filePath)
  .describe("Path of a file, relative to the configuration file. A trailing newline in it is dropped.")
  .meta({ examples: ["secrets/client-secret", "/run/secrets/client-secret"] });

const reference = [z.strictObject({ env: environmentName }), z.strictObject({ file: fileName })] as const;

/** Exactly one of `env` and `file`. */
export type RawSecretReference = { readonly env: string } | { readonly file: string };
export type RawValueReference = RawSecretReference | string;

/** Where a secret is. A secret that was written out is never quoted. */
export const secretReference = oneOf(z.union(reference), (input) =>
  typeof input !== "object"
    ? input === undefined
      ? { kind: "missing-key", message: `is missing: ${HOW_TO_REFER}` }
      : {
          kind: "secret-in-file",
          message: `a secret is not written out in the configuration: ${HOW_TO_REFER}`,
        }
    : referenceProblem(input),
);

const HOW_TO_REFER = "give { env: NAME } for an environment variable or { file: PATH } for a file";

/**
 * A value that may be written out as `text`, or lie where secrets lie. `wrongOf` says what is wrong with a text, or with
 * nothing at all.
 */
export function referenceOr(text: z.ZodType<string, string>, wrongOf: (input: unknown) => Wrong) {
  return oneOf(z.union([text, ...reference]), (input) =>
    typeof input === "object" ? referenceProblem(input) : wrongOf(input),
  );
}

export const valueReference = referenceOr(z.string().regex(/^[\x20-\x7e]+$/), (input) => {
  if (input === undefined)
    return { kind: "missing-key", message: "is missing: expected text, { env: NAME } or { file: PATH }" };
  if (input === "") return { kind: "out-of-bounds", message: "must not be empty" };
  if (typeof input === "string")
    return { kind: "wrong-form", message: "must consist of printable ASCII characters" };
  return { kind: "wrong-type", message: expectation("text", input) };
});

/** Speaks of the form alone: keys and values of a mistaken reference may be parts of the secret. */
function referenceProblem(input: unknown): Wrong {
  return { kind: "env-or-file", message: isMapping(input) ? mappingProblem(input) : HOW_TO_REFER };
}

function mappingProblem(input: RawMapping): string {
  const { env, file } = input;
  if (env !== undefined && file !== undefined) return "give exactly one of env and file, not both";
  if (env === undefined && file === undefined)
    return "give exactly one of env and file: { env: NAME } or { file: PATH }";
  if (Object.keys(input).length > 1) return "takes env or file and no other key";
  if (env !== undefined) return "env must be the name of an environment variable: letters, digits and _";
  return "file must be the path of a file";
}
