import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ENTRY = fileURLToPath(new URL("../../cmd/pillion.ts", import.meta.url));

/** Fails loudly instead of hanging for ever; far beyond what any event here takes. */
const PATIENCE_MS = 45_000;

/** What Node made of the sources is kept from process to process, and from run to run: it halves the time that a start takes. */
const COMPILE_CACHE = join(tmpdir(), "pillion-test-compile-cache");

export interface LogLine {
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Any command as a process, from its start to its end. */
export interface StartedProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  /** The JSON log lines so far. */
  readonly lines: readonly LogLine[];
  stdout(): string;
  stderr(): string;
  /** The first match on standard output, past or future. Rejects when the process ends without it. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  /** The first log line with this event, past or future, after the first `skip` of them. */
  logged(event: string, skip?: number): Promise<LogLine>;
  signal(signal: NodeJS.Signals): void;
  /** Resolves, once all output is there, to the exit code, or 128 + n where signal n ended it. */
  exited(): Promise<number>;
  /** Kills it without ceremony. Idempotent. */
  stop(): Promise<void>;
}

/** A serving process, as its users run it. */
export interface PillionProcess extends StartedProcess {
  /** `http://127.0.0.1:PORT` of the data listener. */
  readonly origin: string;
  readonly adminOrigin: string;
}

export interface StartOptions {
  /** The whole environment beside PATH, HOME and Node's compile cache: nothing of the test runner's own reaches the product. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** What Node runs instead of the sources: a built file. */
  readonly entry?: string;
  /** A command that runs the one behind it in its own place, as `setpriv` does. */
  readonly through?: readonly string[];
}

/** A test that fails must not leave its processes behind. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts a command and does not wait for anything. */
export function spawnPillion(args: readonly string[], options: StartOptions = {}): StartedProcess {
  const [command = "", ...rest] = [
    ...(options.through ?? []),
    process.execPath,
    options.entry ?? ENTRY,
    ...args,
  ];
  const child = spawn(command, rest, {
    env: {
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      NODE_COMPILE_CACHE: COMPILE_CACHE,
      ...options.env,
    },
    cwd: options.cwd,
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  const lines: LogLine[] = [];
  const waiters = new Set<() => void>();
  const tell = (): void => {
    for (const waiter of [...waiters]) waiter();
  };
  let stdout = "";
  let stderr = "";
  let unread = 0;
  let exitCode: number | undefined;
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
    for (let end = stdout.indexOf("\n", unread); end !== -1; end = stdout.indexOf("\n", unread)) {
      const line = stdout.slice(unread, end);
      unread = end + 1;
      if (line.startsWith('{"')) lines.push(JSON.parse(line) as LogLine);
    }
    tell();
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const exit = once(child, "close").then(([code, signal]: (number | NodeJS.Signals | null)[]) => {
    running.delete(child);
    exitCode = typeof code === "number" ? code : 128 + constants.signals[signal as NodeJS.Signals];
    tell();
    return exitCode;
  });

  function found<T>(what: string, look: () => T | null | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const giveUp = (why: string): void =>
        settle(() => reject(new Error(`${why} ${what} in:\n${stdout}${stderr}`)));
      const timer = setTimeout(() => giveUp(`no`), PATIENCE_MS);
      const check = (): void => {
        const value = look();
        if (value !== null && value !== undefined) settle(() => resolve(value));
        else if (exitCode !== undefined) giveUp(`ended with ${exitCode} before`);
      };
      function settle(act: () => void): void {
        clearTimeout(timer);
        waiters.delete(check);
        act();
      }
      waiters.add(check);
      check();
    });
  }

  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exit;
  };
  return {
    child,
    lines,
    stdout: () => stdout,
    stderr: () => stderr,
    printed: (pattern) => found(String(pattern), () => pattern.exec(stdout)),
    logged: (event, skip = 0) =>
      found(`"${event}"`, () => lines.filter((line) => line.event === event)[skip]),
    signal: (signal) => void child.kill(signal),
    exited: () => exit,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Starts `run`, or whatever else logs `listening` as JSON, and waits until it serves. */
export async function startPillion(
  args: readonly string[],
  options: StartOptions = {},
): Promise<PillionProcess> {
  const started = spawnPillion(args, options);
  const listening = await started.logged("listening").catch(async (error: unknown) => {
    await started.stop();
    throw error;
  });
  return {
    ...started,
    origin: `http://${String(listening["listen"])}`,
    adminOrigin: `http://${String(listening["admin"])}`,
  };
}

/** Runs a command that ends by itself. */
export async function runPillion(
  args: readonly string[],
  options: StartOptions = {},
): Promise<CommandResult> {
  const started = spawnPillion(args, options);
  const timer = setTimeout(() => started.signal("SIGKILL"), PATIENCE_MS);
  const exitCode = await started.exited();
  clearTimeout(timer);
  return { exitCode, stdout: started.stdout(), stderr: started.stderr() };
}
