/** The token endpoint of a soak: tokens of five seconds, one answer in a hundred a fault of some kind. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { performance } from "node:perf_hooks";

export interface IssuedToken {
  readonly tenant: string;
  readonly expiresAtMs: number;
}

export interface TokenServer {
  readonly url: string;
  /** What was issued under this value and is not long gone. */
  find(token: string): IssuedToken | undefined;
  /** Whether a request may go without a token now, because the last exchange of this tenant failed or lasts. */
  isFailing(tenant: string): boolean;
  /** Secrets of this generation and the one before it are accepted. */
  acceptGeneration(generation: number): void;
  readonly counts: { readonly granted: number; readonly faults: number; readonly refused: number };
  close(): Promise<void>;
}

export interface TokenServerOptions {
  readonly lifetimeSeconds: number;
  /** Share of faulty answers, 0 to 1. */
  readonly faultShare: number;
  readonly random: () => number;
}

/** What a client id is followed by in its secret; the generation comes after it. */
export const SECRET_INFIX = "-fake-secret-";

/** A caller that was told just now of a failure may hear it a little after the next success. */
const ECHO_MS = 1_500;
const FORGOTTEN_AFTER_MS = 60_000;

type Fault = (response: ServerResponse, grant: () => void) => void;

const FAULTS: readonly Fault[] = [
  (response) => void response.writeHead(500, { "content-type": "text/html" }).end("<h1>Oops</h1>"),
  (response) => void response.writeHead(503, { "retry-after": "1" }).end(),
  (response) => void response.writeHead(200, { "content-type": "application/json" }).end('{"access_token":'),
  (response) => void (response.socket as Socket).resetAndDestroy(),
  // Slower than the mandatory window is long, so that requests have to wait or to go without.
  (_response, grant) => void setTimeout(grant, 2_000),
];

export async function startTokenServer(options: TokenServerOptions): Promise<TokenServer> {
  const issued = new Map<string, IssuedToken>();
  const failing = new Set<string>();
  const mendedAtMs = new Map<string, number>();
  const counts = { granted: 0, faults: 0, refused: 0 };
  let generation = 0;

  function grant(tenant: string, response: ServerResponse): void {
    counts.granted += 1;
    const nowMs = performance.now();
    if (failing.delete(tenant)) mendedAtMs.set(tenant, nowMs);
    const value = `${tenant}.${counts.granted}.${Math.floor(options.random() * 1e9).toString(36)}`;
    for (const [old, { expiresAtMs }] of issued) {
      if (nowMs - expiresAtMs < FORGOTTEN_AFTER_MS) break;
      issued.delete(old);
    }
    issued.set(value, { tenant, expiresAtMs: nowMs + options.lifetimeSeconds * 1_000 });
    const body = JSON.stringify({
      access_token: value,
      token_type: "Bearer",
      expires_in: options.lifetimeSeconds,
    });
    response.writeHead(200, { "content-type": "application/json" }).end(body);
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = new URLSearchParams(Buffer.concat(await request.toArray()).toString());
    const tenant = form.get("client_id") ?? "";
    const [name, number] = (form.get("client_secret") ?? "").split(SECRET_INFIX);
    if (name !== tenant || !(Number(number) >= generation - 1)) {
      counts.refused += 1;
      response
        .writeHead(401, { "content-type": "application/json" })
        .end(JSON.stringify({ error: "invalid_client" }));
    } else if (options.random() < options.faultShare) {
      counts.faults += 1;
      failing.add(tenant);
      FAULTS[counts.faults % FAULTS.length]?.(response, () => grant(tenant, response));
    } else grant(tenant, response);
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/oauth2/token`,
    find: (token) => issued.get(token),
    isFailing: (tenant) =>
      failing.has(tenant) ||
      performance.now() - (mendedAtMs.get(tenant) ?? Number.NEGATIVE_INFINITY) < ECHO_MS,
    acceptGeneration(next) {
      generation = next;
    },
    counts,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
