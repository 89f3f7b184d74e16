/**
 * A token endpoint and an upstream that write down what they see. Not the emulator: that one knows a fixed list of clients,
 * and keeps no arrival times.
 */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";

export interface IssuedToken {
  readonly tenant: string;
  /** Monotonic: when its answer was sent. */
  readonly issuedMs: number;
}

export interface Provider {
  readonly tokenUrl: string;
  /** Answers with the token that came: `GET` only. */
  readonly upstreamOrigin: string;
  /** Monotonic moments of all token requests of this run, in order. */
  readonly arrivalsMs: readonly number[];
  readonly arrivalsByTenant: ReadonlyMap<string, readonly number[]>;
  find(token: string): IssuedToken | undefined;
  /** Forgets arrivals; from now on tokens live so long. */
  begin(lifetimeSeconds: number): void;
  /** Until `release`, token requests are taken and not answered. */
  hold(): void;
  release(): void;
  /** Resolves once there were so many token requests in this run. */
  received(count: number): Promise<void>;
  close(): Promise<void>;
}

/** What a token request takes at the provider's. */
export const ANSWER_MS = 100;

export async function startProvider(): Promise<Provider> {
  const issued = new Map<string, IssuedToken>();
  let arrivalsMs: number[] = [];
  let arrivalsByTenant = new Map<string, number[]>();
  let lifetimeSeconds = 3_600;
  let serial = 0;
  let isHeld = false;
  let arrived = Promise.withResolvers<void>();

  const tokens = createServer(async (request, response) => {
    const atMs = performance.now();
    const form = new URLSearchParams(Buffer.concat(await request.toArray()).toString());
    const tenant = form.get("client_id") ?? "";
    const arrivals = arrivalsByTenant.get(tenant) ?? [];
    arrivalsByTenant.set(tenant, arrivals);
    arrivals.push(atMs);
    arrivalsMs.push(atMs);
    arrived.resolve();
    arrived = Promise.withResolvers();
    if (isHeld) return;
    await delay(ANSWER_MS);
    serial += 1;
    const value = `${tenant}.${serial}`;
    issued.set(value, { tenant, issuedMs: performance.now() });
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ access_token: value, token_type: "Bearer", expires_in: lifetimeSeconds }));
  });
  const upstream = createServer((request, response) => {
    response.end(request.headers.authorization?.replace("Bearer ", "") ?? "");
  });
  const [tokenPort, upstreamPort] = [await listen(tokens), await listen(upstream)];

  return {
    tokenUrl: `http://127.0.0.1:${tokenPort}/oauth2/token`,
    upstreamOrigin: `http://127.0.0.1:${upstreamPort}`,
    get arrivalsMs() {
      return arrivalsMs;
    },
    get arrivalsByTenant() {
      return arrivalsByTenant;
    },
    find: (token) => issued.get(token),
    begin(seconds) {
      lifetimeSeconds = seconds;
      arrivalsMs = [];
      arrivalsByTenant = new Map();
      issued.clear();
    },
    hold() {
      isHeld = true;
    },
    release() {
      isHeld = false;
    },
    async received(count) {
      while (arrivalsMs.length < count) await arrived.promise;
    },
    async close() {
      await Promise.all([tokens, upstream].map(end));
    },
  };
}

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function end(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, "close");
}
