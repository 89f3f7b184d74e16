/** The upstream of a soak: does what each request's plan says, and judges the token that came with it. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import type { Kind } from "./plan.ts";
import type { TokenServer } from "./token-server.ts";

export const DOWNLOAD_BYTES = 256 * 1_024;
export const EVENTS = 4;
const EVENT_INTERVAL_MS = 150;
const SLOW_MS = 500;
/** Short, so that connections come and go, and stale ones are met. */
const KEPT_MS = 3_000;

export interface Violations {
  /** Tokens that had expired when they arrived. */
  expired: number;
  /** Requests with the token of another tenant, or with one where there should be none. */
  crossed: number;
  /** Requests without the token that their route asks for, or with one that was never issued. */
  missing: number;
}

export interface SoakUpstream {
  readonly origin: string;
  readonly violations: Readonly<Violations>;
  close(): Promise<void>;
}

export async function startSoakUpstream(tokens: TokenServer): Promise<SoakUpstream> {
  const violations: Violations = { expired: 0, crossed: 0, missing: 0 };
  const unauthorizedOnce = new Set<string>();
  const chunk = Buffer.alloc(DOWNLOAD_BYTES / 4, "d");

  function judgeToken(authorization: string | undefined, tenant: string): void {
    const token = /^Bearer (.+)$/.exec(authorization ?? "")?.[1];
    const issued = token === undefined ? undefined : tokens.find(token);
    if (tenant === "") violations.crossed += authorization === undefined ? 0 : 1;
    else if (issued === undefined) violations.missing += 1;
    else if (issued.tenant !== tenant) violations.crossed += 1;
    else if (performance.now() > issued.expiresAtMs) violations.expired += 1;
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { searchParams } = new URL(request.url ?? "/", "http://upstream.invalid");
    const tenant = searchParams.get("tenant") ?? "";
    const id = searchParams.get("id") ?? "";
    judgeToken(request.headers.authorization, tenant);
    response.setHeader("soak-tenant", tenant);
    switch (searchParams.get("kind") as Kind) {
      case "upload": {
        const hash = createHash("sha256");
        for await (const part of request) hash.update(part as Buffer);
        response.end(hash.digest("hex"));
        return;
      }
      case "abort":
      case "download":
        response.writeHead(200, { "content-length": DOWNLOAD_BYTES });
        for (let sent = 0; sent < DOWNLOAD_BYTES && !response.destroyed; sent += chunk.length) {
          response.write(chunk);
          if (searchParams.get("kind") === "abort") await delay(20);
        }
        response.end();
        return;
      case "events":
        response.writeHead(200, { "content-type": "text/event-stream" });
        for (let count = 0; count < EVENTS && !response.destroyed; count += 1) {
          response.write(`data: ${count}\n\n`);
          await delay(EVENT_INTERVAL_MS);
        }
        response.end();
        return;
      case "unauthorized":
        if (!unauthorizedOnce.delete(id)) {
          unauthorizedOnce.add(id);
          response.writeHead(401, { "content-length": "0" }).end();
          return;
        }
        break;
      case "error":
        response.writeHead(500, { "content-length": "0" }).end();
        return;
      case "reset":
        (request.socket as Socket).resetAndDestroy();
        return;
      case "cut":
        response.writeHead(200, { "content-length": DOWNLOAD_BYTES });
        response.write(chunk, () => (request.socket as Socket).resetAndDestroy());
        return;
      case "slow":
        await delay(SLOW_MS);
        break;
      default:
    }
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ tenant, id }));
  }

  const server = createServer({ keepAliveTimeout: KEPT_MS }, (request, response) => {
    answer(request, response).catch(() => request.socket.destroy());
  });
  server.on("connection", (socket: Socket) => socket.on("error", () => {}));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    violations,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
