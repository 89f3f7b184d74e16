import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type StartedProcess, spawnPillion } from "../support/pillion-process.ts";
import { send } from "./support/http-client.ts";

const ANY_PORTS = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];

describe("pillion dev", () => {
  let dev: StartedProcess;
  /** The lines to copy, as they are printed. */
  let lines: readonly string[];
  let emulator: string;
  let state: string;
  beforeAll(async () => {
    state = mkdtempSync(join(tmpdir(), "pillion-dev-"));
    dev = spawnPillion(["dev", ...ANY_PORTS], { env: { XDG_STATE_HOME: state } });
    await dev.printed(/Ctrl-C/);
    lines = [...dev.stdout().matchAll(/^ {2}(curl .*)$/gm)].map(([, line]) => line ?? "");
    emulator = /http:\/\/[\d.]+:\d+(?=\/zocdoc\/sandbox)/.exec(dev.stdout())?.[0] ?? "";
  });
  afterAll(async () => {
    await dev.stop();
    rmSync(state, { recursive: true });
  });

  /** As a person would: pasted into a shell. */
  async function paste(line: string | undefined): Promise<string> {
    const { stdout } = await promisify(execFile)("sh", ["-c", line ?? "false"]);
    return stdout;
  }

  it("prints a line that gives Zocdoc's providers", async () => {
    const { data } = JSON.parse(await paste(lines[0])) as { data: { npi: string }[] };
    expect(data.length).toBeGreaterThan(0);
  });

  it("prints a line that gives Qmatic's services for two tenants", async () => {
    expect(lines[1]).toMatch(/isb.*riverside/);
    const answer = await paste(lines[1]);
    expect(answer.match(/"name"/g)?.length).toBeGreaterThan(2);
    expect(answer).not.toMatch(/error|unauthorized|"code"/i);
  });

  it("prints a line that gives the metrics of the tokens", async () => {
    await paste(lines[0]);
    const metrics = await paste(lines[2]);
    expect(metrics).toMatch(/^pillion_token_requests_total\{credential="zocdoc".*outcome="success"\} 1$/m);
  });

  it("attached a valid token each time, and the API without Pillion answers 401", async () => {
    await paste(lines[0]);
    const before = (await send(`${emulator}/_emulator/stats`)).json.apis["zocdoc/sandbox"];
    expect(before).toMatchObject({ expired: 0, foreign: 0, absent: 0 });
    expect(before.valid).toBeGreaterThan(0);
    expect(await paste(lines[3])).toMatch(/^HTTP\/1\.1 401 /);
  });

  it("ends with 0 at Ctrl-C", async () => {
    const home = join(state, "own");
    const own = spawnPillion(["dev", ...ANY_PORTS], { env: { XDG_STATE_HOME: home } });
    await own.printed(/Ctrl-C/);
    own.signal("SIGINT");
    expect(await own.exited()).toBe(0);
    expect(own.stderr()).toBe("");
    expect(readdirSync(join(home, "pillion"))).toEqual(
      expect.arrayContaining(["dev.key", "dev.sqlite", "dev-emulator.sqlite"]),
    );
  });

  it("keeps nothing with --ephemeral", async () => {
    const home = join(state, "ephemeral");
    const env = { XDG_STATE_HOME: home };
    await using own = spawnPillion(["dev", ...ANY_PORTS, "--ephemeral"], { env });
    await own.printed(/Sessions, and what is booked, end with this process\./);
    expect(existsSync(home)).toBe(false);
  });

  it.each([
    ["another dev has it", () => state],
    [
      "it cannot be written",
      () => {
        const file = join(state, "file");
        writeFileSync(file, "");
        return file;
      },
    ],
  ])("serves without its state where %s, and says so in one line", async (_name, home) => {
    await using own = spawnPillion(["dev", ...ANY_PORTS], { env: { XDG_STATE_HOME: home() } });
    await own.printed(/^Nothing will be kept when this ends: .*\n$/m);
    await own.printed(/Ctrl-C/);
    expect(own.stderr()).toBe("");
  });
});
