import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CommandResult, runPillion } from "../support/pillion-process.ts";
import { createWorkspace } from "./support/workspace.ts";

describe("C09: a port in use", () => {
  const workspace = createWorkspace();
  let holder: Server;
  let port: number;
  beforeAll(async () => {
    holder = createServer();
    holder.listen(0, "127.0.0.1");
    await once(holder, "listening");
    ({ port } = holder.address() as AddressInfo);
  });
  afterAll(() => {
    holder.close();
    workspace.remove();
  });

  function configuration(listen: number, admin: number): string {
    return workspace.write("pillion.yaml", `listen: 127.0.0.1:${listen}\nadmin: 127.0.0.1:${admin}\n`);
  }

  async function timedRun(args: readonly string[]): Promise<CommandResult & { readonly tookMs: number }> {
    const startedAtMs = performance.now();
    const result = await runPillion(args);
    return { ...result, tookMs: performance.now() - startedAtMs };
  }

  it.each([
    ["dev --listen", () => ["dev", "--ephemeral", "--listen", `127.0.0.1:${port}`, "--admin", "127.0.0.1:0"]],
    ["dev --admin", () => ["dev", "--ephemeral", "--listen", "127.0.0.1:0", "--admin", `127.0.0.1:${port}`]],
    ["emulate --port", () => ["emulate", "--port", String(port)]],
    ["listen of run", () => ["run", "-c", configuration(port, 0)]],
    ["admin of run", () => ["run", "-c", configuration(0, port)]],
  ])("(%s) ends the process with 1 and one line that names it", async (_name, args) => {
    // What this machine, however busy, takes to start a process at all.
    const { tookMs: idleMs } = await timedRun(["version"]);
    const { exitCode, stderr, tookMs } = await timedRun(args());
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(new RegExp(`^pillion: .*127\\.0\\.0\\.1:${port}.*\\n$`));
    expect(tookMs).toBeLessThan(2_000 + idleMs);
  });
});
