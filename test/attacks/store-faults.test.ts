/**
 * T19: whatever becomes of a shared store, machine tokens are served as before, sessions in memory go on, all others are
 * told to try again, and nobody is signed out. With a real Redis, and with a server that answers what it likes.
 */
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../e2e/support/eventually.ts";
import { type PillionProcess, startPillion } from "../support/pillion-process.ts";
import { type Answer, connectRaw, head, roundTrip } from "../support/raw-client.ts";
import { type RedisServer, startRedisServer } from "../support/redis-server.ts";
import {
  cookiesOf,
  outcome,
  SAME_ORIGIN,
  type SessionLab,
  sessionOf,
  startSessionLab,
} from "./session-lab.ts";

const KEY = Buffer.alloc(32, 3).toString("base64");
const UNKNOWN = "503 STORE_UNAVAILABLE";
const NOT_SIGNED_IN = "401 LOGIN_REQUIRED";

const labOn = (url: string): Promise<SessionLab> =>
  startSessionLab({
    extra: "store: { redis: { url: { env: REDIS_URL } }, encryption_keys: [{ env: KEY }] }",
    env: { REDIS_URL: url, KEY },
  });

const as = (session: string): string => `Cookie: pillion=${session}`;

/** What nine of ten requests for a machine's token take at most; the tenth may have met a busy machine. */
async function machineMs(lab: SessionLab): Promise<number> {
  const client = await connectRaw(lab.port);
  const times: number[] = [];
  for (let count = 0; count < 100; count += 1) {
    const startedAtMs = performance.now();
    client.send(head("GET /machine/x"));
    expect((await client.answer()).status).toBe(200);
    times.push(performance.now() - startedAtMs);
  }
  client.socket.destroy();
  return times.sort((a, b) => a - b)[89] ?? 0;
}

/** What is served and what is not while the store is of no use. */
async function expectFallback(
  lab: SessionLab,
  known: string,
  unknown: string,
  quietMs: number,
): Promise<void> {
  await eventually(
    "the outage is noticed",
    async () => outcome(await lab.ask("GET /user/x", as(unknown))) === UNKNOWN,
  );
  expect(await machineMs(lab)).toBeLessThan(quietMs + 50);
  for (let count = 0; count < 3; count += 1) {
    expect((await lab.ask("GET /user/x", as(known))).status).toBe(200);
    const startedAtMs = performance.now();
    const answer = await lab.ask("GET /user/x", as(unknown));
    expect(performance.now() - startedAtMs).toBeLessThan(1_500);
    expect(outcome(answer)).toBe(UNKNOWN);
    expect(Number(answer.field("retry-after"))).toBeGreaterThan(0);
    expect(answer.field("set-cookie")).toBeUndefined();
  }
  expect(outcome(await lab.ask("GET /.pillion/login/user"))).toBe(UNKNOWN);
  const logout = await lab.ask("POST /.pillion/logout", as(unknown), SAME_ORIGIN, "Content-Length: 0");
  expect([204, 503]).toContain(logout.status);
  if (logout.status === 503) expect(logout.field("set-cookie")).toBeUndefined();
}

describe("T19 a Redis", () => {
  let redis: RedisServer;
  let lab: SessionLab;
  let other: PillionProcess;
  let known: string;
  /** In the store alone. */
  let unknown: string;
  let quietMs: number;
  const env = (): Record<string, string> => ({ SECRET: "fake-secret", REDIS_URL: redis.url, KEY });
  const again = (): Promise<PillionProcess> =>
    startPillion(["run", "-c", lab.pillion.configFile], { env: env() });
  const ask = ({ origin }: PillionProcess, line: string, ...fields: readonly string[]): Promise<Answer> =>
    roundTrip(Number(new URL(origin).port), head(line, ...fields));
  const signInAt = async (pillion: PillionProcess): Promise<string> => {
    const login = await ask(pillion, "GET /.pillion/login/user");
    const state = new URL(login.field("location") ?? "").searchParams.get("state");
    const back = `GET /.pillion/callback?code=good&state=${state}`;
    return sessionOf(await ask(pillion, back, `Cookie: ${cookiesOf(login)}`));
  };
  beforeAll(async () => {
    redis = await startRedisServer();
    lab = await labOn(redis.url);
    other = await again();
    known = await lab.signIn();
    await machineMs(lab);
    quietMs = await machineMs(lab);
  });
  beforeEach(async () => {
    expect((await lab.ask("GET /user/x", as(known))).status).toBe(200);
    unknown = await signInAt(other);
  });
  afterAll(async () => {
    await other.stop();
    await lab[Symbol.asyncDispose]();
    await redis.stop();
  });

  it("T19 that takes 5 seconds: machine tokens and known sessions go on, others wait, and nobody is signed out", async () => {
    redis.signal("SIGSTOP");
    await expectFallback(lab, known, unknown, quietMs);
    redis.signal("SIGCONT");
    for (const session of [known, unknown])
      await eventually(
        "it is healed",
        async () => (await lab.ask("GET /user/x", as(session))).status === 200,
        10_000,
      );
  });

  it("T19 that is READONLY: what is there is served, what has to be written is told to try again", async () => {
    await redis.command("REPLICAOF", "127.0.0.1", "1");
    expect(await machineMs(lab)).toBeLessThan(quietMs + 50);
    expect((await lab.ask("GET /user/x", as(known))).status).toBe(200);
    expect(outcome(await lab.ask("GET /.pillion/login/user"))).toBe(UNKNOWN);
    expect(["200", UNKNOWN]).toContain(outcome(await lab.ask("GET /user/x", as(unknown))));
    await redis.command("REPLICAOF", "NO", "ONE");
    await eventually(
      "it is healed",
      async () => (await lab.ask("GET /.pillion/login/user")).status === 303,
      10_000,
    );
    for (const session of [known, unknown])
      expect((await lab.ask("GET /user/x", as(session))).status).toBe(200);
  });

  it("T19 with another visitor's record in the place of one's own, or junk: nobody's session, and no error", async () => {
    const list = async (): Promise<readonly string[]> =>
      ((await redis.command("KEYS", "*session*")) as Buffer[]).map(String);
    const before = new Set(await list());
    const mine = await signInAt(other);
    const [first = ""] = (await list()).filter((name) => !before.has(name));
    const theirs = await signInAt(other);
    const [second = ""] = (await list()).filter((name) => !before.has(name) && name !== first);
    await using witness = await again();
    expect((await ask(witness, "GET /user/x", as(mine))).status).toBe(200);
    await redis.command("COPY", second, first, "REPLACE");
    await using fresh = await again();
    lab.recorder("user").forget();
    expect(outcome(await ask(fresh, "GET /user/x", as(mine)))).toBe(NOT_SIGNED_IN);
    expect(lab.recorder("user").messages).toEqual([]);
    expect((await ask(fresh, "GET /user/x", as(theirs))).status).toBe(200);
    for (const junk of [
      ["SET", first, "junk"],
      ["LPUSH", first, "junk"],
      ["HSET", first, "junk", "junk"],
    ]) {
      await redis.command("DEL", first);
      await redis.command(...junk);
      expect([NOT_SIGNED_IN, UNKNOWN]).toContain(outcome(await ask(fresh, "GET /user/x", as(mine))));
      expect((await ask(fresh, "GET /machine/x")).status).toBe(200);
      await eventually(
        "the others are served",
        async () => (await ask(fresh, "GET /user/x", as(unknown))).status === 200,
        10_000,
      );
    }
  });

  it("T19 that is down: the same, and it heals", async () => {
    await redis.kill();
    await expectFallback(lab, known, unknown, quietMs);
    await redis.restart();
    // What it had is gone with it, and is so for everybody.
    await eventually(
      "it is healed",
      async () => outcome(await lab.ask("GET /user/x", as(unknown))) === NOT_SIGNED_IN,
      10_000,
    );
    await lab.signIn();
  });
});

describe("T19 a server that is no Redis", () => {
  const BEHAVIOURS: Readonly<Record<string, string | undefined>> = {
    "closes at once": undefined,
    "answers junk": "\x00\xff*-5\r\n$99999999999\r\n%%%",
    "answers with errors": "-ERR no\r\n".repeat(20),
  };

  it("T19 and closes, answers junk, answers errors: machine tokens are served, and visitors told to try again", async () => {
    const sockets = new Set<Socket>();
    let bytes: string | undefined;
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => {}).on("close", () => sockets.delete(socket));
      if (bytes === undefined) socket.end();
      else socket.on("data", () => socket.write(bytes ?? "", "latin1"));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      await using lab = await labOn(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`);
      const quietMs = await machineMs(lab);
      for (const [behaviour, answer] of Object.entries(BEHAVIOURS)) {
        bytes = answer;
        for (const socket of sockets) socket.destroy();
        if (answer !== undefined) await once(server, "connection");
        expect(await machineMs(lab), behaviour).toBeLessThan(quietMs + 50);
        expect(outcome(await lab.ask("GET /user/x", as("A".repeat(43)))), behaviour).toBe(UNKNOWN);
        expect(outcome(await lab.ask("GET /anonymous/x")), behaviour).toBe(UNKNOWN);
        expect((await lab.ask("GET /none/x")).status).toBe(200);
      }
      expect(lab.provider.requests.filter(({ path }) => path.endsWith("anonymous-user"))).toEqual([]);
      expect(lab.pillion.child.exitCode).toBeNull();
    } finally {
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  });
});
