import type { Command } from "commander";
import { METHODS } from "../src/config/route-path.ts";
import type { Shell } from "./choices.ts";
import { bashCompletion } from "./completion-bash.ts";
import { fishCompletion } from "./completion-fish.ts";
import { zshCompletion } from "./completion-zsh.ts";
import { CommandError, EXIT } from "./exit-code.ts";
import { loadFromFile } from "./load.ts";

/** What can stand in one place of a command line. */
export type Values =
  | { readonly kind: "choices"; readonly choices: readonly string[] }
  | { readonly kind: "file" }
  /** Names of the configuration's credentials, asked for while completing. */
  | { readonly kind: "credential" }
  /** Anything; nothing is offered. */
  | { readonly kind: "free" };

export interface CompletedOption {
  /** `-c`, `--config`. */
  readonly flags: readonly string[];
  readonly description: string;
  /** undefined: it takes no value. */
  readonly values: Values | undefined;
}

export interface CompletedCommand {
  readonly name: string;
  readonly description: string;
  readonly options: readonly CompletedOption[];
  readonly arguments: readonly Values[];
}

export interface CompletionOptions {
  readonly credentials?: boolean;
  readonly config?: string;
}

/** The script for a shell; with `credentials`, what that script asks for: names, one a line, and never a complaint. */
export function completion(
  program: Command,
  shell: Shell | undefined,
  { credentials, config }: CompletionOptions,
): string {
  if (credentials === true) return credentialNames(config);
  if (shell === undefined)
    throw new CommandError("name a shell: pillion completion bash, zsh or fish", EXIT.usage);
  return WRITERS[shell](commandsOf(program));
}

const WRITERS: Readonly<Record<Shell, (commands: readonly CompletedCommand[]) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

function credentialNames(config: string | undefined): string {
  try {
    const names = [...loadFromFile({ config, checkOnly: true }).config.credentials.keys()];
    return names.map((name) => `${name}\n`).join("");
  } catch {
    return ""; // Whoever presses the tab key is typing, and wants no fault of a file in between.
  }
}

/** The command line as the completions see it; what is hidden from the help is hidden here, too. */
export function commandsOf(program: Command): readonly CompletedCommand[] {
  const help = program.createHelp();
  return help
    .visibleCommands(program)
    .filter((command) => command.name() !== "help")
    .map((command) => ({
      name: command.name(),
      description: command.description(),
      options: help.visibleOptions(command).map((option) => ({
        flags: [option.short, option.long].filter((flag) => flag !== undefined),
        description: option.description,
        values:
          option.required || option.optional
            ? valuesOf(/<([\w-]+)>|\[([\w-]+)\]/.exec(option.flags)?.[1] ?? "", option.argChoices)
            : undefined,
      })),
      arguments: command.registeredArguments.map((argument) =>
        valuesOf(argument.name(), argument.argChoices),
      ),
    }));
}

function valuesOf(name: string, choices: readonly string[] | undefined): Values {
  if (choices !== undefined) return { kind: "choices", choices };
  if (name === "file" || name === "credential") return { kind: name };
  if (name.toLowerCase() === "method") return { kind: "choices", choices: METHODS.slice(0, 7) };
  return { kind: "free" };
}
