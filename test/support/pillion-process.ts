import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ENTRY = fileURLToPath(new URL("../../cmd/pillion.ts", import.meta.url));

/** Fails loudly instead of hanging for ever; far beyond what any event here takes. */
const PATIENCE_MS = 20_000;

export interface LogLine {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** The real process, as its users run it. */
export interface PillionProcess {
  readonly child: ChildProcess;
  /** `http://127.0.0.1:PORT` of the data listener; known once `listening` was logged. */
  readonly origin: string;
  readonly adminOrigin: string;
  readonly lines: readonly LogLine[];
  stdout(): string;
  stderr(): string;
  /** The first line with this event, past or future, after the first `skip` of them. */
  logged(event: string, skip?: number): Promise<LogLine>;
  signal(signal: NodeJS.Signals): void;
  /** Resolves to the exit code, or 128 + n for a signal's end. */
  exited(): Promise<number>;
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Starts a serving command (`run`, `dev`) and waits until it listens. */
export async function startPillion(
  args: readonly string[],
  options: StartOptions = {},
): Promise<PillionProcess> {
  const child = spawn(process.execPath, [ENTRY, ...args], {
    env: cleanEnvironment(options.env),
    cwd: options.cwd,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: LogLine[] = [];
  const waiters = new Set<() => void>();
  let stdout = "";
  let stderr = "";
  let exitCode: number | undefined;
  createInterface({ input: child.stdout }).on("line", (line) => {
    stdout += `${line}\n`;
    if (line.startsWith("{")) lines.push(JSON.parse(line) as LogLine);
    for (const waiter of waiters) waiter();
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const exit = once(child, "close").then(([code, signal]) => {
    exitCode = typeof code === "number" ? code : 128 + (signal === "SIGKILL" ? 9 : 15);
    for (const waiter of waiters) waiter();
    return exitCode;
  });

  const logged = (event: string, skip = 0): Promise<LogLine> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => finish(new Error(`no "${event}" in:\n${stdout}${stderr}`)), PATIENCE_MS);
      const look = (): void => {
        const line = lines.filter((candidate) => candidate.event === event)[skip];
        if (line !== undefined) finish(undefined, line);
        else if (exitCode !== undefined)
          finish(new Error(`ended with ${exitCode} before "${event}":\n${stdout}${stderr}`));
      };
      function finish(error: Error | undefined, line?: LogLine): void {
        clearTimeout(timer);
        waiters.delete(look);
        if (line === undefined) reject(error);
        else resolve(line);
      }
      waiters.add(look);
      look();
    });

  const listening = await logged("listening").catch((error: unknown) => {
    child.kill("SIGKILL");
    throw error;
  });
  return {
    child,
    origin: `http://${String(listening["listen"])}`,
    adminOrigin: `http://${String(listening["admin"])}`,
    lines,
    stdout: () => stdout,
    stderr: () => stderr,
    logged,
    signal: (signal) => child.kill(signal),
    exited: () => exit,
    async stop() {
      child.kill("SIGKILL");
      await exit;
    },
  };
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command that ends by itself. */
export async function runPillion(
  args: readonly string[],
  options: StartOptions = {},
): Promise<CommandResult> {
  const child = spawn(process.execPath, [ENTRY, ...args], {
    env: cleanEnvironment(options.env),
    cwd: options.cwd,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: PATIENCE_MS,
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { exitCode: code ?? -1, stdout, stderr };
}

/** Nothing of the test runner's own environment reaches the product. */
function cleanEnvironment(env: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return { PATH: process.env["PATH"], HOME: process.env["HOME"], ...env };
}
