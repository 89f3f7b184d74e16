import { createInterface, type Interface } from "node:readline/promises";
import type { Readable, Writable } from "node:stream";
import { CommandError } from "./exit-code.ts";
import {
  DEFAULT_HEADER,
  defaultPath,
  headerProblem,
  pathProblem,
  type RawAnswers,
  tenantsOf,
  tenantsProblem,
  tokenUrlProblem,
  upstreamProblem,
} from "./init-answers.ts";

/** Where questions are put, and answers come from. */
export interface Terminal {
  readonly input: Readable;
  readonly output: Writable;
  /** Ends the process as Ctrl-C ends any other, which reading by the line keeps from happening. */
  interrupt(): void;
}

const APIS: readonly { readonly title: string; readonly answers: RawAnswers }[] = [
  { title: "Zocdoc, sandbox", answers: { provider: "zocdoc", environment: "sandbox" } },
  { title: "Zocdoc, production", answers: { provider: "zocdoc", environment: "production" } },
  { title: "Qmatic, eu-west-1", answers: { provider: "qmatic", region: "eu-west-1" } },
  { title: "Qmatic, us-east-1", answers: { provider: "qmatic", region: "us-east-1" } },
  { title: "another API with OAuth 2.0 client credentials", answers: { provider: "oauth2" } },
  { title: "another API with a fixed key in a header", answers: { provider: "static" } },
];

const PLACES = ["env", "file"] as const;

/** Four questions, and for an API that Pillion does not know where it is. A wrong answer is asked for again. */
export async function askAnswers({ input, output, interrupt }: Terminal): Promise<RawAnswers> {
  const lines = createInterface({ input, output });
  const say = (text: string): void => void output.write(text);
  lines.once("SIGINT", () => {
    // Closed first: it gives the terminal back as it was.
    lines.close();
    say("\nNothing was written.\n");
    interrupt();
  });
  const ask = createAsk(lines, say);
  try {
    say("Pillion attaches tokens to what your application sends. Enter takes what stands in brackets.\n\n");
    for (const [index, { title }] of APIS.entries()) say(`  ${index + 1}  ${title}\n`);
    const number = await ask("1. Which API does your application call?", "1", numberProblem);
    const { answers } = APIS[Number(number) - 1] ?? { answers: { provider: "zocdoc" } as const };
    const { provider } = answers;

    let own: Partial<RawAnswers> = {};
    if (provider === "oauth2") own = { tokenUrl: await ask("   Its token URL?", "", tokenUrlProblem) };
    if (provider === "static")
      own = { header: await ask("   The header's name?", DEFAULT_HEADER, headerProblem) };
    if (provider === "oauth2" || provider === "static")
      own = { ...own, upstream: await ask("   The API's own URL?", "", upstreamProblem) };

    const words =
      provider === "qmatic"
        ? "2. For which tenants (ACCOUNT=TENANT_ID, by commas)?"
        : "2. For which tenants, each with a client of its own (by commas; none: one client for all)?";
    const tenants = await ask(words, "", (text) => tenantsProblem(text, provider));
    const path = await ask(
      "3. Under which path will your application call it?",
      defaultPath(provider),
      (text) => pathProblem(text, tenantsOf(tenants)),
    );
    const secrets = await ask(
      "4. Where do the secrets lie: in environment variables (env) or in files (file)?",
      "env",
      (text) => (PLACES.some((place) => place === text) ? undefined : "expected env or file"),
    );
    say("\n");
    return { ...answers, ...own, tenants, path, secrets: secrets === "file" ? "file" : "env" };
  } finally {
    lines.close();
  }
}

type Ask = (
  words: string,
  preset: string,
  problemOf: (text: string) => string | undefined,
) => Promise<string>;

/** Lines are read in turn, so that a pasted answer to several questions answers them all. */
function createAsk(lines: Interface, say: (text: string) => void): Ask {
  const typed = lines[Symbol.asyncIterator]();
  let isOpen = true;
  lines.once("close", () => {
    isOpen = false;
  });
  return async (words, preset, problemOf) => {
    const prompt = `${words}${preset === "" ? "" : ` [${preset}]`} `;
    lines.setPrompt(prompt);
    for (;;) {
      // What was typed before the end may still answer it.
      if (isOpen) lines.prompt();
      else say(prompt);
      const line = await typed.next();
      // Ctrl-D, or no more input.
      if (line.done === true) {
        say("\n");
        throw new CommandError("ended before the last answer; nothing was written");
      }
      const text = line.value.trim() === "" ? preset : line.value.trim();
      const problem = problemOf(text);
      if (problem === undefined) return text;
      say(`   ${problem}\n`);
    }
  };
}

function numberProblem(text: string): string | undefined {
  return /^\d$/.test(text) && APIS[Number(text) - 1] !== undefined
    ? undefined
    : `expected a number from 1 to ${APIS.length}`;
}
