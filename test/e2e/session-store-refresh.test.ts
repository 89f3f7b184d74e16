import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RedisServer, startRedisServer } from "../support/redis-server.ts";
import { ask, type Fleet, type FleetStore, openSession, outcome, startFleet } from "./support/fleet.ts";
import { scrape } from "./support/metrics.ts";
import type { Serving } from "./support/serve.ts";

const PARALLEL = 50;

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedisServer();
});
afterAll(() => redis.stop());

const stores: readonly (readonly [string, () => FleetStore])[] = [
  ["SQLite", () => ({ kind: "sqlite" })],
  ["Redis", () => ({ kind: "redis", url: redis.url })],
];

describe.each(stores)("O09: requests that find their access token expired, on %s", (_, store) => {
  let fleet: Fleet;
  let members: readonly [Serving, Serving];
  /** Their access tokens have expired, and the next ones live long. */
  let sessions: string[];
  beforeAll(async () => {
    fleet = await startFleet(store());
    members = await Promise.all([fleet.start(), fleet.start()]);
    fleet.provider.expiresInSeconds = 1;
    sessions = await Promise.all(Array.from({ length: 22 }, () => openSession(members[0])));
    fleet.provider.expiresInSeconds = 3_600;
    await delay(1_050);
  });
  afterAll(() => fleet[Symbol.asyncDispose]());

  async function outcomes(session: string, of: readonly Serving[]): Promise<readonly string[]> {
    const asked = of.flatMap((member) => Array.from({ length: PARALLEL }, () => ask(member, session)));
    return (await Promise.all(asked)).map(outcome);
  }

  it("cause one refresh, 50 at one process", async () => {
    const session = sessions.pop() ?? "";
    const before = fleet.provider.refreshes();
    expect(await outcomes(session, [members[0]])).toEqual(Array(PARALLEL).fill("200"));
    expect(fleet.provider.refreshes() - before).toBe(1);
  });

  it("cause one refresh, 50 each at two processes, and nobody is signed out", async () => {
    const session = sessions.pop() ?? "";
    const before = fleet.provider.refreshes();
    const served = fleet.upstream.requests.length;
    expect(await outcomes(session, members)).toEqual(Array(2 * PARALLEL).fill("200"));
    expect(fleet.provider.refreshes() - before).toBe(1);
    expect(fleet.provider.resent()).toBe(0);
    const tokens = fleet.upstream.requests.slice(served).map(({ headers }) => headers.authorization);
    expect(new Set(tokens).size).toBe(1);
    expect(await outcomes(session, members)).toEqual(Array(2 * PARALLEL).fill("200"));
    expect(fleet.provider.refreshes() - before).toBe(1);
  });

  it("of twenty sessions at two processes cause one refresh each", async () => {
    const before = fleet.provider.refreshes();
    const asked = sessions.flatMap((session) => members.map((member) => ask(member, session)));
    expect((await Promise.all(asked)).map(outcome)).toEqual(Array(40).fill("200"));
    expect(fleet.provider.refreshes() - before).toBe(sessions.length);
    expect(fleet.provider.resent()).toBe(0);
  });

  it("are counted the same by both processes", async () => {
    const counts = await Promise.all(
      members.map(async ({ adminOrigin }) => {
        const metrics = await scrape(adminOrigin);
        expect(metrics.total("pillion_store_operations_total", { outcome: "unavailable" })).toBe(0);
        expect(metrics.total("pillion_store_operations_total", { outcome: "unreadable" })).toBe(0);
        expect(
          metrics.total("pillion_store_operations_total", { op: "lock", outcome: "success" }),
        ).toBeGreaterThan(0);
        return metrics.total("pillion_sessions", { credential: "user" });
      }),
    );
    expect(counts).toEqual([22, 22]);
  });
});
