import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RedisCluster, startRedisCluster } from "../support/redis-topologies.ts";
import { eventually } from "./support/eventually.ts";
import { ask, type Fleet, openSession, outcome, startFleet } from "./support/fleet.ts";
import { send } from "./support/http-client.ts";
import { scrape } from "./support/metrics.ts";
import type { Serving } from "./support/serve.ts";

/** Of so many sessions some are at each node. */
const SESSIONS = 12;
const PARALLEL = 10;
/** What the product contract promises (§2.2), of which a busy machine may take none. */
const LOGOUT_MS = 3_000;

describe("two processes with their sessions in a cluster", () => {
  let cluster: RedisCluster;
  let fleet: Fleet;
  let members: readonly [Serving, Serving];
  let sessions: string[];
  beforeAll(async () => {
    cluster = await startRedisCluster();
    fleet = await startFleet({ kind: "redis", url: cluster.url });
    members = await Promise.all([fleet.start(), fleet.start()]);
    fleet.provider.expiresInSeconds = 1;
    sessions = await Promise.all(Array.from({ length: SESSIONS }, () => openSession(members[0])));
    fleet.provider.expiresInSeconds = 3_600;
    await delay(1_050);
  }, 60_000);
  afterAll(async () => {
    await fleet[Symbol.asyncDispose]();
    await cluster.stop();
  });

  it("refresh each expired token once, whoever asks", async () => {
    const before = fleet.provider.refreshes();
    const asked = sessions.flatMap((session) =>
      members.flatMap((member) => Array.from({ length: PARALLEL }, () => ask(member, session))),
    );
    expect((await Promise.all(asked)).map(outcome)).toEqual(Array(2 * PARALLEL * SESSIONS).fill("200"));
    expect(fleet.provider.refreshes() - before).toBe(SESSIONS);
    expect(fleet.provider.resent()).toBe(0);
  });

  it("sign out everywhere within three seconds, whichever of them is told", async () => {
    const leaving = sessions.splice(-4);
    for (const [index, session] of leaving.entries()) {
      const left = await send(`${members[index % 2]?.origin}/.pillion/logout`, {
        method: "POST",
        headers: { "Pillion-Session": session },
      });
      expect(left.status).toBe(204);
    }
    for (const member of members) {
      await eventually(
        "nobody who left is signed in",
        async () => {
          const outcomes = await Promise.all(leaving.map(async (each) => outcome(await ask(member, each))));
          return outcomes.every((each) => each === "401 LOGIN_REQUIRED");
        },
        LOGOUT_MS,
      );
    }
    const staying = members.flatMap((member) => sessions.map((session) => ask(member, session)));
    expect(new Set((await Promise.all(staying)).map(outcome))).toEqual(new Set(["200"]));
  });

  it("count the same sessions, and have met no trouble", async () => {
    for (const { adminOrigin } of members) {
      const metrics = await scrape(adminOrigin);
      expect(metrics.total("pillion_sessions", { credential: "user" })).toBe(SESSIONS - 4);
      for (const trouble of ["unavailable", "skipped", "unreadable"]) {
        expect(metrics.total("pillion_store_operations_total", { outcome: trouble })).toBe(0);
      }
    }
  });

  it("send each node what is its own: scripts with one key, no WATCH, nothing from node to node", async () => {
    for (const primary of cluster.primaries) {
      const commands = String(await primary.command("INFO", "commandstats"));
      expect(commands).toContain("cmdstat_evalsha");
      expect(commands).not.toMatch(/cmdstat_(watch|multi)/);
      const errors = String(await primary.command("INFO", "errorstats"));
      expect(errors).not.toMatch(/errorstat_(MOVED|ASK|CROSSSLOT|TRYAGAIN|NOPERM)/);
    }
  });
});
