import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createFakeTime, fakeTimeLibrary } from "../support/fake-time.ts";
import { type RedisServer, startRedisServer } from "../support/redis-server.ts";
import { type AnswerTo, granted, type ReceivedRequest, silence } from "../support/token-endpoint.ts";
import { eventually } from "./support/eventually.ts";
import { send } from "./support/http-client.ts";
import { scrape } from "./support/metrics.ts";
import type { Serving } from "./support/serve.ts";
import { call, expectExactly, outcomes, startTokenFleet, type TokenFleet } from "./support/token-fleet.ts";
import { answerOk } from "./support/upstream.ts";
import { createWorkspace } from "./support/workspace.ts";

const TENANTS = 20;
/** Processes start in turn, which takes long where other programs take most of the machine. */
const TOGETHER_MS = 60_000;

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedisServer();
});
afterAll(() => redis.stop());

const clientOf = ({ body }: ReceivedRequest): string => new URLSearchParams(body).get("client_id") ?? "";
/** Tokens that say whose they are. */
const named =
  (expiresIn = 3_600): AnswerTo =>
  (request, count) =>
    granted({ access_token: `${clientOf(request)}-${count}`, expires_in: expiresIn })(request, count);

describe("four processes with twenty tenants and one Redis", { timeout: TOGETHER_MS }, () => {
  let fleet: TokenFleet;
  let members: readonly Serving[];
  beforeAll(async () => {
    fleet = await startTokenFleet({ redisUrl: redis.url, tenants: TENANTS });
    fleet.endpoint.answer(named());
    members = await Promise.all(Array.from({ length: 4 }, () => fleet.start()));
  }, TOGETHER_MS);
  afterAll(() => fleet[Symbol.asyncDispose]());
  const everywhere = () =>
    outcomes(
      members.flatMap(({ origin }) =>
        fleet.tenants.map((tenant) => send(`${origin}/api/${tenant}/${tenant}`)),
      ),
    );

  it("ask for one token per tenant, all starting at once", async () => {
    expect(await everywhere()).toEqual({ "200": 4 * TENANTS });
    await expectExactly(members, [...fleet.requests().values()], Array(TENANTS).fill(1));
    const before = fleet.endpoint.requests.length;
    expect(await everywhere()).toEqual({ "200": 4 * TENANTS });
    expect(fleet.endpoint.requests).toHaveLength(before);
  });

  it("send each tenant's own token", () => {
    expect(fleet.upstream.requests).toHaveLength(8 * TENANTS);
    for (const { target, headers } of fleet.upstream.requests) {
      expect(headers.authorization).toMatch(new RegExp(`^Bearer ${target.slice(1)}-\\d+$`));
    }
  });

  it("count real token requests only", async () => {
    const counted = await Promise.all(
      members.map(async ({ adminOrigin }) => {
        const metrics = await scrape(adminOrigin);
        expect(metrics.total("pillion_store_operations_total", { outcome: "unavailable" })).toBe(0);
        expect(metrics.total("pillion_token_expiry_timestamp_seconds")).toBeGreaterThan(0);
        return metrics.total("pillion_token_requests_total", { outcome: "success" });
      }),
    );
    expect(counted.reduce((sum, count) => sum + count, 0)).toBe(fleet.endpoint.requests.length);
  });

  it("leave nothing readable in Redis, and nothing for ever", async () => {
    const keys = ((await redis.command("KEYS", "*")) as Buffer[]).map(String);
    expect(keys.filter((key) => key.startsWith("pillion:token:"))).toHaveLength(TENANTS);
    for (const key of keys) {
      // What a hash looks like is chance; it holds no dot, and a name stands between colons.
      expect(key).not.toMatch(/:t\d+(?::|$)|127\.0\.0\.1|:machine/);
      expect(await redis.command("PTTL", key)).toBeGreaterThan(0);
      const value = String(await redis.command("GET", key));
      expect(value).not.toMatch(/first-secret|access_token|t\d+-\d/);
    }
  });

  it("replace a token that the upstream refuses by one, however many meet it", async () => {
    const before = fleet.endpoint.requests.length;
    const refused = `Bearer t0-${fleet.endpoint.requests.findIndex((request) => clientOf(request) === "t0") + 1}`;
    fleet.upstream.respond((request, response) => {
      if (request.headers.authorization !== refused) return answerOk(request, response);
      response.writeHead(401);
      response.end();
    });
    const asked = members.flatMap((member) => Array.from({ length: 10 }, () => call(member, "t0")));
    expect(await outcomes(asked)).toEqual({ "200": 40 });
    await expectExactly(members, fleet.endpoint.requests.length - before, 1);
  });

  it("hand over nothing of another tenant, though its record lies under the key", async () => {
    const before = fleet.endpoint.requests.length;
    const keys = ((await redis.command("KEYS", "pillion:token:*")) as Buffer[]).map(String);
    expect(keys).toHaveLength(TENANTS);
    for (const key of keys.slice(1)) await redis.command("COPY", keys[0] ?? "", key, "REPLACE");
    const late = await fleet.start();
    const seen = fleet.upstream.requests.length;
    const asked = fleet.tenants.map((tenant) => call(late, tenant));
    expect(await outcomes(asked)).toEqual({ "200": TENANTS });
    const used = fleet.upstream.requests.slice(seen).map(({ headers }) => headers.authorization);
    expect(new Set(used.map((value) => String(value).split("-")[0])).size).toBe(TENANTS);
    // The one whose record was copied has its own.
    const fetched = fleet.endpoint.requests.length - before;
    expect(fetched).toBeGreaterThanOrEqual(TENANTS - 1);
    await eventually(
      "each tenant's own is found again",
      async () => {
        const later = await fleet.start();
        const requests = fleet.endpoint.requests.length;
        expect(await outcomes(fleet.tenants.map((tenant) => call(later, tenant)))).toEqual({
          "200": TENANTS,
        });
        await later.stop();
        return fleet.endpoint.requests.length === requests;
      },
      20_000,
    );
  });
});

const withFakeTime = fakeTimeLibrary === undefined ? it.skip : it.concurrent;

describe("processes that share tokens", { timeout: TOGETHER_MS }, () => {
  it.concurrent("renew once per lifetime, and send no token after its end", async () => {
    await using fleet = await startTokenFleet({ redisUrl: redis.url, tenants: 4 });
    const issuedMs = new Map<string, number>();
    fleet.endpoint.answer((request, count) => {
      issuedMs.set(`Bearer ${clientOf(request)}-${count}`, performance.now());
      return named(4)(request, count);
    });
    const late: string[] = [];
    fleet.upstream.respond((request, response) => {
      const token = request.headers.authorization ?? "";
      const [, sentMs] = /at=([\d.]+)/.exec(request.target) ?? [];
      // It was over before the request came, however long that was on its way since.
      if (Number(sentMs) - (issuedMs.get(token) ?? 0) > 4_000) late.push(token);
      answerOk(request, response);
    });
    const members = await Promise.all([fleet.start(), fleet.start()]);
    const startMs = performance.now();
    while (performance.now() - startMs < 5_500) {
      const asked = members.flatMap(({ origin }) =>
        fleet.tenants.map((tenant) => send(`${origin}/api/${tenant}/x?at=${performance.now()}`)),
      );
      expect(await outcomes(asked)).toEqual({ "200": 8 });
      await delay(100);
    }
    expect(late).toEqual([]);
    const counts = [...fleet.requests().values()];
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(2);
    // One a lifetime that has begun.
    const lifetimes = Math.ceil((performance.now() - startMs) / (4_000 * 0.78)) + 1;
    await expectExactly(members, Math.max(...counts) <= lifetimes, true);
  });

  it.concurrent("ask twice at most when the one that is asking is killed", async () => {
    await using fleet = await startTokenFleet({ redisUrl: redis.url, tenants: 3 });
    const asked = fleet.endpoint.received(3);
    fleet.endpoint.answer(silence, silence, silence, named());
    const [doomed, other] = await Promise.all([fleet.start(), fleet.start()]);
    for (const tenant of fleet.tenants) call(doomed, tenant).catch(() => {});
    await asked;
    const waiting = fleet.tenants.map((tenant) => call(other, tenant));
    doomed.signal("SIGKILL");
    expect(await outcomes(waiting)).toEqual({ "200": 3 });
    await expectExactly([other], [...fleet.requests().values()], [2, 2, 2]);
  });

  withFakeTime("agree on a token's age with a clock that is an hour ahead", async () => {
    await using fleet = await startTokenFleet({ redisUrl: redis.url, tenants: 2 });
    fleet.endpoint.answer(named(5));
    using workspace = createWorkspace();
    const ahead = createFakeTime(workspace.path("ahead"));
    ahead.set(3_600);
    const [right, wrong] = await Promise.all([fleet.start(), fleet.start({ env: ahead.env })]);
    expect(await outcomes([call(right, "t0"), call(wrong, "t1")])).toEqual({ "200": 2 });
    expect(await outcomes([call(wrong, "t0"), call(right, "t1")])).toEqual({ "200": 2 });
    await expectExactly([right, wrong], [...fleet.requests().values()], [1, 1]);
    const before = fleet.endpoint.requests.length;
    fleet.endpoint.answer(named(3_600));
    await delay(5_050);
    const asked = [right, wrong].flatMap((member) => fleet.tenants.map((tenant) => call(member, tenant)));
    expect(await outcomes(asked)).toEqual({ "200": 4 });
    await expectExactly([right, wrong], fleet.endpoint.requests.length - before, 2);
  });

  it.concurrent("keep the rate of one token URL together, a request's token before any other", async () => {
    await using fleet = await startTokenFleet({ redisUrl: redis.url, tenants: 6, requestsPerSecond: 2.5 });
    const atMs: number[] = [];
    fleet.endpoint.answer((request, count) => {
      atMs.push(performance.now());
      return named()(request, count);
    });
    const members = await Promise.all([fleet.start(), fleet.start()]);
    const asked = members.flatMap((member) => fleet.tenants.map((tenant) => call(member, tenant)));
    expect(await outcomes(asked)).toEqual({ "200": 12 });
    const gapsMs = atMs.slice(1).map((time, index) => time - (atMs[index] ?? 0));
    await expectExactly(members, [gapsMs.length, gapsMs.every((gapMs) => gapMs >= 395)], [5, true]);
  });
});
