import type { Argument, Command, Option } from "commander";
import { EXIT } from "../../cmd/exit-code.ts";
import { createProgram } from "../../cmd/program.ts";
import { cell, code, GENERATED } from "./markdown.ts";

/** Every command and option, from the program that parses them. */
export function commandsPage(): string {
  const program = createProgram(() => {});
  const help = program.createHelp();
  const commands = help.visibleCommands(program).filter((command) => command.name() !== "help");
  return `# Command reference

${GENERATED}

\`pillion <command> [options]\`; \`pillion <command> --help\` says the same. From a checkout a command is
\`node cmd/pillion.ts <command>\`.

| exit code | |
|---|---|
| ${EXIT.ok} | fine |
| ${EXIT.failure} | it failed: a token, an address, a check |
| ${EXIT.usage} | a fault of configuration or usage |

Errors are one line on standard error; \`--log-level debug\` adds the stack trace. The environment variables \`PILLION_CONFIG\`,
\`PILLION_LISTEN\`, \`PILLION_ADMIN\` and \`PILLION_LOG_LEVEL\` override the configuration, and options override them.

| command | |
|---|---|
${commands.map((command) => `| [\`${command.name()}\`](#${anchorOf(command)}) | ${cell(command.description())} |`).join("\n")}

${commands.map((command) => section(command, help.visibleOptions(command))).join("\n")}`;
}

function anchorOf(command: Command): string {
  return `pillion-${command.name()}`;
}

function section(command: Command, options: readonly Option[]): string {
  const list = command.registeredArguments;
  const usage = ["pillion", command.name(), ...list.map(written), "[options]"].join(" ");
  return `## pillion ${command.name()}

\`${usage}\`: ${cell(command.description())}.

| | | default |
|---|---|---|
${[...list.map(argumentRow), ...options.map(optionRow)].join("\n")}
`;
}

function written(argument: Argument): string {
  const name = argument.name() + (argument.variadic ? "..." : "");
  return argument.required ? `<${name}>` : `[${name}]`;
}

function argumentRow(argument: Argument): string {
  return `| ${code(written(argument)).replaceAll('"', "")} | ${words(argument.description, argument.argChoices)} | |`;
}

function optionRow(option: Option): string {
  const preset: unknown = option.defaultValue;
  const isSilent = preset === undefined || preset === false || (Array.isArray(preset) && preset.length === 0);
  const isNegated = option.negate && preset === true;
  return `| \`${option.flags.replaceAll("|", "\\|")}\` | ${words(option.description, option.argChoices)} | ${isSilent || isNegated ? "" : code(preset)} |`;
}

function words(description: string, choices: readonly string[] | undefined): string {
  const list = choices === undefined ? "" : `: ${choices.map((choice) => `\`${choice}\``).join(" ")}`;
  return `${cell(description)}${list}`;
}
