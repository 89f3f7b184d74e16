import { Argument, Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { ConfigError } from "../src/config/fault.ts";
import { parseDuration } from "../src/core/units.ts";
import { PROVIDERS, SHELLS, type Shell } from "./choices.ts";
import type { CompletionOptions } from "./completion.ts";
import { examplesOf } from "./examples.ts";
import { describeError, EXIT, type ExitCode, exitCodeOf } from "./exit-code.ts";
import type { InitOptions } from "./init.ts";
import type { RefreshFlags } from "./refresh-options.ts";
import { watchOutput } from "./unwritable.ts";
import { VERSION } from "./version.ts";

const FAULTS_EXPLAINED =
  "(docs/reference/errors.md has a section for each of these kinds, with an example)\n";

const LEVELS = ["error", "warn", "info", "debug"] as const;

/** Runs one command line to its end. Never throws: what goes wrong becomes one line and an exit code. */
export async function execute(argv: readonly string[]): Promise<ExitCode> {
  watchOutput(process);
  let exitCode: ExitCode = EXIT.ok;
  const program = createProgram((code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...argv]);
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const debug = argv.includes("--log-level=debug") || argv[argv.indexOf("--log-level") + 1] === "debug";
    process.stderr.write(describeError(error, debug || process.env["PILLION_LOG_LEVEL"] === "debug"));
    // For people only: whoever reads faults by the line gets nothing but faults.
    if (process.stderr.isTTY && error instanceof ConfigError) process.stderr.write(FAULTS_EXPLAINED);
    return exitCodeOf(error);
  }
}

/**
 * The whole command line, as the contract has it; the command reference is made from it. What a command needs is loaded
 * when that command runs: `version` and `healthcheck` would otherwise take as long as `run` does.
 */
export function createProgram(setExitCode: (code: ExitCode) => void): Command {
  const program = new Command("pillion")
    .description("A sidecar reverse proxy that injects OAuth2 credentials.")
    .version(versionLine(), "-V, --version", "print the version")
    .exitOverride()
    .showHelpAfterError("(pillion --help lists the commands)")
    .configureHelp({ sortSubcommands: false });

  withConfig(program.command("run"))
    .description("serve until SIGTERM or SIGINT")
    .action(async (options: ConfigOptions) => setExitCode(await (await import("./run.ts")).run(options)));

  program
    .command("dev")
    .description("run the emulator of both providers and the proxy together: nothing to set up, no network")
    .option("--listen <address>", "data listener", "127.0.0.1:8080")
    .option("--admin <address>", "admin listener", "127.0.0.1:9090")
    .option("--port <port>", "port of the emulator; 0 picks a free one (default: that of the last run)", port)
    .option("--expires-in <seconds>", "lifetime of the emulator's access tokens", positiveInteger, 3_600)
    .addOption(apiLimitOption())
    .option("--ephemeral", "keep nothing: no session and no booking outlives the process", false)
    .option("--no-refresh-rotation", "a refresh token of the emulator stays good when it is used")
    .option(
      "--refresh-idle <seconds>",
      "the emulator's refresh tokens end when unused so long",
      positiveInteger,
    )
    .option("--refresh-lifetime <seconds>", "and at this age at the latest", positiveInteger)
    .addOption(logLevelOption())
    .action(async (options: DevOptions) => setExitCode(await (await import("./dev.ts")).dev(options)));

  program
    .command("emulate")
    .description("run only the emulator; prints its addresses and the client credentials it accepts")
    .option("--host <host>", "address to listen on", "127.0.0.1")
    .option("--port <port>", "port; 0 picks a free one", port, 9400)
    .option("--expires-in <seconds>", "lifetime of access tokens", positiveInteger)
    .addOption(apiLimitOption())
    .option("--no-refresh-rotation", "a refresh token stays good when it is used")
    .option("--refresh-idle <seconds>", "refresh tokens end when unused so long (15 days)", positiveInteger)
    .option("--refresh-lifetime <seconds>", "and at this age at the latest (30 days)", positiveInteger)
    .option("--redirect-uri <url>", "register a redirect URI for users' logins; repeatable", redirectUri, [])
    .action(async (options: EmulateOptions) =>
      setExitCode(await (await import("./emulate.ts")).emulate(options)),
    );

  program
    .command("init")
    .description("write a commented configuration: asks four questions, or takes flags")
    .addOption(new Option("--provider <provider>", "which API the application calls").choices(PROVIDERS))
    .addOption(
      new Option("--environment <environment>", "of zocdoc (default: sandbox)").choices([
        "sandbox",
        "production",
      ]),
    )
    .addOption(
      new Option("--region <region>", "of qmatic (default: eu-west-1)").choices(["eu-west-1", "us-east-1"]),
    )
    .option("--token-url <url>", "where oauth2 gets tokens; for the others a stand-in, such as the emulator")
    .option("--upstream <url>", "where the API of oauth2 and static is; for the others a stand-in")
    .option("--header <name>", "header field of static (default: X-API-Key)")
    .option("--path <prefix>", "path under which the application calls the API (default: /NAME/)")
    .option(
      "--tenants <names>",
      "tenants, by commas, each with a client of its own; of qmatic ACCOUNT=TENANT_ID (default: none)",
    )
    .addOption(
      new Option("--secrets <place>", "environment variables or files (default: env)").choices([
        "env",
        "file",
      ]),
    )
    .option("-o, --output <file>", "file to write; - for standard output", "pillion.yaml")
    .option("--force", "overwrite a file that is there", false)
    .action(async (options: InitOptions) =>
      (await import("./init.ts")).init(options, {
        terminal:
          process.stdin.isTTY && process.stderr.isTTY
            ? {
                input: process.stdin,
                output: process.stderr,
                interrupt: () => void process.kill(process.pid, "SIGINT"),
              }
            : undefined,
        stdout: process.stdout,
        stderr: process.stderr,
        configVariable: process.env["PILLION_CONFIG"],
      }),
    );

  withConfig(program.command("check"))
    .description("validate the configuration without secrets or network")
    .option("--secrets", "resolve every secret reference too", false)
    .action(async (options: CheckOptions) => setExitCode((await import("./check.ts")).check(options)));

  withConfig(program.command("explain"))
    .description("say what would become of a request, and why; no secrets, no network; exit 1: refused")
    .argument("<method>", "such as GET")
    .argument("<url>", "http://HOST:PORT/PATH, or /PATH; judged raw, as on the wire")
    .addOption(
      new Option("-H, --header <field>", "a field of the request, 'Name: value'; repeatable")
        .argParser(another)
        .default([], "none but Host"),
    )
    .option("--json", "print one JSON document", false)
    .action(async (method: string, url: string, options: ExplainOptions) =>
      setExitCode(await (await import("./explain.ts")).explain(method, url, options)),
    );

  withConfig(program.command("doctor"))
    .description("really fetch a token for each credential and tenant, and reach each upstream; exit 0 or 1")
    .argument("[credential]", "keep to this one, and the upstreams of its routes (default: all)")
    .option("--tenant <tenant>", "keep to this one of its tenants (default: all)")
    .addOption(
      new Option("--timeout <duration>", "for each answer; a token request has 10s at most")
        .argParser(patience)
        .default(10_000, "10s"),
    )
    .option("--json", "print the findings as JSON", false)
    .action(async (credential: string | undefined, options: DoctorOptions) =>
      setExitCode(await (await import("./doctor.ts")).doctor(credential, options)),
    );

  withConfig(program.command("token"))
    .description("fetch a token through the same code and say what it is")
    .argument("<credential>", "name of a credential of the configuration")
    .option("--tenant <tenant>", "for a credential with tenants")
    .option("--raw", "print the bare token alone", false)
    .option("--json", "print what is known of the token, without the token, as JSON", false)
    .action(async (credential: string, options: TokenOptions) =>
      (await import("./token.ts")).printToken(credential, options),
    );

  program
    .command("schema")
    .description("print the JSON Schema of the configuration")
    .action(async () => (await import("./schema.ts")).printSchema());

  withConfig(program.command("healthcheck"))
    .description("ask the admin listener for readiness; exit 0 or 1")
    .action(async (options: ConfigOptions) => (await import("./healthcheck.ts")).healthcheck(options));

  program
    .command("completion")
    .description("print the completions for a shell: source <(pillion completion bash)")
    .addArgument(new Argument("[shell]", "whose").choices(SHELLS))
    .addOption(new Option("--credentials", "names, for the scripts themselves").hideHelp())
    .addOption(new Option("--config <file>").hideHelp())
    .action(async (shell: Shell | undefined, options: CompletionOptions) => {
      const { completion } = await import("./completion.ts");
      process.stdout.write(completion(program, shell, options));
    });

  program
    .command("version")
    .description("print the version")
    .action(() => {
      process.stdout.write(`${versionLine()}\n`);
    });

  for (const command of program.commands) command.addHelpText("after", examplesOf(command.name()));
  return program;
}

function versionLine(): string {
  return `pillion ${VERSION} (Node ${process.versions.node})`;
}

export interface ConfigOptions {
  readonly config?: string;
  readonly logLevel?: (typeof LEVELS)[number];
}

export interface CheckOptions extends ConfigOptions {
  readonly secrets: boolean;
}

export interface ExplainOptions extends ConfigOptions {
  readonly header: readonly string[];
  readonly json: boolean;
}

export interface DoctorOptions extends ConfigOptions {
  readonly tenant?: string;
  /** Milliseconds. */
  readonly timeout: number;
  readonly json: boolean;
}

export interface TokenOptions extends ConfigOptions {
  readonly tenant?: string;
  readonly raw: boolean;
  readonly json: boolean;
}

export interface EmulateOptions extends RefreshFlags {
  readonly host: string;
  readonly port: number;
  readonly expiresIn?: number;
  readonly apiLimit?: number;
  readonly redirectUri: readonly string[];
}

export interface DevOptions extends RefreshFlags {
  readonly listen: string;
  readonly admin: string;
  readonly port?: number;
  readonly expiresIn: number;
  readonly apiLimit?: number;
  readonly ephemeral: boolean;
  readonly logLevel?: (typeof LEVELS)[number];
}

function withConfig(command: Command): Command {
  return command
    .option("-c, --config <file>", "configuration (default: $PILLION_CONFIG, else ./pillion.yaml)")
    .addOption(logLevelOption());
}

function logLevelOption(): Option {
  return new Option("--log-level <level>", "overrides log.level; debug also shows stack traces").choices(
    LEVELS,
  );
}

function apiLimitOption(): Option {
  return new Option(
    "--api-limit <requests>",
    "Qmatic API requests per minute and account; 0: no limit",
  ).argParser(count);
}

function count(text: string): number {
  return integer(text, 0, Number.MAX_SAFE_INTEGER, "a whole number");
}

/** Milliseconds; a command that asks each server once has no use for more than five minutes. */
function patience(text: string): number {
  const value = parseDuration(text);
  if (value === undefined || value < 1 || value > 300_000) {
    throw new InvalidArgumentError("Expected a duration such as 500ms or 10s, 5m at most.");
  }
  return value;
}

function positiveInteger(text: string): number {
  return integer(text, 1, 31_536_000, "a whole number of seconds, 1 or more");
}

function another(text: string, given: readonly string[]): readonly string[] {
  return [...given, text];
}

function redirectUri(text: string, given: readonly string[]): readonly string[] {
  const url = URL.parse(text);
  if (url === null || !["http:", "https:"].includes(url.protocol) || text.includes("#")) {
    throw new InvalidArgumentError(
      "Expected an absolute http or https URL without a fragment (RFC 6749 §3.1.2).",
    );
  }
  return [...given, text];
}

function port(text: string): number {
  return integer(text, 0, 65_535, "a port, 0 to 65535");
}

function integer(text: string, min: number, max: number, expected: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) throw new InvalidArgumentError(`Expected ${expected}.`);
  return value;
}
