/** What every command that prints has in common: whoever reads may leave, and help is an answer. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createProgram } from "../../cmd/program.ts";
import { runPillion } from "../support/pillion-process.ts";
import { projectDirectory } from "../support/project.ts";
import { createWorkspace } from "./support/workspace.ts";

const workspace = createWorkspace();
beforeAll(() => {
  workspace.write(
    "pillion.yaml",
    "routes: [{ name: x, path: /x/, upstream: https://api.example.com/ , credential: none }]\n",
  );
  workspace.write("bad.yaml", "credential: {}\nroute: []\n");
});
afterAll(() => workspace.remove());

const PRINTING: readonly (readonly string[])[] = [
  ["--help"],
  ["schema"],
  ["check"],
  ["explain", "GET", "/y", "--json"],
];

/** `stdout` is a pipe without a reader, or a device without space. */
async function write(
  args: readonly string[],
  to: "nobody" | "/dev/full",
): Promise<{ readonly exitCode: number; readonly stderr: string }> {
  const full = to === "nobody" ? undefined : openSync(to, "w");
  // A shell's `:` reads nothing and ends at once; the command starts when it is gone.
  const command = `${to === "nobody" ? "sleep 0.05; " : ""}"$@"; echo $? >&2`;
  const child = spawn(
    "/bin/sh",
    ["-c", to === "nobody" ? `{ ${command}; } | :` : command, "sh", process.execPath, ENTRY, ...args],
    {
      cwd: workspace.directory,
      env: { PATH: process.env["PATH"] },
      stdio: ["ignore", full ?? "ignore", "pipe"],
    },
  );
  const [written] = await Promise.all([text(child.stderr as Readable), once(child, "exit")]);
  if (full !== undefined) closeSync(full);
  const [, stderr = "", exitCode] = /^([\s\S]*?)(\d+)\n$/.exec(written) ?? [];
  return { exitCode: Number(exitCode), stderr };
}

const ENTRY = join(projectDirectory, "cmd/pillion.ts");

describe("standard output that cannot be written", () => {
  it("of a reader who left changes neither the exit code nor standard error", async () => {
    const results = await Promise.all(PRINTING.map((args) => write(args, "nobody")));
    const codes = results.map(({ exitCode, stderr }) => [exitCode, stderr]);
    expect(codes).toEqual([
      [0, ""],
      [0, ""],
      [0, ""],
      [1, ""],
    ]);
  });

  it.runIf(existsSync("/dev/full"))("of a full disk is one line and exit code 1", async () => {
    const results = await Promise.all(PRINTING.slice(1, 2).map((args) => write(args, "/dev/full")));
    for (const result of results) {
      expect(result).toEqual({
        exitCode: 1,
        stderr: "pillion: cannot write to standard output: no space is left on the device\n",
      });
    }
  });
});

describe("the command line answers", () => {
  it("--version and -V as version does", async () => {
    const [command, long, short] = await Promise.all([
      runPillion(["version"]),
      runPillion(["--version"]),
      runPillion(["-V"]),
    ]);
    expect(command).toMatchObject({ exitCode: 0, stderr: "" });
    expect([long, short]).toEqual([command, command]);
  });

  it("an empty PILLION_CONFIG as one that is not set", async () => {
    const env = { PILLION_CONFIG: "" };
    const { exitCode, stdout } = await runPillion(["check"], { cwd: workspace.directory, env });
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: "pillion.yaml: ok (1 route, 0 credentials)\n",
    });
  });

  it("faults by the line, and nothing but faults, where nobody watches", async () => {
    const { exitCode, stdout, stderr } = await runPillion(["check", "-c", "bad.yaml"], {
      cwd: workspace.directory,
    });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(/^(bad\.yaml:\d+:\d+ \S+: .+\n){2}$/);
  });
});

describe("the help of each command", () => {
  const { commands } = createProgram(() => {});
  it.each(commands.map((command) => [command.name(), command] as const))(
    "%s has an example that names it",
    (name, command) => {
      let help = "";
      command.configureOutput({
        writeOut(part) {
          help += part;
        },
      });
      command.outputHelp();
      expect(help).toMatch(new RegExp(`^Examples?:\\n.*\\bpillion ${name}\\b`, "m"));
    },
  );
});
