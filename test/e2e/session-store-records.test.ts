import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { recordName } from "../../src/store/sealing.ts";
import { createFakeTime, fakeTimeLibrary } from "../support/fake-time.ts";
import { type RedisServer, startRedisServer } from "../support/redis-server.ts";
import { eventually } from "./support/eventually.ts";
import {
  ask,
  type Fleet,
  type FleetStore,
  newKey,
  openSession,
  outcome,
  STORE_FILE,
  startFleet,
} from "./support/fleet.ts";
import { send } from "./support/http-client.ts";
import { scrape } from "./support/metrics.ts";
import type { Serving } from "./support/serve.ts";

const SIGNED_OUT = "401 LOGIN_REQUIRED";
/** How late a logout may reach the other processes. */
const LOGOUT_LIMIT_MS = 3_000;
const DAY_SECONDS = 86_400;

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedisServer();
});
afterAll(() => redis.stop());

const name = (session: string): string => recordName({ kind: "session", key: session });

/** What somebody with access to the store, but not to its keys, can do. */
interface Intruder {
  copy(from: string, to: string): Promise<unknown>;
  damage(session: string): Promise<unknown>;
}

function sqliteIntruder({ workspace }: Fleet): Intruder {
  const run = async (sql: string, ...values: string[]): Promise<void> => {
    using database = new DatabaseSync(workspace.path(STORE_FILE));
    database.prepare(sql).run(...values);
  };
  return {
    copy: (from, to) =>
      run(
        "UPDATE records SET (value, version) = (SELECT value, version FROM records WHERE name = ?) WHERE name = ?",
        ...[name(from), name(to)],
      ),
    damage: (session) =>
      run(
        "UPDATE records SET value = CAST(substr(value, 1, length(value) - 1) || x'00' AS BLOB) WHERE name = ?",
        name(session),
      ),
  };
}

function redisIntruder(): Intruder {
  const key = (session: string): string => `pillion:${name(session)}`;
  return {
    copy: (from, to) => redis.command("COPY", key(from), key(to), "REPLACE"),
    damage: (session) => redis.command("SETRANGE", key(session), "200", "damaged"),
  };
}

const stores: readonly (readonly [string, () => FleetStore, (fleet: Fleet) => Intruder])[] = [
  ["SQLite", () => ({ kind: "sqlite" }), sqliteIntruder],
  ["Redis", () => ({ kind: "redis", url: redis.url }), redisIntruder],
];

describe.each(stores)("the record of a session in %s", (_, store, createIntruder) => {
  let fleet: Fleet;
  let first: Serving;
  let second: Serving;
  let intruder: Intruder;
  beforeAll(async () => {
    fleet = await startFleet(store());
    [first, second] = await Promise.all([fleet.start(), fleet.start()]);
    intruder = createIntruder(fleet);
  });
  afterAll(() => fleet[Symbol.asyncDispose]());

  it("that holds another session's value is a signed-out visitor, never that other one", async () => {
    const [theirs, mine] = [await openSession(first), await openSession(first)];
    await intruder.copy(theirs, mine);
    expect(outcome(await ask(second, mine))).toBe(SIGNED_OUT);
    expect(outcome(await ask(second, theirs))).toBe("200");
    await eventually("so it is at the one that had it in memory", async () => {
      const said = outcome(await ask(first, mine));
      expect(["200", SIGNED_OUT]).toContain(said);
      return said === SIGNED_OUT;
    });
    expect(outcome(await ask(first, theirs))).toBe("200");
    const metrics = await scrape(second.adminOrigin);
    expect(metrics.total("pillion_store_operations_total", { op: "read", outcome: "unreadable" })).toBe(1);
  });

  it("that was damaged is one too", async () => {
    const session = await openSession(first);
    await intruder.damage(session);
    expect(outcome(await ask(second, session))).toBe(SIGNED_OUT);
    const shown = await ask(second, session, "/.pillion/session");
    expect(shown.json).toEqual({ signed_in: false });
  });

  it("that was logged out of at one process is over at the other within 3 s", async () => {
    const session = await openSession(first);
    expect(outcome(await ask(second, session))).toBe("200");
    const before = (await scrape(second.adminOrigin)).total("pillion_sessions", { credential: "user" });
    const headers = { "Pillion-Session": session };
    expect((await send(`${first.origin}/.pillion/logout`, { method: "POST", headers })).status).toBe(204);
    const endMs = performance.now() + LOGOUT_LIMIT_MS;
    expect(outcome(await ask(first, session))).toBe(SIGNED_OUT);
    let said = "";
    do {
      await delay(20);
      said = outcome(await ask(second, session));
      expect(["200", SIGNED_OUT]).toContain(said);
    } while (said === "200" && performance.now() < endMs);
    expect(said).toBe(SIGNED_OUT);
    const after = await scrape(second.adminOrigin);
    expect(after.total("pillion_sessions", { credential: "user" })).toBe(before - 1);
  });

  it("is not brought back by a refresh that was under way elsewhere at the logout", async () => {
    fleet.provider.expiresInSeconds = 1;
    const session = await openSession(first);
    fleet.provider.expiresInSeconds = 3_600;
    await delay(1_050);
    const revoked = fleet.provider.revocations();
    const headers = { "Pillion-Session": session };
    fleet.provider.atStep = async (step) => {
      if (step !== "granted") return;
      const reply = await send(`${first.origin}/.pillion/logout`, { method: "POST", headers });
      expect(reply.status).toBe(204);
    };
    expect(outcome(await ask(second, session))).toBe(SIGNED_OUT);
    fleet.provider.atStep = () => {};
    for (const member of [first, second]) expect(outcome(await ask(member, session))).toBe(SIGNED_OUT);
    // A server ends the whole family of tokens with any one of them.
    expect(fleet.provider.revocations()).toBeGreaterThan(revoked);
  });

  it("shows in no log, and neither does any token", () => {
    expect(fleet.provider.tokens.length).toBeGreaterThan(8);
    for (const { stdout, stderr } of [first, second]) {
      const text = stdout() + stderr();
      for (const token of fleet.provider.tokens) expect(text.includes(token)).toBe(false);
      expect(text).not.toMatch(/session:[\w-]{43}/);
    }
  });
});

describe("a session in the store", () => {
  let fleet: Fleet;
  let first: Serving;
  beforeAll(async () => {
    fleet = await startFleet({ kind: "sqlite" });
    first = await fleet.start();
  });
  afterAll(() => fleet[Symbol.asyncDispose]());

  it("that a process has no key for is one, and stays for those that have it", async () => {
    const session = await openSession(first);
    const stranger = await fleet.start({ keys: [newKey()] });
    expect(outcome(await ask(stranger, session))).toBe(SIGNED_OUT);
    expect(outcome(await ask(stranger, session, "/machine/x"))).toBe("200");
    const anonymous = await send(`${stranger.origin}/anonymous/x`);
    expect(anonymous.status).toBe(200);
    expect(outcome(await ask(first, session))).toBe("200");
    await stranger.stop();
  });

  it("K06: outlives the rotation of keys where it was written since, and ends with the old key where not", async () => {
    const newer = newKey();
    fleet.provider.expiresInSeconds = 1;
    const [idle, busy] = [await openSession(first), await openSession(first)];
    fleet.provider.expiresInSeconds = 3_600;
    await delay(1_050);
    const both = await fleet.start({ keys: [newer, fleet.key] });
    const later = await openSession(both);
    expect(outcome(await ask(both, busy))).toBe("200");
    const after = await fleet.start({ keys: [newer] });
    expect(outcome(await ask(after, later))).toBe("200");
    expect(outcome(await ask(after, busy))).toBe("200");
    expect(outcome(await ask(after, idle))).toBe(SIGNED_OUT);
    expect(outcome(await ask(both, idle))).toBe("200");
    expect(fleet.provider.resent()).toBe(0);
    await Promise.all([both.stop(), after.stop()]);
  });

  it("outlives an orderly end amid its refresh, which is finished and stored first", async () => {
    fleet.provider.expiresInSeconds = 1;
    const member = await fleet.start();
    const session = await openSession(member);
    fleet.provider.expiresInSeconds = 3_600;
    await delay(1_050);
    const before = fleet.provider.refreshes();
    fleet.provider.atStep = async (step) => {
      if (step !== "granted") return;
      member.signal("SIGTERM");
      await member.logged("shutting_down");
    };
    const asked = ask(member, session);
    expect(outcome(await asked)).toBe("200");
    expect(await member.exited()).toBe(0);
    fleet.provider.atStep = () => {};
    expect(outcome(await ask(first, session))).toBe("200");
    expect(fleet.provider.refreshes() - before).toBe(1);
    expect(fleet.provider.resent()).toBe(0);
  });
});

describe.skipIf(fakeTimeLibrary === undefined)("O14: the end of a session, by the server's clock", () => {
  it("O14: comes after 15 days without a request, and after 30 days with them", async () => {
    await using fleet = await startFleet({ kind: "sqlite" });
    const time = createFakeTime(fleet.workspace.path("time"));
    const member = await fleet.start({ env: time.env });
    const [busy, idle] = [await openSession(member), await openSession(member)];
    const busyAt = async (days: number): Promise<string> => {
      time.set(days * DAY_SECONDS);
      return outcome(await ask(member, busy));
    };
    expect(outcome(await ask(member, idle))).toBe("200");
    expect(await busyAt(10)).toBe("200");
    expect(await busyAt(20)).toBe("200");
    expect(outcome(await ask(member, idle))).toBe(SIGNED_OUT);
    const shown = await ask(member, busy, "/.pillion/session");
    expect(shown.json.session_expires_in).toBeLessThanOrEqual(10 * DAY_SECONDS);
    expect(await busyAt(29.9)).toBe("200");
    expect(await busyAt(30.1)).toBe(SIGNED_OUT);
    expect((await scrape(member.adminOrigin)).total("pillion_sessions")).toBe(0);
  });

  it("O14: comes when the configuration says, also for a process that was not there in between", async () => {
    await using fleet = await startFleet({ kind: "sqlite" });
    const time = createFakeTime(fleet.workspace.path("time"));
    const session = ", idle: 1h, absolute: 3h";
    const member = await fleet.start({ env: time.env, session });
    const opened = await openSession(member);
    await member.stop();
    time.set(3_500);
    const second = await fleet.start({ env: time.env, session });
    expect(outcome(await ask(second, opened))).toBe("200");
    time.set(3_500 + 3_700);
    expect(outcome(await ask(second, opened))).toBe(SIGNED_OUT);
  });
});
