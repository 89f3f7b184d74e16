import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runPillion } from "../support/pillion-process.ts";
import { createWorkspace } from "./support/workspace.ts";

describe("a port in use", () => {
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

  it.each([
    ["dev --listen", () => ["dev", "--listen", `127.0.0.1:${port}`, "--admin", "127.0.0.1:0"]],
    ["dev --admin", () => ["dev", "--listen", "127.0.0.1:0", "--admin", `127.0.0.1:${port}`]],
    ["emulate --port", () => ["emulate", "--port", String(port)]],
    ["listen of run", () => ["run", "-c", configuration(port, 0)]],
    ["admin of run", () => ["run", "-c", configuration(0, port)]],
  ])("(%s) ends the process with 1 and one line that names it", async (_name, args) => {
    const startedAtMs = performance.now();
    const { exitCode, stderr } = await runPillion(args());
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(new RegExp(`^pillion: .*127\\.0\\.0\\.1:${port}.*\\n$`));
    expect(performance.now() - startedAtMs).toBeLessThan(2_000);
  });
});
