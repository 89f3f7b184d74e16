import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createSystemClock } from "../../src/core/clock.ts";
import { Secret } from "../../src/core/secret.ts";
import { recordName } from "../../src/store/sealing.ts";
import { StoreUnavailable } from "../../src/store/store.ts";
import type { Vault } from "../../src/store/vault.ts";
import { createCertificates } from "../support/certificates.ts";
import { type RedisServer, startRedisServer } from "../support/redis-server.ts";
import { connectRedisStore } from "./stores.ts";
import { createVaultBed, redisConfig, type VaultBed } from "./vaults.ts";

const A = "A".repeat(43);
const options = { expiresAtMs: Date.now() + 3_600_000, credentials: ["user"] };
/** Longer than any pause of reconnecting. */
const patience = { timeout: 10_000, interval: 25 };

/** Whatever happens to Redis: an answer, or that one rejection, and soon. */
async function outcome(vault: Vault): Promise<string> {
  const startMs = performance.now();
  const result = await vault.read("session", A).then(
    (record) => String(record?.content ?? "absent"),
    (error: unknown) => {
      if (error instanceof StoreUnavailable) return "unavailable";
      throw error;
    },
  );
  expect(performance.now() - startMs).toBeLessThan(5_000);
  return result;
}

describe("with Redis", () => {
  let server: RedisServer;
  let bed: VaultBed;
  let vault: Vault;
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  const heals = () => vi.waitFor(async () => expect(await outcome(vault)).not.toBe("unavailable"), patience);

  beforeAll(() => {
    process.on("unhandledRejection", note);
    process.on("uncaughtExceptionMonitor", note);
  });
  afterAll(() => {
    process.off("unhandledRejection", note);
    process.off("uncaughtExceptionMonitor", note);
    expect(unhandled).toEqual([]);
  });
  beforeEach(async () => {
    server = await startRedisServer();
    bed = createVaultBed();
    vault = await bed.vault(redisConfig(server.url, bed.keys));
    await vault.write("session", A, "kept", options);
  });
  afterEach(async () => {
    await vault.close();
    await server.stop();
  });

  it("killed, requests are refused at once, and served again once it is back", async () => {
    await server.kill();
    await vi.waitFor(async () => expect(await outcome(vault)).toBe("unavailable"), patience);
    for (let count = 0; count < 100; count += 1) expect(await outcome(vault)).toBe("unavailable");
    await server.restart();
    await heals();
    // Nothing is on its disk: the record is gone, its scripts are, too.
    expect(await outcome(vault)).toBe("absent");
    expect(await vault.write("session", A, "again", { ...options, expected: "absent" })).toBeDefined();
    expect(await outcome(vault)).toBe("again");
  });

  it("stopped in its tracks, one request waits for the deadline, the others not at all", async () => {
    server.signal("SIGSTOP");
    const startMs = performance.now();
    expect(await outcome(vault)).toBe("unavailable");
    expect(performance.now() - startMs).toBeGreaterThan(400);
    const endMs = performance.now() + 3_000;
    const asked = bed.operations.length;
    while (performance.now() < endMs) {
      expect(await outcome(vault)).toBe("unavailable");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(new Set(bed.operations.slice(asked))).toEqual(new Set(["read skipped"]));
    // By then that connection is given up: a path that drops packets looks the same.
    expect(bed.lines.join("\n")).toContain("it stopped answering");
    server.signal("SIGCONT");
    await heals();
    expect(await outcome(vault)).toBe("kept");
  });

  it("answering in time while this process stands still, it is not taken for slow", async () => {
    const reading = vault.read("session", A);
    await new Promise((resolve) => setImmediate(resolve));
    const endMs = performance.now() + 700;
    while (performance.now() < endMs);
    expect((await reading)?.content).toBe("kept");
  });

  it("a replica, it is read and not written, until it is primary again", async () => {
    await server.command("CONFIG", "SET", "replica-serve-stale-data", "yes");
    await server.command("REPLICAOF", "127.0.0.1", "1");
    await expect(vault.write("session", A, "no", options)).rejects.toThrow("it answers READONLY");
    await expect(vault.take("session", A)).rejects.toThrow(StoreUnavailable);
    await vi.waitFor(async () => expect(await outcome(vault)).toBe("kept"), patience);
    await server.command("REPLICAOF", "NO", "ONE");
    await vi.waitFor(() => vault.write("session", A, "yes", options), patience);
    expect(await outcome(vault)).toBe("yes");
  });

  it("too few replicas or no memory to write, it is unavailable, not wrong", async () => {
    await server.command("CONFIG", "SET", "min-replicas-to-write", "1");
    await expect(vault.write("session", A, "no", options)).rejects.toThrow("it answers NOREPLICAS");
    await server.command("CONFIG", "SET", "min-replicas-to-write", "0", "maxmemory", "1");
    await vi.waitFor(async () => {
      await expect(vault.write("session", A, "no", options)).rejects.toThrow("it answers OOM");
    }, patience);
    await heals();
    expect(await outcome(vault)).toBe("kept");
  });

  it.each([
    ["a list", ["RPUSH", "KEY", "x"]],
    ["a sorted set", ["ZADD", "KEY", "1", "x"]],
    ["a text without a header", ["SET", "KEY", "canary"]],
    ["an empty text", ["SET", "KEY", ""]],
    ["a header that is none", ["SET", "KEY", "version 12 {}\nvalue"]],
    ["a header with an odd list", ["SET", "KEY", "version 99999999999999 [1]\nvalue"]],
    ["a record of nobody's", ["SET", "KEY", "version 99999999999999 []\nvalue"]],
  ])("holding %s where a record belongs, there is none, and one can be written", async (_, command) => {
    const key = `pillion:${recordName({ kind: "session", key: A })}`;
    await server.command("DEL", key);
    await server.command(...command.map((part) => (part === "KEY" ? key : part)));
    expect(await outcome(vault)).toBe("absent");
    expect(await vault.write("session", A, "mine", options)).toBeDefined();
    expect(await outcome(vault)).toBe("mine");
    await server.command("DEL", key);
    await server.command(...command.map((part) => (part === "KEY" ? key : part)));
    expect(await vault.take("session", A)).toBeUndefined();
    expect(await server.command("EXISTS", key)).toBe(0);
  });

  it("whose indexes hold something else, sessions are served all the same", async () => {
    for (const key of await vault.countByCredential().then((counts) => [...counts.keys()])) {
      await server.command("DEL", `pillion:credential:${key}`);
      await server.command("SET", `pillion:credential:${key}`, "x");
    }
    expect(await vault.write("session", A, "written", options)).toBeDefined();
    expect(await outcome(vault)).toBe("written");
  });

  it("cutting every connection, the vault comes back, again and again", async () => {
    for (let turn = 0; turn < 3; turn += 1) {
      await server.command("CLIENT", "KILL", "TYPE", "normal").catch(() => {});
      await heals();
      expect(await outcome(vault)).toBe("kept");
    }
  });
});

describe("at the start", () => {
  it("a Redis that is down is waited for in the background", async () => {
    const server = await startRedisServer();
    await server.kill();
    const bed = createVaultBed();
    const startMs = performance.now();
    const vault = await bed.vault(redisConfig(server.url, bed.keys));
    expect(performance.now() - startMs).toBeLessThan(5_000);
    expect(await outcome(vault)).toBe("unavailable");
    expect(bed.lines.join("\n")).toContain("ECONNREFUSED");
    await server.restart();
    await vi.waitFor(async () => expect(await outcome(vault)).toBe("absent"), patience);
    await vault.close();
    await server.stop();
  });

  it("a wrong password is unavailability with a hint, and mended by a right one without a restart", async () => {
    await using server = await startRedisServer({ password: "right-canary" });
    const bed = createVaultBed();
    const reference = { kind: "env", name: "REDIS_URL" } as const;
    bed.env.set("REDIS_URL", new Secret(`redis://:wrong-canary@127.0.0.1:${server.port}`));
    const vault = await bed.vault({ ...redisConfig("", bed.keys), url: reference });
    expect(await outcome(vault)).toBe("unavailable");
    expect(bed.lines.join("\n")).toContain("check the user and the password of store.redis.url");
    bed.env.set("REDIS_URL", new Secret(server.url));
    await vi.waitFor(async () => expect(await outcome(vault)).toBe("absent"), patience);
    expect(bed.lines.join("\n")).not.toContain("canary");
    await vault.close();
  });

  it("a missing password is unavailability with a hint", async () => {
    await using server = await startRedisServer({ password: "p" });
    const bed = createVaultBed();
    const vault = await bed.vault(redisConfig(`redis://127.0.0.1:${server.port}`, bed.keys));
    expect(await outcome(vault)).toBe("unavailable");
    expect(bed.lines.join("\n")).toContain("it asks for a password");
    await vault.close();
  });

  it("a user of the ACL logs in, to any database", async () => {
    await using server = await startRedisServer({ user: { name: "pillion", password: "p%40/s" } });
    const bed = createVaultBed();
    const url = `redis://pillion:${encodeURIComponent("p%40/s")}@127.0.0.1:${server.port}/3`;
    const vault = await bed.vault(redisConfig(url, bed.keys));
    await vault.write("session", A, "acl", options);
    expect(await outcome(vault)).toBe("acl");
    await vault.close();
  });

  it("a URL that is none is an error of the configuration, without its password", async () => {
    const bed = createVaultBed();
    const opening = bed.vault(redisConfig("http://:canary@localhost", bed.keys));
    await expect(opening).rejects.toThrow(
      "store.redis.url: expected a URL that begins with redis:// or rediss://",
    );
    await expect(opening).rejects.not.toThrow("canary");
  });
});

describe("over TLS", () => {
  const directory = mkdtempSync(join(tmpdir(), "pillion-redis-tls-"));
  const certificates = createCertificates(directory);
  afterAll(() => rmSync(directory, { recursive: true }));
  const trusted = { ca: certificates.caFile, cert: undefined, key: undefined, serverName: undefined };
  const connect = async (server: RedisServer, tls: typeof trusted | object) => {
    const bed = createVaultBed();
    const vault = await bed.vault({ ...redisConfig(server.url, bed.keys), tls: { ...trusted, ...tls } });
    const result = await outcome(vault);
    await vault.close();
    return `${result} ${bed.lines.join("\n")}`;
  };

  it("a certificate of a known authority is trusted, any other is not", async () => {
    await using server = await startRedisServer({ tls: { certificates } });
    expect(await connect(server, {})).toMatch(/^absent/);
    expect(await connect(server, { ca: undefined })).toMatch(/^unavailable.*(CERT|VERIFY)/s);
    expect(await connect(server, { serverName: "other.example" })).toMatch(
      /^unavailable.*ERR_TLS_CERT_ALTNAME_INVALID/s,
    );
  });

  it("a client certificate is shown where it is asked for", async () => {
    await using server = await startRedisServer({ tls: { certificates, clientCertificate: true } });
    const { certFile: cert, keyFile: key } = certificates.client;
    expect(await connect(server, { cert, key })).toMatch(/^absent/);
    expect(await connect(server, {})).toMatch(/^unavailable/);
  });
});

describe("with something else on its port", () => {
  const answers: readonly (readonly [string, (socket: Socket, nth: number) => void])[] = [
    ["an HTTP server", (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")],
    ["random bytes", (socket) => socket.write(randomBytes(512))],
    ["an answer of another kind", (socket) => socket.write(":7\r\n")],
    ["PONG, whatever it is asked", (socket) => socket.write("+PONG\r\n")],
    ["two answers to each command", (socket) => socket.write("+PONG\r\n+PONG\r\n")],
    ["PONG and then silence", (socket, nth) => void (nth === 0 && socket.write("+PONG\r\n"))],
    ["PONG and then half an answer", (socket, nth) => socket.write(nth === 0 ? "+PONG\r\n" : "$100\r\nab")],
    ["an answer of gigabytes", (socket, nth) => socket.write(nth === 0 ? "+PONG\r\n" : "$9999999999\r\n")],
    ["an error that repeats what was sent", (socket) => socket.write("-ERR unknown 'canary'\r\n")],
    ["an end", (socket) => socket.end()],
    ["a reset", (socket) => socket.resetAndDestroy()],
  ];

  it.each(answers)("%s is a store that is unavailable", async (_, answer) => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      let nth = 0;
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("data", () => {
        if (socket.writable) answer(socket, nth);
        nth += 1;
      });
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const bed = createVaultBed();
    const { port } = server.address() as AddressInfo;
    const vault = await bed.vault(redisConfig(`redis://127.0.0.1:${port}`, bed.keys));
    for (let count = 0; count < 3; count += 1) expect(await outcome(vault)).toBe("unavailable");
    await expect(vault.write("session", A, "x", options)).rejects.toThrow(StoreUnavailable);
    await expect(vault.lock("session", A, 1_000)).rejects.toThrow(StoreUnavailable);
    await expect(vault.countByCredential()).rejects.toThrow(StoreUnavailable);
    expect(bed.lines.join("\n")).not.toContain("canary");
    await vault.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
});

describe("two processes on one Redis", () => {
  it("see each other's records, compare and set, and lock each other out", async () => {
    await using server = await startRedisServer();
    const clock = createSystemClock();
    const stores = await Promise.all([
      connectRedisStore(server.url, clock),
      connectRedisStore(server.url, clock),
      connectRedisStore(server.url, clock, "other:"),
    ]);
    const [one, two, other] = stores;
    const first = await one?.write("session:a", Buffer.from("1"), options);
    expect((await two?.read("session:a"))?.version).toBe(first);
    expect(
      await two?.write("session:a", Buffer.from("2"), { ...options, expected: first ?? "" }),
    ).toBeDefined();
    expect(
      await one?.write("session:a", Buffer.from("3"), { ...options, expected: first ?? "" }),
    ).toBeUndefined();
    const locks = await Promise.all([one?.lock("lock:a", 5_000), two?.lock("lock:a", 5_000)]);
    expect(locks.filter((lock) => lock !== undefined)).toHaveLength(1);
    // A prefix keeps two installations on one Redis apart.
    expect(await other?.read("session:a")).toBeUndefined();
    expect(await other?.lock("lock:a", 5_000)).toBeDefined();
    expect([...(await (other?.countByCredential() ?? []))]).toEqual([]);
    await Promise.all(stores.map((store) => store.close()));
  });
});
