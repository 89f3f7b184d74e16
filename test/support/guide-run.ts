import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, dirname } from "node:path";
import { createWorkspace } from "../e2e/support/workspace.ts";
import { type GuideStep, missingFrom } from "./guide-steps.ts";
import { projectDirectory } from "./project.ts";

/** Fails loudly instead of hanging for ever; far beyond what any command of a guide takes. */
const PATIENCE_MS = 30_000;

/** Below the range from which systems take ports by themselves, so that nobody gets one in between. */
const LOWEST_PORT = 20_000;

/** What `run`, `emulate` and `dev` print when they serve. */
const SERVES = /"event":"listening"|^Emulator of |Pillion is ready/m;

export interface GuideRun {
  /** Follows one step. Rejects, with the step's line and the output, when it goes otherwise than the guide says. */
  follow(step: GuideStep): Promise<void>;
  /** Ends what still runs, and removes the folder. */
  stop(): Promise<void>;
}

/** Starts guides that may run at the same time: no port is given out twice. */
export interface GuideRunner {
  start(): Promise<GuideRun>;
  remove(): void;
}

export function createGuideRunner(): GuideRunner {
  // In one file and compiled, `pillion` takes half the processor time to start; guides start it some forty times.
  const built = createWorkspace();
  const compileCache = built.path("cache");
  execFileSync(process.execPath, ["esbuild.config.ts", "--outdir", built.directory], {
    cwd: projectDirectory,
  });
  const bundle = built.path("pillion.js");
  // The cache keeps what this first run has compiled, so it is one that does much.
  execFileSync(process.execPath, [bundle, "check", "-c", "config/examples/zocdoc-users.yaml"], {
    cwd: projectDirectory,
    env: { NODE_COMPILE_CACHE: compileCache },
    stdio: "ignore",
  });
  const givenOut = new Set<number>();
  const port = async (): Promise<number> => {
    for (;;) {
      const candidate = LOWEST_PORT + Math.floor(Math.random() * 10_000);
      if (givenOut.has(candidate)) continue;
      givenOut.add(candidate);
      if (await isFree(candidate)) return candidate;
    }
  };
  return {
    start: async () => startGuide({ bundle, compileCache }, [await port(), await port(), await port()]),
    remove: () => built.remove(),
  };
}

/**
 * A reader at a terminal: a folder of its own, one environment and working directory from block to block, further
 * terminals for what runs in the background, and a command `pillion` that is built from this checkout.
 */
function startGuide(
  { bundle, compileCache }: { readonly bundle: string; readonly compileCache: string },
  [data, admin, emulator]: readonly [number, number, number],
): GuideRun {
  const workspace = createWorkspace();
  // The ports that guides name: data listener, admin listener, emulator.
  const ported = (text: string): string =>
    text.replace(/\b(?:8080|9090|9400)\b/g, (port) => `${{ 8080: data, 9090: admin, 9400: emulator }[port]}`);

  const home = workspace.path("home");
  const state = workspace.path("state");
  mkdirSync(home);
  writeFileSync(state, `cd '${home}'\n`);
  const command = workspace.write(
    "bin/pillion",
    `#!/bin/sh
export NODE_COMPILE_CACHE='${compileCache}'
case "$1" in
  dev) shift; set -- dev --listen 127.0.0.1:${data} --admin 127.0.0.1:${admin} "$@" ;;
  emulate) shift; set -- emulate --port ${emulator} "$@" ;;
esac
exec '${process.execPath}' '${bundle}' "$@"
`,
  );
  chmodSync(command, 0o755);
  // What is installed is this checkout; and `npm start` is `pillion dev`.
  const npm = workspace.write("bin/npm", '#!/bin/sh\n[ "$1" = ci ] || exec pillion dev\n');
  chmodSync(npm, 0o755);
  const env = { PATH: `${dirname(command)}${delimiter}${process.env["PATH"]}`, HOME: home, NO_COLOR: "1" };

  const running: ChildProcess[] = [];
  let output: () => string = () => "";

  function shell(script: string, keepState: boolean): { child: ChildProcess; output: () => string } {
    const after = keepState ? `trap '{ export -p; echo "cd \\"$PWD\\""; } >"${state}"' EXIT\n` : "";
    const child = spawn("bash", ["-c", `set -a\n. '${state}'\nset -e -o pipefail\n${after}${script}`], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
      // A process group of its own, so that all of it can be ended.
      detached: true,
    });
    running.push(child);
    let text = "";
    const take = (chunk: string): void => {
      text += chunk;
    };
    child.stdout?.setEncoding("utf8").on("data", take);
    child.stderr?.setEncoding("utf8").on("data", take);
    return { child, output: () => text };
  }

  async function run(text: string, exitCode: number): Promise<void> {
    const started = shell(ported(text), true);
    const timer = setTimeout(() => kill(started.child), PATIENCE_MS);
    const [code] = (await once(started.child, "close")) as [number | null];
    clearTimeout(timer);
    output = started.output;
    if (code !== exitCode) throw new Error(`exit code ${code} instead of ${exitCode}`);
  }

  async function serve(text: string): Promise<void> {
    const started = shell(ported(text), false);
    output = started.output;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("serves nothing")), PATIENCE_MS);
      const look = (): void => {
        if (!SERVES.test(started.output())) return;
        clearTimeout(timer);
        resolve();
      };
      started.child.stdout?.on("data", look);
      started.child.once("close", (code) => {
        clearTimeout(timer);
        reject(new Error(`ended with ${code}`));
      });
    });
  }

  async function act(step: GuideStep): Promise<void> {
    switch (step.kind) {
      case "command":
        return run(step.text, step.exitCode);
      case "background":
        return serve(step.text);
      case "file":
        // As an editor would, wherever the reader is at that moment.
        return run(
          `mkdir -p "$(dirname ${step.name})"\ncat >${step.name} <<'END_OF_FILE'\n${step.text}END_OF_FILE`,
          0,
        );
      case "output": {
        const missing = missingFrom(output(), ported(step.text));
        if (missing.length > 0) throw new Error(`not in the output: ${missing.join(" | ")}`);
      }
    }
  }

  return {
    async follow(step) {
      await act(step).catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        throw new Error(`line ${step.line}: ${reason}\n${step.text}\n--- output:\n${output()}`);
      });
    },
    async stop() {
      const ends = running.map((child) => (ended(child) ? undefined : once(child, "close")));
      for (const child of running) kill(child);
      await Promise.all(ends);
      workspace.remove();
    },
  };
}

function ended(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function kill(child: ChildProcess): void {
  if (child.pid === undefined || ended(child)) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has just ended.
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const free = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => resolve(true));
  });
  if (!free) return false;
  server.close();
  await once(server, "close");
  return true;
}
