import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createCertificates } from "../support/certificates.ts";
import { startRedisServer } from "../support/redis-server.ts";
import {
  type RedisCluster,
  type SentinelSetup,
  startRedisCluster,
  startSentinelSetup,
} from "../support/redis-topologies.ts";
import { granted } from "../support/token-endpoint.ts";
import { eventually } from "./support/eventually.ts";
import type { Serving } from "./support/serve.ts";
import {
  call,
  expectShared,
  outcome,
  outcomes,
  startTokenFleet,
  type TokenFleet,
} from "./support/token-fleet.ts";
import { createWorkspace } from "./support/workspace.ts";

/** What `docs/decisions/0012-stores.md` lists, and no more. */
const STORE_RULES = (
  "~pillion:* resetchannels -@all +get +getdel +set +del +eval +evalsha +zadd +zrem +zrange +zrevrange +zrangebyscore " +
  "+zremrangebyscore +zremrangebyrank +zcard +zcount +pttl +pexpire +ping +time"
).split(" ");
/** And `docs/decisions/0017-redis-sentinel-and-cluster.md` for a cluster. */
const CLUSTER_RULES = ["+cluster|slots", "+asking"];
const TENANTS = 12;

async function twoMembers(fleet: TokenFleet): Promise<readonly Serving[]> {
  fleet.endpoint.answer(granted({}));
  return Promise.all([fleet.start(), fleet.start()]);
}

/** Requests to one tenant, one after the other, until it is told to stop; how many failed. */
function keepAsking(members: readonly Serving[], tenant: string) {
  const running = { stop: false, served: 0, failed: 0 };
  const traffic = members.map(async (member) => {
    while (!running.stop) {
      if (outcome(await call(member, tenant)) === "200") running.served += 1;
      else running.failed += 1;
    }
  });
  return async () => {
    running.stop = true;
    await Promise.all(traffic);
    return running;
  };
}

describe("two processes share tokens over", { timeout: 60_000 }, () => {
  it("TLS with an authority of one's own, as a user with the rights that are listed", async () => {
    using workspace = createWorkspace();
    const certificates = createCertificates(workspace.path("tls"));
    await using redis = await startRedisServer({
      tls: { certificates },
      user: { name: "pillion", password: "p%40/:s", rules: STORE_RULES },
      password: "nobody-knows",
    });
    const login = `pillion:${encodeURIComponent("p%40/:s")}`;
    await using fleet = await startTokenFleet({
      redisUrl: `rediss://${login}@127.0.0.1:${redis.port}`,
      tenants: 2_000,
      redisCa: certificates.caFile,
      requestsPerSecond: 100,
    });
    const members = await twoMembers(fleet);
    await expectShared(fleet, members, [...fleet.tenants], TENANTS);
    for (const { lines } of members) {
      expect(JSON.stringify(lines)).not.toMatch(/p%40|NOPERM/);
    }
  });

  describe("Sentinels", () => {
    let setup: SentinelSetup;
    beforeAll(async () => {
      setup = await startSentinelSetup();
    });
    afterAll(() => setup.stop());

    it("and a failover costs no request anything", async () => {
      await using fleet = await startTokenFleet({ redisUrl: setup.url, tenants: 2_000 });
      const members = await twoMembers(fleet);
      const spare = fleet.tenants.slice(1);
      await expectShared(fleet, members, spare, TENANTS);
      const known = fleet.tenants[0] as string;
      const asked = keepAsking(members, known);
      const before = await setup.primaryPort();
      await setup.servers[0]?.kill();
      // While there is no primary: tenants with a token and without one.
      for (const member of members) expect(outcome(await call(member, spare.pop() as string))).toBe("200");
      await eventually("another is primary", async () => (await setup.primaryPort()) !== before, 20_000);
      await expectShared(fleet, members, spare, TENANTS);
      const { served, failed } = await asked();
      expect(failed).toBe(0);
      expect(served).toBeGreaterThan(20);
    });
  });

  describe("a cluster", () => {
    let cluster: RedisCluster;
    beforeAll(async () => {
      cluster = await startRedisCluster();
      for (const server of [...cluster.primaries, cluster.replica]) {
        await server.command("ACL", "SETUSER", "pillion", "on", ">secret", ...STORE_RULES, ...CLUSTER_RULES);
      }
    });
    afterAll(() => cluster.stop());

    it("as a user with the rights that are listed, and a primary that dies costs no request anything", async () => {
      const redisUrl = cluster.url.replace("://", "://pillion:secret@");
      await using fleet = await startTokenFleet({ redisUrl, tenants: 2_000 });
      const members = await twoMembers(fleet);
      const spare = fleet.tenants.slice(1);
      await expectShared(fleet, members, spare, TENANTS);
      for (const { lines } of members) expect(JSON.stringify(lines)).not.toContain("NOPERM");
      const asked = keepAsking(members, fleet.tenants[0] as string);
      await cluster.primaries[0]?.kill();
      const tenants = spare.splice(-TENANTS);
      const served = await outcomes(
        members.flatMap((member) => tenants.map((tenant) => call(member, tenant))),
      );
      expect(served).toEqual({ "200": 2 * TENANTS });
      await eventually(
        "the replica has taken over",
        async () => String(await cluster.replica.command("ROLE")).startsWith("master"),
        20_000,
      );
      // Of so many tenants some are at each node.
      await expectShared(fleet, members, spare, TENANTS);
      expect((await asked()).failed).toBe(0);
    });
  });
});
