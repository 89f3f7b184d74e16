import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RedisServer, startRedisServer } from "../support/redis-server.ts";
import { granted } from "../support/token-endpoint.ts";
import type { Serving } from "./support/serve.ts";
import {
  call,
  expectShared,
  outcome,
  outcomes,
  startTokenFleet,
  type TokenFleet,
} from "./support/token-fleet.ts";

/** Half of the keys become values of another kind, half are of another type. */
const GARBAGE = `for index, key in ipairs(KEYS) do
  redis.call("DEL", key)
  if index % 2 == 0 then redis.call("SET", key, "garbage", "PX", 600000) else redis.call("RPUSH", key, "garbage") end
end`;

let redis: RedisServer;
let fleet: TokenFleet;
let members: readonly [Serving, Serving];
let spare: string[];
beforeAll(async () => {
  redis = await startRedisServer();
  fleet = await startTokenFleet({ redisUrl: redis.url, tenants: 600 });
  fleet.endpoint.answer(granted({}));
  spare = fleet.tenants.slice(1);
  members = await Promise.all([fleet.start(), fleet.start()]);
  expect(await outcomes(members.map((member) => call(member, fresh())))).toEqual({ "200": 2 });
}, 60_000);
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  await redis.stop();
});

/** A tenant that nobody has a token of. */
function fresh(): string {
  return spare.pop() as string;
}

const isShared = (): Promise<void> => expectShared(fleet, members, spare);

/** Both processes serve a tenant that has a token and, each by itself, two that have none. */
async function expectServed(known: string): Promise<void> {
  for (const member of members) {
    for (const tenant of [known, fresh(), known, fresh(), known]) {
      expect(outcome(await call(member, tenant))).toBe("200");
    }
  }
}

describe("a Redis that", { timeout: 60_000 }, () => {
  const known = "t0";
  beforeAll(async () => {
    expect(await outcomes(members.map((member) => call(member, known)))).toEqual({ "200": 2 });
  });

  it("shares tokens to begin with", isShared);

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
    await isShared();
    running.stop = true;
    await Promise.all(traffic);
    expect(running.failed).toBe(0);
    expect(running.served).toBeGreaterThan(20);
  });

  it("stands still costs 50 ms at most, and is used again when it goes on", async () => {
    const before = members.map(({ lines }) => lines.length);
    redis.signal("SIGSTOP");
    try {
      await expectServed(known);
    } finally {
      redis.signal("SIGCONT");
    }
    // As each process has measured it: what this machine adds to anything is not the store's.
    for (const [index, { lines }] of members.entries()) {
      const said = lines.slice(before[index]).find(({ event }) => event === "store_slow");
      const [, waitedMs] = /no answer within (\d+) ms/.exec(String(said?.["reason"])) ?? [];
      expect(Number(waitedMs)).toBeLessThanOrEqual(50);
    }
    await isShared();
  });

  it("only reads costs nothing, and is used again when it writes", async () => {
    await redis.command("REPLICAOF", "127.0.0.1", "1");
    await expectServed(known);
    await redis.command("REPLICAOF", "NO", "ONE");
    await isShared();
  });

  it("has no memory left costs nothing, and is used again when it has", async () => {
    await redis.command("CONFIG", "SET", "maxmemory", "1");
    await expectServed(known);
    await redis.command("CONFIG", "SET", "maxmemory", "0");
    await isShared();
  });

  it("holds garbage under its keys costs nothing, and the garbage goes", async () => {
    const keys = ((await redis.command("KEYS", "pillion:token:*")) as Buffer[]).map(String);
    expect(keys.length).toBeGreaterThan(5);
    await redis.command("EVAL", GARBAGE, String(keys.length), ...keys);
    const late = await fleet.start();
    expect(outcome(await call(late, known))).toBe("200");
    const before = fleet.endpoint.requests.length;
    const later = await fleet.start();
    expect(outcome(await call(later, known))).toBe("200");
    expect(fleet.endpoint.requests).toHaveLength(before);
    await isShared();
  });

  it("in all of that is told of in the log", () => {
    for (const { lines } of members) {
      const events = new Set(lines.map(({ event }) => event));
      expect(events).toContain("store_unavailable");
      expect(events).toContain("store_available");
    }
  });
});
