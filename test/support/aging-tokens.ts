/** Tokens that age while requests wait, and what makes requests wait. */
import type { RequestListener, ServerResponse } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import { type Clock, createSystemClock } from "../../src/core/clock.ts";
import { refreshWindows } from "../../src/token/refresh-policy.ts";
import { Injection, type TokenSource } from "../../src/token/token-source.ts";
import {
  aCredential,
  aRoute,
  type ProxyOptions,
  type RouteOptions,
  type RunningProxy,
  startProxy,
} from "./proxy-harness.ts";
import { fieldValues } from "./raw-client.ts";

export const LIFETIME_MS = 10_000;
export interface TurnableClock extends Clock {
  turn(ms: number): void;
}

/** Real timers, and a time that a test turns on as a machine's sleep does. */
export function createTurnableClock(): TurnableClock {
  const clock = createSystemClock();
  let turnedMs = 0;
  return {
    now: () => clock.now() + turnedMs,
    wall: () => clock.wall() + turnedMs,
    schedule: (delayMs, task) => clock.schedule(delayMs, task),
    turn(ms) {
      turnedMs += ms;
    },
  };
}

export interface AgingSource extends TokenSource {
  /** How a newer token comes once the present one is in its mandatory window. Default: it is there. */
  renew: (make: () => Injection) => Injection | Promise<Injection>;
  /** What each request for a token named as unsent; undefined: nothing. */
  readonly asked: (string | undefined)[];
  /** `token-1` and so on: whether it may be sent now. */
  isSendable(token: string): boolean;
}

export function createAgingSource(clock: Clock, lifetimeMs = LIFETIME_MS): AgingSource {
  const windows = new Map<string, ReturnType<typeof refreshWindows>>();
  const asked: (string | undefined)[] = [];
  let present: Injection | undefined;
  const make = (): Injection => {
    const token = `token-${windows.size + 1}`;
    const mine = refreshWindows(clock.now(), clock.wall(), lifetimeMs, () => 0.5);
    windows.set(token, mine);
    present = new Injection(["authorization", `Bearer ${token}`], mine);
    return present;
  };
  const isSendable = (token: string): boolean =>
    clock.now() < (windows.get(token)?.mandatoryAtMs ?? Number.POSITIVE_INFINITY);
  return {
    renew: (makeNow) => makeNow(),
    asked,
    isSendable,
    token(unsent) {
      asked.push(unsent?.headers[1]);
      if (present === undefined) return make();
      return isSendable(`token-${windows.size}`) ? present : this.renew(make);
    },
    async invalidate() {
      return make();
    },
  };
}

/** Behind a promise, as when the token endpoint has to be asked. */
export const later: AgingSource["renew"] = async (make) => {
  await new Promise((resolve) => setImmediate(resolve));
  return make();
};

export const RENEWALS = [
  ["is there at once", (make: () => Injection) => make()],
  ["has to be fetched", later],
] as const;

/** Answers at once, but for paths with `hold`: those when they are let go. */
export function createHeldAnswers(): {
  readonly answer: RequestListener;
  /** The raw fields of every request that came. */
  readonly heads: readonly (readonly string[])[];
  /** Sends the first of the held answers' bodies, and no more. */
  beginAll(): void;
  letGo(): void;
} {
  const held: ServerResponse[] = [];
  const heads: string[][] = [];
  return {
    heads,
    answer: (request, response) => {
      heads.push(request.rawHeaders);
      request.resume();
      if (request.url?.includes("hold") === true) held.push(response);
      else response.end("served");
    },
    beginAll: () => {
      for (const response of held) response.write("begun");
    },
    letGo: () => {
      for (const response of held.splice(0)) response.end("held");
    },
  };
}

export async function startAging(
  upstream: URL,
  route: Partial<RouteOptions> = {},
  options: Partial<ProxyOptions> = {},
) {
  const clock = createTurnableClock();
  const source = createAgingSource(clock);
  const sources = new Map<string, AgingSource>();
  const proxy = await startProxy({
    routes: [aRoute({ upstream, credential: aCredential(), connections: 1, upgrade: true, ...route })],
    source: (tenant) => {
      if (tenant === undefined) return source;
      sources.set(tenant, createAgingSource(clock));
      return sources.get(tenant) as AgingSource;
    },
    clock,
    ...options,
  });
  return { clock, source, sources, proxy };
}

export const started = (proxy: RunningProxy) =>
  proxy.told.events.filter((event) => event.startsWith("started")).length;
export const tokensOf = (headers: readonly string[]) => fieldValues(headers, "authorization");

/** Takes connections at once and carries them on only when it is opened. */
export async function startGate(to: URL) {
  const waiting = new Set<Socket>();
  const sockets = new Set<Socket>();
  let isOpen = false;
  const carry = (socket: Socket): void => {
    const onward = connect(Number(to.port), to.hostname);
    sockets.add(onward);
    onward.on("error", () => {});
    socket.pipe(onward).pipe(socket);
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    if (isOpen) carry(socket);
    else waiting.add(socket);
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", () => resolve()));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    origin: new URL(`${to.protocol}//127.0.0.1:${port}/`),
    waiting: () => waiting.size,
    open() {
      isOpen = true;
      for (const socket of waiting) carry(socket);
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}
