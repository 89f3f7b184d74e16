import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { aRoute, startProxy } from "../support/proxy-harness.ts";
import { head, roundTrip } from "../support/raw-client.ts";
import { startUpstream } from "../support/upstream.ts";

const directory = mkdtempSync(join(tmpdir(), "pillion-unix-"));
afterAll(() => rmSync(directory, { recursive: true }));

const listen = (name: string) => ({ kind: "unix", path: join(directory, name) }) as const;

describe("a Unix socket", () => {
  it("serves, is its owner's alone, and goes away with the listener", async () => {
    await using upstream = await startUpstream((_request, response) => response.end("ok"));
    const address = listen("proxy.sock");
    {
      await using proxy = await startProxy({
        routes: [aRoute({ upstream: upstream.origin })],
        listen: address,
      });
      expect(proxy.address).toBe(`unix:${address.path}`);
      expect(statSync(address.path).mode & 0o777).toBe(0o600);
      expect((await roundTrip(address.path, head("GET /api/a"))).body).toBe("ok");
      expect((await roundTrip(address.path, head("GET /api/a", "Host: evil.example"))).status).toBe(403);
    }
    expect(existsSync(address.path)).toBe(false);
  });

  it("left behind by a process that was killed is taken over", async () => {
    const address = listen("stale.sock");
    const script = `require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`;
    spawnSync(process.execPath, ["-e", script, address.path]);
    expect(statSync(address.path).isSocket()).toBe(true);
    await using proxy = await startProxy({ routes: [], listen: address });
    expect((await roundTrip(address.path, head("GET /"))).status).toBe(404);
    expect(proxy.address).toBe(`unix:${address.path}`);
  });

  it("that somebody still serves is not taken over", async () => {
    const address = listen("busy.sock");
    const server = createServer().listen(address.path);
    await once(server, "listening");
    await expect(startProxy({ routes: [], listen: address })).rejects.toMatchObject({ code: "EADDRINUSE" });
    server.close();
  });

  it("is no reason to remove a file that is none", async () => {
    const address = listen("precious");
    writeFileSync(address.path, "precious");
    await expect(startProxy({ routes: [], listen: address })).rejects.toMatchObject({ code: "EADDRINUSE" });
    expect(existsSync(address.path)).toBe(true);
  });
});
