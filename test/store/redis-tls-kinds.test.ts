import { readFileSync } from "node:fs";
import { createServer } from "node:tls";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { TlsOptions } from "../../src/config/config.ts";
import { StoreUnavailable } from "../../src/store/store.ts";
import { createWorkspace } from "../e2e/support/workspace.ts";
import { type Certificates, createCertificates } from "../support/certificates.ts";
import { freePort, type RedisServer, startRedisServer } from "../support/redis-server.ts";
import { createVaultBed, redisConfig } from "./vaults.ts";

const authority = (): TlsOptions => ({
  ca: certificates.caFile,
  cert: undefined,
  key: undefined,
  serverName: undefined,
});
const A = "A".repeat(43);
const workspace = createWorkspace();

/** One node with TLS that is a whole cluster, and the primary of a Sentinel that speaks TLS as well. */
let certificates: Certificates;
let server: RedisServer;
let sentinel: { readonly port: number; close(): void };
beforeAll(async () => {
  certificates = createCertificates(workspace.path("tls"));
  const bus = ["--cluster-port", String(await freePort()), "--tls-cluster", "yes"];
  const config = ["--cluster-enabled", "yes", ...bus];
  server = await startRedisServer({ tls: { certificates }, config });
  await server.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
  await vi.waitFor(async () => {
    expect(String(await server.command("CLUSTER", "INFO"))).toContain("cluster_state:ok");
  }, 10_000);
  sentinel = await startSentinel();
});
afterAll(async () => {
  sentinel.close();
  await server.stop();
  workspace.remove();
});

/** Answers as a Sentinel does that knows this one primary. */
function startSentinel(): Promise<typeof sentinel> {
  const { certFile, keyFile } = certificates.server;
  const listener = createServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, (socket) => {
    socket.on("error", () => {});
    socket.on("data", (data) => {
      const port = String(server.port);
      const address = `*2\r\n$9\r\n127.0.0.1\r\n$${port.length}\r\n${port}\r\n`;
      socket.write(data.toString().includes("PING") ? "+PONG\r\n" : address);
    });
  });
  listener.on("tlsClientError", () => {});
  return new Promise((resolve) => {
    listener.listen(0, "127.0.0.1", () => {
      const address = listener.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      resolve({ port, close: () => void listener.close() });
    });
  });
}

const kinds: readonly (readonly [string, () => string])[] = [
  ["Sentinels", () => `rediss+sentinel://127.0.0.1:${sentinel.port}/mymaster`],
  ["a cluster", () => `rediss+cluster://127.0.0.1:${server.port}`],
];

describe.each(kinds)("over TLS, %s", (_, url) => {
  async function outcome(tls: TlsOptions | undefined): Promise<string> {
    const bed = createVaultBed();
    const vault = await bed.vault({ ...redisConfig(url(), bed.keys), tls });
    try {
      await vault.write("session", A, "sealed", { expiresAtMs: Date.now() + 60_000 });
      return String((await vault.take("session", A))?.content);
    } catch (error) {
      expect(error).toBeInstanceOf(StoreUnavailable);
      return bed.lines.join("\n");
    } finally {
      await vault.close();
    }
  }

  it("of an authority that is known are used, records and all", async () => {
    expect(await outcome(authority())).toBe("sealed");
  });

  it("of an authority that is not known are not", async () => {
    expect(await outcome(undefined)).toMatch(/store_disconnected.*SELF_SIGNED_CERT|UNABLE_TO_VERIFY/);
  });
});
