import { existsSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { formatFault } from "../src/config/fault.ts";
import { reasonOf, systemFiles } from "../src/config/files.ts";
import { parseConfig } from "../src/config/parse.ts";
import { providers } from "../src/provider/index.ts";
import { CommandError, EXIT } from "./exit-code.ts";
import { type RawAnswers, readAnswers } from "./init-answers.ts";
import { askAnswers, type Terminal } from "./init-questions.ts";
import { type InitialConfiguration, initialConfiguration } from "./init-text.ts";

export interface InitOptions extends Partial<RawAnswers> {
  /** A file, or `-` for standard output. */
  readonly output: string;
  readonly force: boolean;
}

export interface InitSurroundings {
  /** undefined: nobody is there to be asked. */
  readonly terminal: Terminal | undefined;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  /** Whether `run` would look for another file than the one that is written here. */
  readonly configVariable: string | undefined;
}

/** Writes a configuration that `check` accepts, from flags or from answers, and says what is to be done next. */
export async function init(options: InitOptions, surroundings: InitSurroundings): Promise<void> {
  const { output, force } = options;
  const { stdout, stderr, terminal } = surroundings;
  // Before anybody is asked four questions in vain; writing finds out for certain.
  if (output !== "-" && !force && existsSync(output)) throw taken(output);
  const made = initialConfiguration(readAnswers(await answersOf(options, terminal)));
  requireValid(made, output);
  if (output === "-") {
    stdout.write(made.text);
    stderr.write(nextSteps(made, "pillion.yaml", ""));
    return;
  }
  write(output, made.text, force);
  const isDefault = output === "pillion.yaml" && (surroundings.configVariable ?? "") === "";
  stdout.write(
    `${output} is written.\n\n${nextSteps(made, output, isDefault ? "" : ` -c ${shellWord(output)}`)}`,
  );
}

/** Flags alone where there are any: a script must not be asked. */
async function answersOf(
  { output: _, force: __, ...flags }: InitOptions,
  terminal: Terminal | undefined,
): Promise<RawAnswers> {
  const { provider, ...others } = flags;
  if (provider !== undefined) return { ...others, provider };
  if (Object.keys(others).length === 0 && terminal !== undefined) return askAnswers(terminal);
  throw new CommandError(
    "say which API: --provider zocdoc, qmatic, oauth2 or static (pillion init --help lists the rest)",
    EXIT.usage,
  );
}

/** Each answer is judged before; this is the judge of them all together, the one that `check` asks. */
function requireValid({ text }: InitialConfiguration, output: string): void {
  const file = output === "-" ? "pillion.yaml" : output;
  const { faults } = parseConfig(text, {
    file,
    directory: dirname(resolve(file)),
    providers,
    env: {},
    files: systemFiles,
  });
  if (faults.length > 0) throw new CommandError(faults.map(formatFault).join("\n"), EXIT.usage);
}

function write(output: string, text: string, force: boolean): void {
  try {
    writeFileSync(output, text, { flag: force ? "w" : "wx" });
  } catch (error) {
    throw writeError(output, error);
  }
}

function writeError(output: string, cause: unknown): CommandError {
  if (cause instanceof Error && "code" in cause && cause.code === "EEXIST") return taken(output, cause);
  return new CommandError(`cannot write ${output}: ${reasonOf(cause)}`, EXIT.failure, { cause });
}

function taken(output: string, cause?: unknown): CommandError {
  const problem = `${output} is there already; --force overwrites it, --output FILE names another`;
  return new CommandError(problem, EXIT.failure, { cause });
}

function nextSteps({ needed }: InitialConfiguration, file: string, config: string): string {
  const isFile = needed.some(({ where }) => where.includes("/"));
  const width = Math.max(...needed.map(({ where }) => where.length));
  const places = needed.map(({ where, what }) => `     ${where.padEnd(width)}  ${what}`).join("\n");
  const command = (name: string): string => `pillion ${name}${config}`.padEnd(config.length + 16);
  return `Next:
  1. Put in place what ${file} refers to, ${isFile ? "each in a file that nobody else can read, beside it" : "in the environment of Pillion"}:
${places}
  2. ${command("check")}says whether all of it fits; --secrets reads them, too
  3. ${command("doctor")}fetches a token and reaches the API
  4. ${command("run")}serves

For an editor that completes and checks: pillion schema > pillion.schema.json
`;
}

function shellWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
