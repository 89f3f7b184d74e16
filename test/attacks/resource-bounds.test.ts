/**
 * What callers can make the proxy spend. The same at full size, with figures: bench/bounds.ts. B09 is the soak,
 * bench/soak.ts. Of B01, bodies at a byte a second: test/proxy/slow-bodies.test.ts.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { scrape } from "../e2e/support/metrics.ts";
import { serve } from "../e2e/support/serve.ts";
import {
  aCredential,
  aRoute,
  createScriptedSource,
  eventually,
  type RunningProxy,
  startProxy,
} from "../support/proxy-harness.ts";
import { connectRaw, head, type RawClient, roundTrip } from "../support/raw-client.ts";
import { startUpstream } from "../support/upstream.ts";

const connectMany = (port: number, count: number): Promise<RawClient[]> =>
  Promise.all(Array.from({ length: count }, () => connectRaw(port)));

/** Milliseconds of one request on a connection of its own. */
async function timed(proxy: RunningProxy, path: string): Promise<number> {
  const startedAtMs = performance.now();
  expect((await roundTrip(proxy.port, head(`GET ${path}`))).status).toBe(200);
  return performance.now() - startedAtMs;
}

describe("B01: slow heads", () => {
  it("B01: are cut within limits.header_timeout and a moment, however often a byte comes", async () => {
    await using upstream = await startUpstream((_request, response) => response.end("ok"));
    await using proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin })],
      limits: { headerTimeoutMs: 500 },
    });
    const startedAtMs = performance.now();
    const slow = await connectMany(proxy.port, 200);
    for (const client of slow) client.send("GET /api/a HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
    const drip = setInterval(() => {
      for (const { socket } of slow) if (socket.writable) socket.write("x");
    }, 50);
    await Promise.all(slow.map((client) => client.closed()));
    clearInterval(drip);
    expect(performance.now() - startedAtMs).toBeLessThan(3_000);
    for (const { socket } of slow) socket.destroy();
    expect(upstream.requests).toEqual([]);
  });

  it("B01: that fill limits.connections make room for those who ask", async () => {
    await using upstream = await startUpstream((_request, response) => response.end("ok"));
    await using proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin })],
      limits: { connections: 50 },
    });
    const kept = await connectRaw(proxy.port);
    kept.send(head("GET /api/a"));
    expect((await kept.answer()).status).toBe(200);
    const slow = await connectMany(proxy.port, 49);
    for (const client of slow) client.send("GET /api/a HTTP/1.1\r\n");
    for (let count = 0; count < 20; count += 1) await timed(proxy, "/api/a");
    kept.send(head("GET /api/a"));
    expect((await kept.answer()).status, "who has asked before stays").toBe(200);
    for (const { socket } of [...slow, kept]) socket.destroy();
  });
});

const SIP_BYTES = 262_144;

describe("a reader that stands still", () => {
  it("is cut, and its upstream socket is free again; one that moves is not", async () => {
    const body = Buffer.alloc(8 * 1_048_576);
    await using upstream = await startUpstream((_request, response) => response.end(body));
    await using proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin })],
      limits: { bodyIdleMs: 100 },
    });
    const dead = connect({ port: proxy.port, host: "127.0.0.1", readableHighWaterMark: 1 } as never);
    dead.on("error", () => {});
    dead.write(head("GET /api/dead"));
    dead.pause();
    // Takes its sips whole: 32 of them, over three times what a reader may stand still.
    const moving = connect({
      port: proxy.port,
      host: "127.0.0.1",
      readableHighWaterMark: SIP_BYTES,
    } as never);
    moving.pause();
    moving.write(head("GET /api/moving"));
    let received = 0;
    const sip = setInterval(() => {
      const chunk: Buffer | null = moving.read(Math.min(SIP_BYTES, moving.readableLength));
      received += chunk?.length ?? 0;
    }, 50);
    await eventually(() => proxy.told.log.some(({ fields }) => fields.path === "/api/dead"));
    expect(proxy.told.log.find(({ fields }) => fields.path === "/api/dead")?.fields.outcome).toBe("aborted");
    await eventually(() => received > body.length);
    clearInterval(sip);
    dead.destroy();
    moving.destroy();
    await eventually(() => upstream.sockets.size <= 1);
    const moved = proxy.told.log.find(({ fields }) => fields.path === "/api/moving");
    expect(moved?.fields.outcome).toBe("complete");
  });
});

describe("B03: callers that leave", () => {
  const leave: readonly (readonly [string, (socket: Socket) => void])[] = [
    ["by closing", (socket) => void socket.destroy()],
    ["by a reset", (socket) => void socket.resetAndDestroy()],
  ];
  it.each(leave)("B03: 600 of them leave nothing behind after a second (%s)", async (_name, go) => {
    const never = new Promise<string>(() => {});
    await using upstream = await startUpstream((request, response) => {
      request.on("error", () => {});
      if (request.url === "/mid") response.write("half");
    });
    await using proxy = await startProxy({
      routes: [
        aRoute({ upstream: upstream.origin, connections: 1_000 }),
        aRoute({ upstream: upstream.origin, name: "waits", path: "/waits/", credential: aCredential() }),
      ],
      source: () => createScriptedSource(() => never),
    });
    const descriptors = (): number => readdirSync("/proc/self/fd").length;
    await timedOut(proxy);
    const before = descriptors();
    const clients = await connectMany(proxy.port, 600);
    for (const [index, client] of clients.entries()) {
      client.send(
        [
          head("GET /api/before"),
          head("GET /api/mid"),
          `${head("PUT /api/body", "Content-Length: 10")}half`,
          head("GET /waits/a"),
        ][index % 4] ?? "",
      );
    }
    await eventually(() => proxy.told.events.filter((event) => event.startsWith("started")).length === 600);
    await eventually(() => upstream.requests.length === 450);
    await eventually(() => clients.filter((client) => client.buffered().includes("half")).length === 150);
    const leftAtMs = performance.now();
    for (const { socket } of clients) go(socket);
    await eventually(() => proxy.told.events.filter((event) => event.startsWith("finished")).length === 600);
    await upstream.idle();
    await eventually(() => descriptors() <= before);
    expect(performance.now() - leftAtMs).toBeLessThan(1_500);
  });

  /** A refused request, so that what is opened once is open. */
  async function timedOut(proxy: RunningProxy): Promise<void> {
    expect((await roundTrip(proxy.port, head("GET /nowhere"))).status).toBe(404);
  }
});

describe("B05: what a caller makes up", () => {
  it("B05: random paths, Hosts, tenants, methods and cookies make no metric series", async () => {
    await using upstream = await startUpstream((_request, response) => response.end("ok"));
    await using pillion = await serve(
      `credentials:
  key:
    provider: static
    header: X-Key
    tenants: { isb: { value: { env: KEY } } }
routes:
  - { name: plain, path: /plain/, credential: none, upstream: "${upstream.origin.href}" }
  - { name: t, path: "/t/{tenant}/", credential: key, upstream: "${upstream.origin.href}" }
`,
      { env: { KEY: "k" } },
    );
    const port = Number(new URL(pillion.origin).port);
    const spray = async (from: number, to: number): Promise<void> => {
      const client = await connectRaw(port);
      for (let n = from; n < to; n += 1) {
        const requests = [
          head(`GET /plain/${n}?q=${n}`, `Cookie: s=${n}`, `X-Request-Id: id-${n}`),
          head(`GET /nowhere-${n}`),
          head(`GET /t/tenant-${n}/x`),
          head(`GET /plain/x`, `Host: h${n}.example`),
          head(`GET /t/isb/${n}`, `X-Tenant: t${n}`),
        ];
        for (const request of requests) {
          client.send(request);
          await client.answer();
        }
      }
      client.socket.destroy();
    };
    await spray(0, 10);
    /** Node's own series come when a thing first happens to it, such as a kind of collection. */
    const series = async (): Promise<number> =>
      (await scrape(pillion.adminOrigin)).samples.filter(({ name }) => name.startsWith("pillion_")).length;
    const before = await series();
    await Promise.all([1, 2, 3, 4].map((part) => spray(part * 250, part * 250 + 250)));
    expect(await series()).toBe(before);
  });

  it("B05: tenants that come by once leave a thousand sockets at most", { timeout: 30_000 }, async () => {
    await using upstream = await startUpstream((_request, response) => response.end("ok"));
    const tenants = Array.from({ length: 1_200 }, (_, n) => `t${n}`);
    await using proxy = await startProxy({
      routes: [
        aRoute({ upstream: upstream.origin, path: "/{tenant}/", credential: aCredential({ tenants }) }),
      ],
    });
    const client = await connectRaw(proxy.port);
    for (const tenant of tenants) {
      client.send(head(`GET /${tenant}/x`));
      expect((await client.answer()).status).toBe(200);
    }
    await eventually(() => upstream.sockets.size <= 1_000);
    client.send(head("GET /t0/x"));
    expect((await client.answer()).status, "and one that was let go comes again").toBe(200);
    client.socket.destroy();
  });
});

describe("B06: a path of 15 KiB", () => {
  const hostile: readonly (readonly [string, string])[] = [
    ["of one letter", "a".repeat(15_000)],
    ["of slashes", "/a".repeat(7_500)],
    ["of dots", ".a".repeat(7_500)],
    ["of encoded letters", "%41".repeat(5_000)],
    ["of broken encodings", "%".repeat(15_000)],
    ["of what a rule begins with", "x/y/".repeat(3_700)],
    ["of semicolons", ";a=".repeat(5_000)],
  ];
  it.each(hostile)("B06: %s holds the event loop for 10 ms at most", async (_name, path) => {
    await using upstream = await startUpstream((_request, response) => response.end("ok"));
    await using proxy = await startProxy({
      routes: [
        aRoute({
          upstream: upstream.origin,
          allow: ["GET /*/y/*/y/*/y/*/z", "GET /x/*", "GET /a/*/a/*/a/*/b"],
          deny: ["GET /x/*/x/*/x/*/x/*/end", "* /*/*/*/*/*/*/*/*/b", "* /a/*/a/*/a/*/a/*/a/*/b"],
        }),
      ],
      limits: { headerBytes: 32_768 },
    });
    /** In CPU time of this thread: a turn in which the machine ran something else is not a block. */
    const cpuMs = (): number => {
      const { user, system } = process.threadCpuUsage();
      return (user + system) / 1_000;
    };
    const blocksMs: number[] = [];
    for (let round = 0; round < 7; round += 1) {
      const client = await connectRaw(proxy.port);
      client.send(head(`GET /api/${path}`));
      let longestMs = 0;
      let lastMs = cpuMs();
      let answered = false;
      const watch = (): void => {
        const nowMs = cpuMs();
        longestMs = Math.max(longestMs, nowMs - lastMs);
        lastMs = nowMs;
        if (!answered) setImmediate(watch);
      };
      setImmediate(watch);
      const { status } = await client.answer();
      answered = true;
      expect([200, 400, 403]).toContain(status);
      blocksMs.push(longestMs);
      client.socket.destroy();
    }
    // The quietest of seven: a collection that falls into one round is not the path's doing.
    expect(Math.min(...blocksMs)).toBeLessThan(10);
  });
});

describe("B07: an upstream that hangs", () => {
  // The sockets that were free for those who had left stay for their 15 seconds.
  it("B07: takes 500 requests in without harm to others, and refuses at once what finds no room to wait", {
    timeout: 40_000,
  }, async () => {
    await using hung = await startUpstream(() => {});
    await using quick = await startUpstream((_request, response) => response.end("ok"));
    await using proxy = await startProxy({
      routes: [
        aRoute({ upstream: hung.origin, name: "a", path: "/a/", connections: 8 }),
        aRoute({ upstream: quick.origin, name: "b", path: "/b/", connections: 8 }),
      ],
    });
    const quietMs: number[] = [];
    for (let count = 0; count < 50; count += 1) quietMs.push(await timed(proxy, "/b/x"));
    const clients = await connectMany(proxy.port, 500);
    for (const client of clients) client.send(head("GET /a/x"));
    // 8 sockets and 128 places to wait; the rest hear of it now, not at timeouts.headers.
    const answered = (): readonly RawClient[] => clients.filter((client) => client.buffered() !== "");
    await eventually(() => answered().length === 500 - 8 - 128);
    const refused = await answered()[0]?.answer();
    expect([refused?.status, JSON.parse(refused?.body ?? "{}").code]).toEqual([503, "OVERLOADED"]);
    expect(Number(refused?.field("retry-after"))).toBeGreaterThan(0);
    expect(refused?.field("proxy-status")).toContain("error=connection_limit_reached");
    const busyMs: number[] = [];
    for (let count = 0; count < 50; count += 1) busyMs.push(await timed(proxy, "/b/x"));
    const typical = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[25] ?? 0;
    expect(typical(busyMs)).toBeLessThan(typical(quietMs) + 20);
    expect(hung.requests).toHaveLength(8);
    for (const { socket } of clients) socket.destroy();
    await hung.idle();
    expect(await timed(proxy, "/b/x")).toBeGreaterThan(0);
  });

  it("B07: a burst of 1,000 finds room on 64 connections", async () => {
    await using upstream = await startUpstream((_request, response) => response.end("ok"));
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const clients = await connectMany(proxy.port, 1_000);
    for (const client of clients) client.send(head("GET /api/x"));
    const answers = await Promise.all(clients.map((client) => client.answer()));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1_000);
    expect(upstream.sockets.size).toBeLessThanOrEqual(64);
    for (const { socket } of clients) socket.destroy();
  });
});

describe("B08: a flood", () => {
  it("B08: at a small heap is refused with 503 before memory runs out", { timeout: 30_000 }, async () => {
    await using upstream = await startUpstream((request, response) => {
      if (request.url === "/quick") response.end("ok");
    });
    await using pillion = await serve(
      `routes:
  - { name: flood, path: /flood/, credential: none, upstream: "${upstream.origin.href}", connections: 16 }
  - { name: quick, path: /quick/, credential: none, upstream: "${upstream.origin.href}" }
`,
      { env: { NODE_OPTIONS: "--max-old-space-size=64" } },
    );
    const port = Number(new URL(pillion.origin).port);
    const clients = await connectMany(port, 1_000);
    const field = `X-Fill: ${"x".repeat(12_000)}`;
    for (const client of clients)
      client.send(`${head("POST /flood/x", field, "Content-Length: 1000000")}${"b".repeat(60_000)}`);
    const refused = (): number => clients.filter((client) => client.buffered().includes(" 503 ")).length;
    await eventually(() => refused() === 1_000 - 16 - 256);
    expect((await roundTrip(port, head("GET /quick/quick"))).status).toBe(200);
    for (const { socket } of clients) socket.destroy();
    expect(pillion.child.exitCode).toBeNull();
    expect((await roundTrip(port, head("GET /quick/quick"))).status).toBe(200);
  });

  it("B08: that takes all file descriptors neither ends nor busies the process, and passes", async () => {
    await using upstream = await startUpstream((_request, response) => response.end("ok"));
    await using pillion = await serve(
      `routes: [{ name: plain, path: /plain/, credential: none, upstream: "${upstream.origin.href}" }]\n`,
    );
    const { pid = 0 } = pillion.child;
    const port = Number(new URL(pillion.origin).port);
    const descriptors = (): number => readdirSync(`/proc/${pid}/fd`).length;
    /** Processor time so far; the kernel counts in hundredths of a second. */
    const processorMs = (): number => {
      const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
        .replace(/^.*\) /, "")
        .split(" ");
      return (Number(fields[11]) + Number(fields[12])) * 10;
    };
    const asking = await connectRaw(port);
    const before = descriptors();
    execFileSync("prlimit", ["--pid", String(pid), `--nofile=${before + 30}`]);
    let refused = 0;
    const sockets = Array.from({ length: 100 }, () =>
      connect(port, "127.0.0.1")
        .on("error", () => {})
        .on("close", () => {
          refused += 1;
        }),
    );
    await eventually(() => refused > 50);
    const startedMs = processorMs();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(processorMs() - startedMs, "accepting in vain must not spin").toBeLessThan(250);
    asking.send(head("GET /plain/x"));
    const answer = await asking.answer();
    expect([502, 503]).toContain(answer.status);
    expect(answer.field("content-type")).toBe("application/problem+json");
    for (const socket of sockets) socket.destroy();
    await eventually(() => descriptors() <= before + 2);
    asking.send(head("GET /plain/x"));
    expect((await asking.answer()).status).toBe(200);
    expect((await roundTrip(port, head("GET /plain/x"))).status).toBe(200);
    asking.socket.destroy();
  });
});
