import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RedisServer, startRedisServer } from "../support/redis-server.ts";
import { eventually } from "./support/eventually.ts";
import { expectProblem } from "./support/expectations.ts";
import { ask, type Fleet, openSession, outcome, startFleet } from "./support/fleet.ts";
import { type Reply, send } from "./support/http-client.ts";
import { scrape } from "./support/metrics.ts";
import type { Serving } from "./support/serve.ts";

/** What an outage may add to a request that needs no session. */
const MACHINE_LIMIT_MS = 50;
/** A request waits half a second for the store at most; the rest is for a busy machine. */
const PATIENCE_MS = 2_500;
const NAVIGATION = { "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none" };

let redis: RedisServer;
let fleet: Fleet;
let member: Serving;
let other: Serving;
/** In the memory of `member`. */
let known: string;
/** Of people who come to the other process only. */
let strangers: string[];

beforeAll(async () => {
  redis = await startRedisServer({ config: ["--appendonly", "yes", "--appendfsync", "always"] });
  fleet = await startFleet({ kind: "redis", url: redis.url });
  [member, other] = await Promise.all([fleet.start(), fleet.start()]);
  known = await openSession(member);
  strangers = await Promise.all(Array.from({ length: 8 }, () => openSession(other)));
  expect(outcome(await ask(member, known))).toBe("200");
});
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  await redis.stop();
});

function stranger(): string {
  return strangers.pop() ?? "none";
}

/** The middle one of many, so that a busy machine's hiccup does not count. */
async function machineMs(): Promise<number> {
  const tookMs: number[] = [];
  for (let count = 0; count < 15; count += 1) {
    const startMs = performance.now();
    expect((await send(`${member.origin}/machine/x`)).status).toBe(200);
    tookMs.push(performance.now() - startMs);
  }
  return tookMs.sort((a, b) => a - b)[7] ?? 0;
}

async function expectUnavailable(reply: Promise<Reply>): Promise<void> {
  const startMs = performance.now();
  const answer = await reply;
  expect(performance.now() - startMs).toBeLessThan(PATIENCE_MS);
  expectProblem(answer, 503, "STORE_UNAVAILABLE");
  expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
}

function logout(session: string): Promise<Reply> {
  return send(`${member.origin}/.pillion/logout`, {
    method: "POST",
    headers: { "Pillion-Session": session },
  });
}

function available(): Promise<boolean> {
  return send(`${member.adminOrigin}/status.json`).then(({ json }) => json.store.available);
}

/** What holds in every outage. */
async function expectOnlySessionsSuffer(before: number): Promise<void> {
  const lost = stranger();
  await expectUnavailable(ask(member, lost));
  for (let count = 0; count < 20; count += 1) {
    expect(outcome(await ask(member, known))).toBe("200");
    expect(outcome(await ask(member, lost))).toBe("503 STORE_UNAVAILABLE");
  }
  expect(await machineMs()).toBeLessThan(before + MACHINE_LIMIT_MS);
  expect(await available()).toBe(false);
  expect((await send(`${member.adminOrigin}/readyz`)).status).toBe(200);
}

async function expectHealed(...sessions: readonly string[]): Promise<void> {
  for (const session of [known, ...sessions]) {
    await eventually("the session is there again", async () => {
      const said = outcome(await ask(member, session));
      expect(["200", "503 STORE_UNAVAILABLE"]).toContain(said);
      return said === "200";
    });
  }
  expect(await available()).toBe(true);
}

describe("T19: a Redis that is killed", () => {
  it("leaves the sessions in memory and machine tokens as they were, and the others unavailable, not signed out", async () => {
    const before = await machineMs();
    const [kept, early] = [stranger(), stranger()];
    expect(outcome(await ask(member, kept))).toBe("200");
    await redis.kill();
    await expectOnlySessionsSuffer(before);
    await expectUnavailable(ask(member, early));
    await expectUnavailable(ask(member, randomBytes(32).toString("base64url")));
    await expectUnavailable(ask(member, early, "/.pillion/session"));
    await expectUnavailable(send(`${member.origin}/anonymous/x`));
    await expectUnavailable(
      send(`${member.origin}/.pillion/sessions`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: '{"credential":"user"}',
      }),
    );
    // Who has no session at all needs no store to be told so.
    expect(outcome(await send(`${member.origin}/user/x`))).toBe("401 LOGIN_REQUIRED");
    const page = await send(`${member.origin}/.pillion/login/user`, { headers: NAVIGATION });
    expect(page.status).toBe(503);
    expect(page.headers["content-type"]).toMatch(/^text\/html/);
    expect(page.headers["retry-after"]).toBeDefined();
    expect(page.headers["set-cookie"]).toBeUndefined();
    await expectUnavailable(logout(kept));
    expect(outcome(await ask(member, kept))).toBe("200");

    await redis.restart();
    await expectHealed(kept, early);
    expect((await logout(kept)).status).toBe(204);
    expect(outcome(await ask(member, kept))).toBe("401 LOGIN_REQUIRED");
  });

  it("is told of in the log once, and in the metrics", async () => {
    const events = member.lines.map(({ event }) => event);
    expect(events.filter((event) => event === "store_unavailable").length).toBeLessThanOrEqual(3);
    expect(events).toContain("store_available");
    const metrics = await scrape(member.adminOrigin);
    const count = (outcome: string, op?: string): number =>
      metrics.total("pillion_store_operations_total", { outcome, ...(op === undefined ? {} : { op }) });
    expect(count("unavailable")).toBeGreaterThan(0);
    expect(count("skipped", "read")).toBeGreaterThan(10);
    expect(count("success", "take")).toBeGreaterThan(0);
    expect(count("unreadable")).toBe(0);
    expect(metrics.total("pillion_sessions", { credential: "user" })).toBe(8);
  });
});

describe("T19: a Redis that stands still", () => {
  it("costs whoever needs it half a second once, and nobody else anything", async () => {
    const before = await machineMs();
    const late = stranger();
    redis.signal("SIGSTOP");
    try {
      const startMs = performance.now();
      await expectOnlySessionsSuffer(before);
      // Longer than a connection is believed in that does not answer.
      while (performance.now() - startMs < 2_500) {
        expect(outcome(await ask(member, known))).toBe("200");
        expect(outcome(await ask(member, late))).toBe("503 STORE_UNAVAILABLE");
        expect(await machineMs()).toBeLessThan(before + MACHINE_LIMIT_MS);
      }
    } finally {
      redis.signal("SIGCONT");
    }
    await expectHealed(late);
  });
});

describe("T19: a Redis that only reads", () => {
  it("keeps every session, and takes no login and no logout", async () => {
    const before = await machineMs();
    await redis.command("REPLICAOF", "127.0.0.1", "1");
    const kept = known;
    const seen = new Set<string>();
    for (let count = 0; count < 10; count += 1) {
      expect((await logout(kept)).status).toBe(503);
      expect(outcome(await ask(member, kept))).toBe("200");
      seen.add(outcome(await ask(member, strangers[0] ?? "")));
    }
    for (const said of seen) expect(["200", "503 STORE_UNAVAILABLE"]).toContain(said);
    const page = await send(`${member.origin}/.pillion/login/user`, { headers: NAVIGATION });
    expect(page.status).toBe(503);
    expect(await machineMs()).toBeLessThan(before + MACHINE_LIMIT_MS);
    await redis.command("REPLICAOF", "NO", "ONE");
    await expectHealed(strangers[0] ?? "");
    await eventually("a login begins", async () => {
      const { status } = await send(`${member.origin}/.pillion/login/user`, { headers: NAVIGATION });
      return status === 303;
    });
  });
});

describe("T19: something else on the port of Redis", () => {
  it("is an outage, whatever it answers", async () => {
    const before = await machineMs();
    const late = stranger();
    await redis.kill();
    const sockets = new Set<Socket>();
    // None that Redis could give to the question: "$-1" would be one that says that there is no such session.
    const answers = [randomBytes(300), "+PONG\r\n", "*0\r\n", ":1\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n"];
    let count = 0;
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("data", () => {
        socket.write(answers[count % answers.length] ?? "");
        count += 1;
      });
    }).listen(redis.port, "127.0.0.1");
    await once(server, "listening");
    try {
      await eventually("it was asked", async () => count > 0);
      await expectOnlySessionsSuffer(before);
      await expectUnavailable(ask(member, late));
    } finally {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
      await redis.restart();
    }
    await expectHealed(late);
  });
});

describe("T19: a refresh that meets a Redis that is down", () => {
  async function expired(): Promise<string> {
    fleet.provider.expiresInSeconds = 1;
    const session = await openSession(member);
    fleet.provider.expiresInSeconds = 3_600;
    await delay(1_050);
    return session;
  }

  it("is not begun, and made up for when it is back", async () => {
    const session = await expired();
    const before = fleet.provider.refreshes();
    await redis.kill();
    await expectUnavailable(ask(member, session));
    await expectUnavailable(ask(member, session));
    expect(fleet.provider.refreshes()).toBe(before);
    await redis.restart();
    await expectHealed(session);
    expect(fleet.provider.refreshes()).toBe(before + 1);
  });

  it("between the server's answer and the record keeps the answer, and uses it only once it is stored", async () => {
    const session = await expired();
    const before = fleet.provider.refreshes();
    fleet.provider.atStep = async (step) => {
      if (step === "granted") await redis.kill();
    };
    await expectUnavailable(ask(member, session));
    fleet.provider.atStep = () => {};
    await expectUnavailable(ask(member, session));
    expect(outcome(await ask(member, known))).toBe("200");
    await redis.restart();
    await expectHealed(session);
    expect(outcome(await ask(other, session))).toBe("200");
    expect(fleet.provider.refreshes()).toBe(before + 1);
    expect(fleet.provider.resent()).toBe(0);
  });
});

describe("in all of that", () => {
  it("no session id and no token is in the logs, at debug level", () => {
    const secrets = [known, ...strangers, ...fleet.provider.tokens];
    expect(secrets.length).toBeGreaterThan(15);
    expect(member.stdout()).toContain('"level":"debug"');
    for (const { stdout, stderr } of [member, other]) {
      const text = stdout() + stderr();
      for (const secret of secrets) expect(text.includes(secret)).toBe(false);
    }
  });
});
