import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RedisServer, startRedisServer } from "../support/redis-server.ts";
import { granted } from "../support/token-endpoint.ts";
import { eventually } from "./support/eventually.ts";
import type { Serving } from "./support/serve.ts";
import { call, outcome, outcomes, startTokenFleet, type TokenFleet } from "./support/token-fleet.ts";

/** 50 ms that the store may add, and what a machine under test may add to anything; a guarded store has 500 ms. */
const LIMIT_MS = 400;

let redis: RedisServer;
let fleet: TokenFleet;
let members: readonly [Serving, Serving];
let next = 0;
beforeAll(async () => {
  redis = await startRedisServer();
  fleet = await startTokenFleet({ redisUrl: redis.url, tenants: 600 });
  fleet.endpoint.answer(granted({}));
  members = await Promise.all([fleet.start(), fleet.start()]);
  expect(await outcomes(members.map((member) => call(member, fresh())))).toEqual({ "200": 2 });
});
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  await redis.stop();
});

/** A tenant that nobody has a token of. */
function fresh(): string {
  next += 1;
  return `t${next}`;
}

async function expectShared(): Promise<void> {
  await eventually("tokens are shared again", async () => {
    const tenant = fresh();
    const before = fleet.endpoint.requests.length;
    for (const member of members) expect(outcome(await call(member, tenant))).toBe("200");
    return fleet.endpoint.requests.length === before + 1;
  });
}

/** Both processes serve a tenant that has a token and, each by itself and in time, two that have none. */
async function expectServed(known: string): Promise<void> {
  for (const member of members) {
    for (const tenant of [known, fresh(), known, fresh(), known]) {
      const startMs = performance.now();
      expect(outcome(await call(member, tenant))).toBe("200");
      expect(performance.now() - startMs).toBeLessThan(LIMIT_MS);
    }
  }
}

describe("a Redis that", () => {
  const known = "t0";
  beforeAll(async () => {
    expect(await outcomes(members.map((member) => call(member, known)))).toEqual({ "200": 2 });
  });

  it("shares tokens to begin with", expectShared);

  it("is killed costs no request anything, and is used again when it is back", async () => {
    const running = { failed: 0, served: 0, stop: false };
    const traffic = members.map(async (member) => {
      while (!running.stop) {
        if (outcome(await call(member, known)) === "200") running.served += 1;
        else running.failed += 1;
      }
    });
    await redis.kill();
    await expectServed(known);
    await redis.restart();
    await expectShared();
    running.stop = true;
    await Promise.all(traffic);
    expect(running.failed).toBe(0);
    expect(running.served).toBeGreaterThan(20);
  });

  it("stands still costs 50 ms at most, and is used again when it goes on", async () => {
    redis.signal("SIGSTOP");
    try {
      await expectServed(known);
    } finally {
      redis.signal("SIGCONT");
    }
    await expectShared();
  });

  it("only reads costs nothing, and is used again when it writes", async () => {
    await redis.command("REPLICAOF", "127.0.0.1", "1");
    await expectServed(known);
    await redis.command("REPLICAOF", "NO", "ONE");
    await expectShared();
  });

  it("has no memory left costs nothing, and is used again when it has", async () => {
    await redis.command("CONFIG", "SET", "maxmemory", "1");
    await expectServed(known);
    await redis.command("CONFIG", "SET", "maxmemory", "0");
    await expectShared();
  });

  it("holds garbage under its keys costs nothing, and the garbage goes", async () => {
    const keys = ((await redis.command("KEYS", "pillion:token:*")) as Buffer[]).map(String);
    expect(keys.length).toBeGreaterThan(5);
    for (const [index, key] of keys.entries()) {
      await redis.command("DEL", key);
      if (index % 2 === 0) await redis.command("SET", key, "garbage", "PX", "600000");
      else await redis.command("RPUSH", key, "garbage");
    }
    const late = await fleet.start();
    expect(outcome(await call(late, known))).toBe("200");
    const before = fleet.endpoint.requests.length;
    const later = await fleet.start();
    expect(outcome(await call(later, known))).toBe("200");
    expect(fleet.endpoint.requests).toHaveLength(before);
    await expectShared();
  });

  it("in all of that is told of in the log", () => {
    for (const { lines } of members) {
      const events = new Set(lines.map(({ event }) => event));
      expect(events).toContain("store_unavailable");
      expect(events).toContain("store_available");
    }
  });
});
