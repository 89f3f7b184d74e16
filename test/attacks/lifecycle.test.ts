/**
 * Starting, reloading and ending of the real process under load and in bad company. What more there is of a row:
 *
 * - C01, C02, C04: test/e2e/reload.test.ts, test/config/hostile-text.test.ts, test/config/watch-files.test.ts
 * - C05, C07: test/e2e/drain.test.ts, test/transport/drain.test.ts
 * - C09: test/e2e/port-in-use.test.ts, test/e2e/start.test.ts
 *
 * C04 and C05 at full size, with figures: bench/bounds.ts.
 */
import { cpSync, readFileSync, renameSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer, type TLSSocket } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../e2e/support/eventually.ts";
import { createKeptConnection, send } from "../e2e/support/http-client.ts";
import { scrape } from "../e2e/support/metrics.ts";
import { FREE_PORTS, type Serving, serve } from "../e2e/support/serve.ts";
import { answerOk, startUpstream, type Upstream } from "../e2e/support/upstream.ts";
import { createWorkspace, type Workspace } from "../e2e/support/workspace.ts";
import { createCertificates } from "../support/certificates.ts";
import { spawnPillion } from "../support/pillion-process.ts";
import { connectRaw, head } from "../support/raw-client.ts";
import { startTokenEndpoint } from "../support/token-endpoint.ts";

let upstream: Upstream;
let workspace: Workspace;
let pillion: Serving | undefined;
beforeEach(async () => {
  upstream = await startUpstream();
  workspace = createWorkspace();
});
afterEach(async () => {
  await pillion?.stop();
  pillion = undefined;
  await upstream.close();
  workspace.remove();
});

const plain = (mark = "none"): string => `routes:
  - name: plain
    path: /plain/
    credential: none
    upstream: ${upstream.origin}/
    request_headers: { set: { X-Mark: "${mark}" } }
`;

const reloads = async (serving: Serving, outcome: string): Promise<number> =>
  (await scrape(serving.adminOrigin)).total("pillion_config_reloads_total", { outcome });

describe("C01: a configuration that is broken", () => {
  const aliases = Array.from(
    { length: 30 },
    (_, level) =>
      `x${level}: &x${level} [${Array(9)
        .fill(level === 0 ? "lol" : `*x${level - 1}`)
        .join(", ")}]`,
  );
  it("C01: leaves the last good one in use, whatever is wrong with it, and is counted", async () => {
    const serving = await serve(`reload: { watch: false }\n${plain("good")}`);
    pillion = serving;
    const broken = [
      ["bad syntax", "routes: [{ name: plain"],
      ["an unknown key", `${plain("bad")}rotues: []\n`],
      ["an alias bomb", `${aliases.join("\n")}\n${plain("bad")}`],
      ["an empty file", ""],
      ["not text", "\u0000\u0001\u0002"],
      ["a list", "- routes\n"],
    ] as const;
    for (const [index, [what, text]] of broken.entries()) {
      serving.workspace.write("pillion.yaml", text);
      const startedAtMs = performance.now();
      serving.signal("SIGHUP");
      await eventually(`${what} is refused`, async () => (await reloads(serving, "failure")) === index + 1);
      expect(performance.now() - startedAtMs, what).toBeLessThan(2_000);
      expect((await send(`${serving.origin}/plain/x`)).status, what).toBe(200);
      expect(upstream.last().headers["x-mark"], what).toBe("good");
    }
    const metrics = await scrape(serving.adminOrigin);
    expect(metrics.total("pillion_config_last_reload_successful")).toBe(0);
    serving.configure(`reload: { watch: false }\n${plain("mended")}`);
    serving.signal("SIGHUP");
    await eventually("it is mended", async () => {
      await send(`${serving.origin}/plain/x`);
      return upstream.last().headers["x-mark"] === "mended";
    });
  });
});

describe("C02: a volume that is swapped", () => {
  it("C02: 20 times is in use within 5 s each time", { timeout: 60_000 }, async () => {
    const volume = workspace.mount("config", { "pillion.yaml": FREE_PORTS + plain("0") });
    const serving = await serve("", { workspace, args: ["-c", volume.path("pillion.yaml")] });
    pillion = serving;
    for (let round = 1; round <= 20; round += 1) {
      volume.swap({ "pillion.yaml": FREE_PORTS + plain(String(round)) });
      await eventually(
        `round ${round}`,
        async () => {
          await send(`${serving.origin}/plain/x`);
          return upstream.last().headers["x-mark"] === String(round);
        },
        5_000,
      );
    }
  });

  it("C02: certificate first and key behind it: no request fails, and the new pair is shown", async () => {
    const certificates = createCertificates(workspace.path("ca"));
    const next = certificates.issue("next");
    const shown: (string | undefined)[] = [];
    const peer = createServer(
      {
        cert: readFileSync(certificates.server.certFile),
        key: readFileSync(certificates.server.keyFile),
        requestCert: true,
        rejectUnauthorized: false,
      },
      (socket: TLSSocket) => {
        const { subject } = socket.getPeerCertificate();
        socket.on("error", () => {});
        // A connection for each request, so that each shows the pair of now.
        socket.once("data", () => {
          shown.push(String(subject?.CN));
          socket.end("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
        });
      },
    );
    await new Promise<void>((resolve) => void peer.listen(0, "127.0.0.1", () => resolve()));
    const address = peer.address();
    const port = typeof address === "object" ? address?.port : 0;
    cpSync(certificates.client.certFile, workspace.path("client.crt"));
    cpSync(certificates.client.keyFile, workspace.path("client.key"));
    const serving = await serve(
      `routes:
  - name: plain
    path: /plain/
    credential: none
    upstream: https://127.0.0.1:${port}/
    tls: { ca: ${certificates.caFile}, cert: client.crt, key: client.key }
`,
      { workspace },
    );
    pillion = serving;
    const statuses = new Set<number>();
    const ask = async (): Promise<void> => {
      statuses.add((await send(`${serving.origin}/plain/x`)).status);
    };
    const replace = (from: string, to: string): void => {
      cpSync(from, workspace.path("coming"));
      renameSync(workspace.path("coming"), workspace.path(to));
    };
    await ask();
    replace(next.certFile, "client.crt");
    await eventually("the odd pair is refused", async () => {
      await ask();
      return (await reloads(serving, "failure")) > 0;
    });
    expect(serving.stdout()).toMatch(/is not the private key of the certificate/);
    await ask();
    expect(new Set(shown)).toEqual(new Set(["client"]));
    replace(next.keyFile, "client.key");
    await eventually("the new pair is in use", async () => {
      await ask();
      return shown.at(-1) === "next";
    });
    expect(statuses).toEqual(new Set([200]));
    peer.close();
  });
});

describe("C04: reloads under load", () => {
  it("C04: 20 with 100 requests in flight: not one error", async () => {
    upstream.respond((request, response) => {
      setTimeout(() => answerOk(request, response), 20);
    });
    const serving = await serve(`reload: { watch: false }\n${plain("0")}`);
    pillion = serving;
    const outcomes = new Map<string, number>();
    let ended = false;
    const caller = async (): Promise<void> => {
      const agent = createKeptConnection();
      while (!ended) {
        const outcome = await send(`${serving.origin}/plain/x`, { agent }).then(
          ({ status }) => String(status),
          (error: unknown) => String(error),
        );
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
      agent.destroy();
    };
    const callers = Array.from({ length: 100 }, caller);
    for (let round = 1; round <= 20; round += 1) {
      // Reload upon reload, with requests taken by each of them still in flight.
      await upstream.received(round * 50);
      serving.configure(`reload: { watch: false }\n${plain(String(round))}`);
      serving.signal("SIGHUP");
      await serving.logged("config_reloaded", round - 1);
    }
    ended = true;
    await Promise.all(callers);
    expect([...outcomes.keys()]).toEqual(["200"]);
    expect(outcomes.get("200")).toBeGreaterThanOrEqual(1_000);
    expect((await send(`${serving.origin}/plain/x`)).status).toBe(200);
    expect(upstream.last().headers["x-mark"]).toBe("20");
  });
});

describe("C05: SIGTERM under load", () => {
  it("C05: no request that was taken is dropped, and it ends with 0", async () => {
    let asked = 0;
    upstream.respond((request, response) => {
      asked += 1;
      setTimeout(() => answerOk(request, response), 20);
    });
    const serving = await serve(`drain: { delay: 300ms, timeout: 10s }\n${plain()}`);
    pillion = serving;
    const outcomes = new Set<string>();
    let served = 0;
    const caller = async (): Promise<void> => {
      const agent = createKeptConnection();
      for (;;) {
        const outcome = await send(`${serving.origin}/plain/x`, { agent }).then(
          ({ status, headers }) => (headers.connection === "close" ? "last" : String(status)),
          (error: NodeJS.ErrnoException) => String(error.code),
        );
        outcomes.add(outcome);
        if (outcome === "200" || outcome === "last") served += 1;
        if (outcome !== "200") break;
      }
      agent.destroy();
    };
    const callers = Array.from({ length: 100 }, caller);
    await upstream.received(300);
    serving.signal("SIGTERM");
    expect(await serving.exited()).toBe(0);
    await Promise.all(callers);
    // A kept connection is told with its last answer; one without an answer would have been dropped.
    expect([...outcomes].sort()).toEqual(["200", "last"]);
    expect(served).toBe(asked);
    expect(served).toBeGreaterThan(100);
  });
});

describe("C07: SIGTERM with an event stream that has no end", () => {
  it("C07: is served until drain.timeout, then cut, and it ends with 1", async () => {
    upstream.respond((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const beat = setInterval(() => response.write("data: x\n\n"), 20);
      response.on("close", () => clearInterval(beat));
    });
    const serving = await serve(`drain: { timeout: 500ms }\n${plain()}`);
    pillion = serving;
    const client = await connectRaw(Number(new URL(serving.origin).port));
    client.send(head("GET /plain/events"));
    await upstream.received(1);
    serving.signal("SIGTERM");
    const signalledAtMs = performance.now();
    await serving.logged("shutting_down");
    const seen = client.buffered().length;
    await eventually("events go on", async () => client.buffered().length > seen);
    expect(await serving.exited()).toBe(1);
    expect(performance.now() - signalledAtMs).toBeGreaterThan(450);
    expect(performance.now() - signalledAtMs).toBeLessThan(5_000);
    await client.closed();
    expect(client.buffered()).not.toMatch(/0\r\n\r\n$/);
    client.socket.destroy();
  });

  it("C07: and a second SIGTERM ends it at once", async () => {
    upstream.respond((_request, response) => void response.write("data: x\n\n"));
    const serving = await serve(`drain: { timeout: 20s }\n${plain()}`);
    pillion = serving;
    const client = await connectRaw(Number(new URL(serving.origin).port));
    client.send(head("GET /plain/events"));
    await upstream.received(1);
    serving.signal("SIGTERM");
    await serving.logged("shutting_down");
    const signalledAtMs = performance.now();
    serving.signal("SIGTERM");
    expect(await serving.exited()).toBe(1);
    expect(performance.now() - signalledAtMs).toBeLessThan(1_000);
    client.socket.destroy();
  });
});

describe("C08: everything else is down at the start", () => {
  it("C08: it starts, is alive, answers 503 and 502, and heals by itself", async () => {
    const tokens = await startTokenEndpoint();
    const tokenPort = Number(tokens.url.port);
    const upstreamOrigin = upstream.origin;
    await tokens.close();
    await upstream.close();
    const serving = await serve(
      `credentials:
  app:
    provider: oauth2
    token_url: ${tokens.url.href}
    client_id: me
    client_secret: { env: SECRET }
    prefetch: true
routes:
  - { name: app, path: /app/, credential: app, upstream: "${upstreamOrigin}/" }
  - { name: plain, path: /plain/, credential: none, upstream: "${upstreamOrigin}/" }
`,
      { env: { SECRET: "s" } },
    );
    pillion = serving;
    const alive = async (): Promise<number> => (await send(`${serving.adminOrigin}/livez`)).status;
    expect(await alive()).toBe(200);
    expect((await send(`${serving.origin}/app/x`)).status).toBe(503);
    expect((await send(`${serving.origin}/plain/x`)).status).toBe(502);
    expect(await alive()).toBe(200);
    const back = await startTokenEndpoint({ port: tokenPort });
    const again = createHttpServer((_request, response) => response.end("ok"));
    again.listen(Number(new URL(upstreamOrigin).port), "127.0.0.1");
    await eventually(
      "it is healed",
      async () => (await send(`${serving.origin}/app/x`)).status === 200,
      10_000,
    );
    expect((await send(`${serving.adminOrigin}/startupz`)).status).toBe(200);
    expect((await send(`${serving.origin}/plain/x`)).status).toBe(200);
    again.close();
    again.closeAllConnections();
    await back.close();
  });
});

describe("C09: a start that cannot succeed", () => {
  it.each([
    ["a secret that cannot be read", 2, "client_secret: { file: missing }", /missing/],
    ["a secret that is empty", 2, "client_secret: { env: EMPTY }", /EMPTY/],
  ])("C09: %s ends within 2 s with %i and one clear line", async (_name, code, secret, line) => {
    const file = workspace.write(
      "pillion.yaml",
      `${FREE_PORTS}credentials:
  app: { provider: oauth2, token_url: "http://127.0.0.1:9/t", client_id: me, ${secret} }
routes: [{ name: app, path: /app/, credential: app, upstream: "${upstream.origin}/" }]
`,
    );
    const startedAtMs = performance.now();
    await using started = spawnPillion(["run", "-c", file], { env: { EMPTY: "" } });
    expect(await started.exited()).toBe(code);
    expect(performance.now() - startedAtMs).toBeLessThan(2_000);
    expect(started.stderr().trim().split("\n")).toHaveLength(1);
    expect(started.stderr()).toMatch(line);
  });
});
