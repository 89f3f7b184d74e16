/**
 * Faults of the token endpoint, seen from callers of the real process. What turns on the clock is tested with a clock
 * that is turned by hand:
 *
 * - T01, T02, T06 (what is read, and for how long): test/token/token-endpoint.test.ts
 * - T03, T04, T05: test/token/outage.test.ts, test/token/retry-after.test.ts
 * - T07, T09: test/token/token-response.test.ts
 * - T10, T13, T17: test/token/renewal.test.ts
 * - T11: test/token/clock-jump.test.ts
 * - T15, T16: test/token/single-flight.test.ts
 * - T20: test/token/secret-rotation.test.ts
 * - T19: test/attacks/store-faults.test.ts
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Agent } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../e2e/support/eventually.ts";
import { expectProblem } from "../e2e/support/expectations.ts";
import { createKeptConnection, send } from "../e2e/support/http-client.ts";
import { type Serving, serve } from "../e2e/support/serve.ts";
import { startUpstream, type Upstream } from "../e2e/support/upstream.ts";
import { createWorkspace } from "../e2e/support/workspace.ts";
import { createCertificates } from "../support/certificates.ts";
import {
  type Answer,
  granted,
  reset,
  type ScriptedTokenEndpoint,
  silence,
  startTokenEndpoint,
} from "../support/token-endpoint.ts";

let upstream: Upstream;
const open: (() => Promise<void>)[] = [];
beforeEach(async () => {
  upstream = await startUpstream();
});
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
  await upstream.close();
});

async function endpoint(...options: Parameters<typeof startTokenEndpoint>): Promise<ScriptedTokenEndpoint> {
  const started = await startTokenEndpoint(...options);
  open.push(() => started.close());
  return started;
}

async function running(...options: Parameters<typeof serve>): Promise<Serving> {
  const started = await serve(...options);
  open.push(() => started.stop());
  return started;
}

/** One credential, and a route of the same name to the upstream. */
const credential = (name: string, tokenUrl: URL, more = ""): string => `  ${name}:
    provider: oauth2
    token_url: ${tokenUrl.href}
    client_id: me
    client_secret: { env: SECRET }
${more}`;
const configuration = (credentials: string, names: readonly string[]): string => `credentials:
${credentials}routes:
${names
  .map(
    (name) =>
      `  - { name: ${name}, path: /${name}/, upstream: "${upstream.origin}/", credential: ${name} }\n`,
  )
  .join("")}`;
const env = { SECRET: "s3cret" };

/** Nothing went up without a token, and no token but these. */
function expectTokens(pattern: RegExp): void {
  for (const { headers } of upstream.requests) expect(headers.authorization).toMatch(pattern);
}

describe("T01: a token endpoint that fails", () => {
  const fails = async (
    pillion: Serving,
    break_: () => Promise<void> | void,
    expiresAtMs: number,
  ): Promise<void> => {
    await break_();
    // GRACE: for as long as the token is valid nobody notices.
    while (Date.now() < expiresAtMs - 600) {
      expect((await send(`${pillion.origin}/app/x`)).status).toBe(200);
      await delay(50);
    }
    const failed = await eventually("the token has expired", async () => {
      const reply = await send(`${pillion.origin}/app/x`);
      return reply.status !== 200 && reply;
    });
    expectProblem(failed, 503, "TOKEN_UNAVAILABLE");
    const askedAtMs = performance.now();
    expectProblem(await send(`${pillion.origin}/app/x`), 503, "TOKEN_UNAVAILABLE");
    expect(performance.now() - askedAtMs).toBeLessThan(5_000);
    expectTokens(/^Bearer token-\d+$/);
  };

  it("T01: by RST: every request is served while the token is valid, then 503, and it heals", async () => {
    const tokens = await endpoint();
    tokens.answer(granted({ expires_in: 2 }));
    const pillion = await running(configuration(credential("app", tokens.url), ["app"]), { env });
    const askedAtMs = Date.now();
    expect((await send(`${pillion.origin}/app/x`)).status).toBe(200);
    await fails(pillion, () => tokens.answer(reset), askedAtMs + 2_000);
    tokens.answer(granted());
    await eventually(
      "it is healed",
      async () => (await send(`${pillion.origin}/app/x`)).status === 200,
      10_000,
    );
  });

  it("T01: by a bad certificate: the same, and no secret is sent to it", async () => {
    using workspace = createWorkspace();
    const certificates = createCertificates(workspace.path("tls"));
    const tls = ({ certFile, keyFile }: { certFile: string; keyFile: string }) => ({
      tls: { cert: readFileSync(certFile), key: readFileSync(keyFile) },
    });
    const good = await startTokenEndpoint(tls(certificates.server));
    good.answer(granted({ expires_in: 2 }));
    const pillion = await running(
      configuration(credential("app", good.url, `    tls: { ca: ${certificates.caFile} }\n`), ["app"]),
      { env },
    );
    const askedAtMs = Date.now();
    expect((await send(`${pillion.origin}/app/x`)).status).toBe(200);
    let bad: ScriptedTokenEndpoint | undefined;
    const swap = async (): Promise<void> => {
      await good.close();
      const port = Number(good.url.port);
      bad = await endpoint({ port, ...tls(certificates.issue("self", { selfSigned: true })) });
    };
    await fails(pillion, swap, askedAtMs + 2_000);
    expect(bad?.connections).toBeGreaterThan(0);
    expect(bad?.requests).toEqual([]);
  });
});

describe("T06: a 200 that is no token", () => {
  const MARK = "mark-that-nobody-may-log";
  const json = { "content-type": "application/json" };
  const bodies: Readonly<Record<string, Answer>> = {
    html: { status: 200, headers: { "content-type": "text/html" }, body: `<html>${MARK}</html>` },
    empty: { status: 200, headers: json, body: "" },
    brace: { status: 200, headers: json, body: `{"${MARK}` },
    list: { status: 200, headers: json, body: `["${MARK}"]` },
    large: { status: 200, headers: json, body: Buffer.alloc(10 * 1_048_576, MARK) },
    bomb: {
      status: 200,
      headers: { ...json, "content-encoding": "gzip" },
      body: gzipSync(Buffer.alloc(50 * 1_048_576)),
    },
    nothing: {
      status: 200,
      headers: json,
      body: JSON.stringify({ access_token: null, token_type: "Bearer" }),
    },
    number: { status: 200, headers: json, body: JSON.stringify({ access_token: 7, token_type: "Bearer" }) },
    blank: { status: 200, headers: json, body: JSON.stringify({ access_token: "", token_type: "Bearer" }) },
  };

  it("T06: gives 503 within 5 s, is retried, and is never logged", async () => {
    const names = Object.keys(bodies);
    const endpoints = await Promise.all(names.map(() => endpoint()));
    for (const [index, name] of names.entries()) endpoints[index]?.answer(bodies[name] ?? silence, granted());
    const credentials = names.map((name, index) => credential(name, endpoints[index]?.url as URL)).join("");
    const pillion = await running(configuration(credentials, names), { env, args: ["--log-level", "debug"] });
    const startedAtMs = performance.now();
    const replies = await Promise.all(names.map((name) => send(`${pillion.origin}/${name}/x`)));
    expect(performance.now() - startedAtMs).toBeLessThan(5_000);
    for (const reply of replies) expectProblem(reply, 503, "TOKEN_UNAVAILABLE");
    expect(upstream.requests).toEqual([]);
    for (const name of names) {
      await eventually(
        `${name} is healed`,
        async () => (await send(`${pillion.origin}/${name}/x`)).status === 200,
        10_000,
      );
    }
    expect(pillion.stdout() + pillion.stderr() + replies.map(({ text }) => text).join("")).not.toContain(
      MARK,
    );
    expectTokens(/^Bearer token-2$/);
  });
});

const FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
const fakeTime = [FAKETIME, FAKETIME.replace("x86_64", "aarch64")].find((path) => existsSync(path));

describe("T11: a clock that jumps", () => {
  it.skipIf(fakeTime === undefined)(
    "T11: an hour ahead and back: no storm, no failure, one recheck",
    async () => {
      const directory = mkdtempSync(join(tmpdir(), "pillion-time-"));
      open.push(async () => rmSync(directory, { recursive: true }));
      const file = join(directory, "offset");
      writeFileSync(file, "+0\n");
      const tokens = await endpoint();
      const pillion = await running(configuration(credential("app", tokens.url), ["app"]), {
        env: {
          ...env,
          LD_PRELOAD: fakeTime ?? "",
          FAKETIME_TIMESTAMP_FILE: file,
          FAKETIME_NO_CACHE: "1",
          FAKETIME_DONT_FAKE_MONOTONIC: "1",
          DONT_FAKE_MONOTONIC: "1",
        },
      });
      const burst = async (): Promise<void> => {
        for (let count = 0; count < 30; count += 1)
          expect((await send(`${pillion.origin}/app/x`)).status).toBe(200);
      };
      /** Of the process, by the Date of its admin listener's answers. */
      const offsetSeconds = async (): Promise<number> => {
        const { headers } = await send(`${pillion.adminOrigin}/livez`);
        return Math.round((Date.parse(headers.date ?? "") - Date.now()) / 1_000);
      };
      await burst();
      expect(tokens.requests).toHaveLength(1);
      writeFileSync(file, "+3600s\n");
      await eventually("the process lives an hour ahead", async () => (await offsetSeconds()) > 3_500);
      await burst();
      await burst();
      expect(tokens.requests.length).toBeLessThanOrEqual(2);
      writeFileSync(file, "+0\n");
      await eventually("it is back", async () => (await offsetSeconds()) < 100);
      await burst();
      expect(tokens.requests.length).toBeLessThanOrEqual(3);
      expectTokens(/^Bearer token-\d$/);
    },
  );

  it("T11: a process that is stopped past the expiry sends no expired token when it goes on", async () => {
    const tokens = await endpoint();
    tokens.answer(granted({ expires_in: 2 }), granted({ expires_in: 60 }));
    const pillion = await running(configuration(credential("app", tokens.url), ["app"]), { env });
    expect((await send(`${pillion.origin}/app/x`)).status).toBe(200);
    pillion.signal("SIGSTOP");
    await delay(2_200);
    const late = Array.from({ length: 20 }, () => send(`${pillion.origin}/app/late`));
    pillion.signal("SIGCONT");
    for (const reply of await Promise.all(late)) expect(reply.status).toBe(200);
    const used = upstream.requests.filter(({ target }) => target === "/late");
    expect(new Set(used.map(({ headers }) => headers.authorization))).toEqual(new Set(["Bearer token-2"]));
    expect(tokens.requests).toHaveLength(2);
  });
});

describe("T13: many tenants without a token at once", () => {
  it("T13: are fetched 32 at a time at most, each once, and all are served", async () => {
    const tokens = await endpoint();
    let under = 0;
    let most = 0;
    tokens.answer({
      act(_request, response) {
        under += 1;
        most = Math.max(most, under);
        setTimeout(() => {
          under -= 1;
          response.setHeader("content-type", "application/json");
          response.end(JSON.stringify({ access_token: "t", token_type: "Bearer", expires_in: 3_600 }));
        }, 5);
      },
    });
    const tenants = Array.from({ length: 300 }, (_, n) => `      t${n}: { client_id: c${n} }\n`).join("");
    const pillion = await running(
      `credentials:
${credential("app", tokens.url, `    tenants:\n${tenants}`)}routes:
  - { name: app, path: "/{tenant}/", upstream: "${upstream.origin}/", credential: app }
`,
      { env },
    );
    const replies = await Promise.all(
      Array.from({ length: 300 }, (_, n) => send(`${pillion.origin}/t${n}/x`)),
    );
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    expect(tokens.requests).toHaveLength(300);
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(32);
  });
});

describe("T15: 500 cold requests at once", () => {
  it("T15: are served by one fetch, though the caller that began it leaves", async () => {
    const tokens = await endpoint();
    const go = Promise.withResolvers<void>();
    tokens.answer({
      status: 200,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ access_token: "token-1", token_type: "Bearer", expires_in: 3_600 }),
      after: go.promise,
    });
    const pillion = await running(configuration(credential("app", tokens.url), ["app"]), { env });
    const leaving = new AbortController();
    const leader = send(`${pillion.origin}/app/leader`, { signal: leaving.signal }).catch(() => "left");
    await tokens.received(1);
    const waiters = Array.from({ length: 499 }, () => send(`${pillion.origin}/app/x`));
    leaving.abort();
    expect(await leader).toBe("left");
    await eventually("all of them wait", async () => {
      const { text } = await send(`${pillion.adminOrigin}/metrics`);
      return /requests_in_flight\{route="app"\} 499\b/.test(text);
    });
    go.resolve();
    expect(new Set((await Promise.all(waiters)).map(({ status }) => status))).toEqual(new Set([200]));
    expect(tokens.requests).toHaveLength(1);
    expect(upstream.requests.map(({ target }) => target)).not.toContain("/leader");
  });
});

describe("T16: a token endpoint that hangs", () => {
  it("T16: does not slow down who has another", async () => {
    const hanging = await endpoint();
    hanging.answer(silence);
    const fine = await endpoint();
    const pillion = await running(
      configuration(credential("a", hanging.url) + credential("b", fine.url), ["a", "b"]),
      { env },
    );
    const agent: Agent = createKeptConnection();
    const p99 = async (): Promise<number> => {
      const times: number[] = [];
      for (let count = 0; count < 200; count += 1) {
        const startedAtMs = performance.now();
        expect((await send(`${pillion.origin}/b/x`, { agent })).status).toBe(200);
        times.push(performance.now() - startedAtMs);
      }
      return times.sort((a, b) => a - b)[196] ?? 0;
    };
    await p99();
    const quietMs = await p99();
    const stop = new AbortController();
    const stuck = Array.from({ length: 100 }, () =>
      send(`${pillion.origin}/a/x`, { signal: stop.signal }).catch(() => undefined),
    );
    await hanging.received(1);
    expect(Math.min(await p99(), await p99())).toBeLessThan(quietMs + 20);
    stop.abort();
    await Promise.all(stuck);
    agent.destroy();
  });
});
