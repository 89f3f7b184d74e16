import { randomBytes } from "node:crypto";
import { url as inspectorUrl } from "node:inspector";
import type { Config } from "../src/config/config.ts";
import { ConfigError, type Fault, formatFault } from "../src/config/fault.ts";
import { systemFiles } from "../src/config/files.ts";
import { requireReadable } from "../src/config/readable.ts";
import { createSecretSource, type SecretSource } from "../src/config/secret-source.ts";
import { createSystemClock } from "../src/core/clock.ts";
import { counted } from "../src/core/counted.ts";
import { silentLogger } from "../src/core/log.ts";
import { diagnose } from "../src/diagnosis/diagnose.ts";
import { type Finding, failure, ok, warning } from "../src/diagnosis/finding.ts";
import { narrowed } from "../src/diagnosis/narrowed.ts";
import { providers } from "../src/provider/index.ts";
import { configFile, environment } from "./config-file.ts";
import { namedCredential } from "./credential.ts";
import { openDebugDoors } from "./debug-doors.ts";
import { createProgress } from "./doctor-progress.ts";
import { formatJson, formatLine, formatSummary } from "./doctor-report.ts";
import { CommandError, EXIT, type ExitCode } from "./exit-code.ts";
import { loadFromFile } from "./load.ts";
import type { DoctorOptions } from "./program.ts";
import { shutDoors } from "./shut-doors.ts";

const LEAVE_AFTER_MS = 500;

/**
 * The command `doctor`: fetches a token for each credential and tenant, or for those that were chosen, and reaches each upstream, one
 * line each with a reason and a hint. 0: nothing failed; 1: something did; 2: the configuration itself cannot be used. May run beside a sidecar
 * that serves: it opens no listener. Nothing that it fetches is kept or shown.
 *
 * A first try without an account: `pillion emulate` prints a configuration and the variables that it needs; with both
 * at hand, `pillion doctor -c pillion.yaml` finds nothing to complain of.
 */
export async function doctor(credential: string | undefined, options: DoctorOptions): Promise<ExitCode> {
  const { config: whole, warnings } = loadFromFile(options);
  const config = keptTo(whole, credential, options.tenant);
  const env = environment(options.logLevel);
  const secrets = createSecretSource({ env, files: systemFiles, log: silentLogger });
  const { stdout } = process;
  // Whoever reads may have seen enough (`doctor | head`); the exit code is for whoever waits for it.
  stdout.on("error", () => {});
  const color = isColored(stdout);
  const print = (finding: Finding): void => {
    if (!options.json) stdout.write(`${formatLine(finding, color)}\n`);
  };
  const doors = findDoors();
  const findings = [...doors];
  // Nothing that is secret is touched while somebody could watch.
  const isWatched = doors.some(isFailure);
  if (!isWatched) findings.push(...judgeFile(config, warnings, secrets, options));
  for (const finding of findings) print(finding);
  if (!isWatched) findings.push(...(await examine(config, secrets, options, print)));
  stdout.write(options.json ? formatJson(findings) : `${formatSummary(findings, color)}\n`);
  // A name server that is silent keeps the process up for long after it was given up.
  setTimeout(() => process.exit(), LEAVE_AFTER_MS).unref();
  return findings.some(isFailure) ? EXIT.failure : EXIT.ok;
}

function keptTo(config: Config, credential: string | undefined, tenant: string | undefined): Config {
  if (credential === undefined) {
    if (tenant === undefined) return config;
    throw new CommandError(
      "--tenant goes with a credential: pillion doctor CREDENTIAL --tenant TENANT",
      EXIT.usage,
    );
  }
  return narrowed(config, { credential: namedCredential(config, credential, tenant).name, tenant });
}

function isFailure({ status }: Finding): boolean {
  return status === "failure";
}

/** What is waited for is shown on standard error, where both streams are one terminal. */
async function examine(
  config: Config,
  secrets: SecretSource,
  { timeout, json }: DoctorOptions,
  print: (finding: Finding) => void,
): Promise<readonly Finding[]> {
  const { stdout, stderr } = process;
  const isLive = !json && stdout.isTTY && stderr.isTTY && process.env["TERM"] !== "dumb";
  const progress = createProgress({
    print,
    redraw: isLive ? (text) => void stderr.write(`\r\u001b[2K${text}`) : undefined,
    // A terminal that does not tell has 0.
    columns: () => stderr.columns || 80,
  });
  const interrupt = (): void => {
    progress.end();
    // As if it had not been caught: a shell must see by what it ended.
    process.kill(process.pid, "SIGINT");
  };
  process.once("SIGINT", interrupt);
  // It also keeps the process up while nothing but a turn at a token endpoint is waited for.
  const ticking = setInterval(progress.tick, 500);
  try {
    return await diagnose(
      config,
      {
        clock: createSystemClock(),
        random: Math.random,
        randomBytes,
        secrets,
        providers,
        timeoutMs: timeout,
        signal: new AbortController().signal,
      },
      progress,
    );
  } finally {
    clearInterval(ticking);
    process.off("SIGINT", interrupt);
    progress.end();
  }
}

/** As `run` judges them, which would not start. */
function findDoors(): readonly Finding[] {
  const subject = { kind: "environment" } as const;
  const { env, execArgv } = process;
  const doors = openDebugDoors({ env, execArgv, inspectorUrl: inspectorUrl() });
  shutDoors();
  if (doors.length === 0)
    return [
      { subject, ...ok(`Node ${process.versions.node}; nothing is switched on that would show secrets`) },
    ];
  const hint = "run would refuse to start, and nothing else was examined: unset it, and run doctor again";
  return doors.map((reason) => ({ subject, ...failure({ reason, hint }) }));
}

/** What the file refers to can be read, and is what it should be. Each fault at its place. */
function judgeFile(
  config: Config,
  warnings: readonly Fault[],
  secrets: SecretSource,
  options: DoctorOptions,
): readonly Finding[] {
  const subject = { kind: "configuration" } as const;
  const file = configFile(options.config);
  const ofWarnings = warnings.map((fault) => ({
    subject,
    ...warning(formatFault(fault), "correct it, or leave it if it is meant so"),
  }));
  try {
    requireReadable(config, file, secrets);
    const { routes, credentials } = config;
    const words = `${file}: ${counted(routes.length, "route")}, ${counted(credentials.size, "credential")}, every secret and PEM file readable`;
    return [...ofWarnings, { subject, ...ok(words) }];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const lines = error.faults.length === 0 ? [error.message] : error.faults.map(formatFault);
    const hint = "run would refuse to start: correct the reference, or put the value where it leads";
    return [...ofWarnings, ...lines.map((reason) => ({ subject, ...failure({ reason, hint }) }))];
  }
}

/** NO_COLOR counts where it is not empty (no-color.org). */
function isColored(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY && (process.env["NO_COLOR"] ?? "") === "" && process.env["TERM"] !== "dumb";
}
