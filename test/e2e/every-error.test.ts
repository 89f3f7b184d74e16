import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { anchorOf } from "../../docs/reference/errors-page.ts";
import { ERROR_TABLE, type ErrorCode } from "../../src/core/errors.ts";
import type { TokenSource } from "../../src/token/token-source.ts";
import { findCanaries } from "../support/canaries.ts";
import { aCredential, aRoute, startProxy } from "../support/proxy-harness.ts";
import { type Answer, connectRaw, head, roundTrip } from "../support/raw-client.ts";
import { type ScriptedTokenEndpoint, startTokenEndpoint } from "../support/token-endpoint.ts";
import { eventually } from "./support/eventually.ts";
import { type Serving, serve } from "./support/serve.ts";
import { startUpstream, type Upstream } from "./support/upstream.ts";
import { createWorkspace } from "./support/workspace.ts";

const SECRETS = {
  ACCESS: "canary-of-the-access-token",
  CLIENT_SECRET: "canary-of-a-client-secret",
  STORE_KEY: Buffer.alloc(32, 0xca).toString("base64"),
};
const ACCESS = `Pillion-Access: ${SECRETS.ACCESS}`;
const SESSION = "S".repeat(43);
/** Written by the caller, and so by nobody whom an answer should repeat. */
const FROM_THE_CALLER = "canary-of-the-caller";
const CONNECTIONS = 8;

interface Provoked {
  readonly target: string;
  /** Default GET. */
  readonly method?: string;
  /** Default: the proxy's own access token alone. */
  readonly fields?: readonly string[];
  /** What happened, where, and what to do. */
  readonly detail: RegExp;
  /** Fields of the answer that the contract promises with this code. */
  readonly promised?: Readonly<Record<string, RegExp>>;
  /** Further members of the problem. */
  readonly members?: Readonly<Record<string, unknown>>;
  /** For HEAD the same request is another matter. */
  readonly notForHead?: true;
  /** A person is told by a page, and programs by `Proxy-Status`. */
  readonly page?: true;
}

const RETRY_AFTER = { "retry-after": /^[1-9]\d*$/ };

/** Every code that a request alone provokes. */
const BY_REQUEST: Readonly<Partial<Record<ErrorCode, Provoked>>> = {
  ROUTE_NOT_FOUND: {
    target: `/nowhere/${FROM_THE_CALLER}`,
    detail: /^No route's path is a prefix .* `pillion explain`/,
  },
  METHOD_NOT_ALLOWED: {
    target: "/get/x",
    method: "DELETE",
    detail: /^Route get does not take DELETE.*\(methods\)/,
    promised: { allow: /^GET$/ },
  },
  OPERATION_DENIED: {
    target: `/open/secret/${FROM_THE_CALLER}`,
    detail: /^Route open denies .*\(deny\); change that in the configuration/,
  },
  TENANT_REQUIRED: { target: "/by-header/x", detail: /^The x-tenant field must name the tenant/ },
  TENANT_UNKNOWN: {
    target: `/by-path/${FROM_THE_CALLER}/x`,
    detail: /not configured for credential many\. Check its spelling/,
  },
  TARGET_INVALID: {
    target: `/open/../${FROM_THE_CALLER}`,
    detail: /^The path has a `\.` or `\.\.` segment; send the path/,
  },
  REQUEST_INVALID: {
    target: "/open/x",
    fields: [ACCESS, "Host: localhost", "Host: localhost"],
    detail: /Host/,
  },
  HEADERS_TOO_LARGE: {
    target: "/open/x",
    fields: [ACCESS, ...Array.from({ length: 60 }, (_, index) => `X-${index}: ${FROM_THE_CALLER}`)],
    detail: /^The request has \d+ header fields; limits\.headers allows 50/,
  },
  HOST_NOT_ALLOWED: {
    target: "/open/x",
    fields: [ACCESS, `Host: ${FROM_THE_CALLER}.example`],
    detail: /Use localhost, or list the value under access\.hosts/,
  },
  ORIGIN_NOT_ALLOWED: {
    target: "/open/x",
    fields: [ACCESS, `Origin: https://${FROM_THE_CALLER}.example`],
    detail: /^A web page of another origin .* access\.origins/,
  },
  ACCESS_TOKEN_REQUIRED: {
    target: "/open/x",
    fields: [`Pillion-Access: ${FROM_THE_CALLER}`],
    detail: /^Send the proxy's access token as `Pillion-Access: /,
  },
  EXPECTATION_FAILED: {
    target: "/open/x",
    fields: [ACCESS, `Expect: ${FROM_THE_CALLER}`],
    detail: /`100-continue`; leave the Expect field out/,
  },
  LOGIN_REQUIRED: {
    target: "/user/x",
    detail: /credential user.*: sign in first$/,
    promised: { "www-authenticate": /^Pillion-Session realm="pillion"$/ },
    members: {
      login_url: expect.stringMatching(
        /^http:\/\/localhost:\d+\/\.pillion\/login\/user\?return_to=%2Fuser%2Fx$/,
      ),
    },
  },
  LOGIN_FAILED: {
    target: `/.pillion/callback?state=${FROM_THE_CALLER}&code=${FROM_THE_CALLER}`,
    detail: /Go back to the application and sign in again/,
    notForHead: true,
    page: true,
  },
  STORE_UNAVAILABLE: {
    target: "/user/x",
    fields: [ACCESS, `Pillion-Session: ${SESSION}`],
    detail: /^the store of sessions cannot be reached.*: try again; nobody is signed out$/,
    promised: RETRY_AFTER,
  },
  TOKEN_UNAVAILABLE: {
    target: "/outage/x",
    detail: /^credential outage: the token endpoint 127\.0\.0\.1:\d+ answered 503; .*tried again by itself/,
    promised: { "retry-after": /^[78]$/ },
  },
  TOKEN_REJECTED: {
    target: "/rejected/x",
    detail: /^credential rejected: the token endpoint .* answered 401 invalid_client.*; check client_id/,
  },
  UPSTREAM_UNREACHABLE: {
    target: "/down/x",
    detail: /^The upstream 127\.0\.0\.1:\d+ could not be used: it refuses connections\. `pillion doctor`/,
  },
  UPSTREAM_PROTOCOL_ERROR: {
    target: "/babbling/x",
    detail: /^The upstream 127\.0\.0\.1:\d+ answered with .* Check its port and scheme/,
  },
  UPSTREAM_TIMEOUT: {
    target: "/silent/x",
    detail: /^The upstream .* did not answer in time \(timeouts\.headers\)\. Try again/,
  },
};
const cases = Object.entries(BY_REQUEST) as [ErrorCode, Provoked][];
/** Provoked by what has gone before, each in a test of its own. */
const BY_CIRCUMSTANCE: readonly ErrorCode[] = ["OVERLOADED", "SHUTTING_DOWN", "INTERNAL"];

const REQUEST_ID = "from-the-application-1";

/** What holds for every error that the proxy makes, problem or page. */
function expectOwnAnswer(answer: Answer, code: ErrorCode, { promised = {} }: Partial<Provoked> = {}): void {
  expect(answer.status).toBe(ERROR_TABLE[code].status);
  expect(answer.field("proxy-status")).toMatch(
    new RegExp(`^pillion; error=${ERROR_TABLE[code].proxyStatus}; details="${code}"$`),
  );
  expect(answer.field("cache-control")).toBe("no-store");
  for (const [name, value] of Object.entries(promised)) expect(answer.field(name), name).toMatch(value);
  const everything = `${answer.headers.join("\n")}\n${answer.body}`;
  expect(findCanaries(everything, { ...SECRETS, SESSION })).toEqual([]);
  expect(everything).not.toContain(FROM_THE_CALLER);
  expect(everything).not.toMatch(/\.ts:\d|\bat .*\(|node:/);
}

function expectProblem(answer: Answer, code: ErrorCode, provoked: Partial<Provoked> = {}): void {
  expectOwnAnswer(answer, code, provoked);
  expect(answer.field("content-type")).toBe("application/problem+json");
  expect(JSON.parse(answer.body)).toEqual({
    type: `urn:pillion:problem:${anchorOf(code)}`,
    title: ERROR_TABLE[code].title,
    status: ERROR_TABLE[code].status,
    detail: expect.stringMatching(provoked.detail ?? /\w/),
    code,
    request_id: answer.field("x-request-id"),
    ...provoked.members,
  });
}

describe("every error of the contract, over real sockets", () => {
  const disposables = new AsyncDisposableStack();
  let pillion: Serving;
  let port: number;

  async function listening(server: Server): Promise<number> {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    disposables.defer(() => void server.close());
    return (server.address() as AddressInfo).port;
  }

  beforeAll(async () => {
    const upstream: Upstream = disposables.use(await startUpstream());
    const outage: ScriptedTokenEndpoint = await startTokenEndpoint();
    const rejecting: ScriptedTokenEndpoint = await startTokenEndpoint();
    disposables.defer(async () => void (await Promise.all([outage.close(), rejecting.close()])));
    outage.answer({ status: 503, headers: { "retry-after": "7" }, body: "plain words of a token endpoint" });
    rejecting.answer({
      status: 401,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ error: "invalid_client", error_description: "plain words of a token endpoint" }),
    });
    const sockets = new Set<Socket>();
    const silent = await listening(createServer((socket) => void sockets.add(socket)));
    disposables.defer(() => sockets.forEach((socket) => void socket.destroy()));
    const babbling = await listening(createServer((socket) => void socket.end("220 canary ESMTP\r\n")));
    const closed = createServer();
    const down = await listening(closed);
    closed.close();
    const workspace = createWorkspace();
    for (const [name, value] of Object.entries(SECRETS)) workspace.write(`secrets/${name}`, value);
    const client = "client_id: my-client, client_secret: { file: secrets/CLIENT_SECRET }";
    pillion = await serve(
      `access: { token: { file: secrets/ACCESS } }
limits: { headers: 50, connections: ${CONNECTIONS} }
drain: { timeout: 10s }
store: { redis: { url: "redis://127.0.0.1:${down}" }, encryption_keys: [{ file: secrets/STORE_KEY }] }
credentials:
  outage: { provider: oauth2, token_url: "${outage.url.href}", ${client} }
  rejected: { provider: oauth2, token_url: "${rejecting.url.href}", ${client} }
  many: { provider: static, header: X-Key, tenants: { isb: { value: { file: secrets/CLIENT_SECRET } } } }
  user: { provider: oauth2, grant: user, authorize_url: "${upstream.origin}/authorize", token_url: "${outage.url.href}", client_id: my-client }
routes:
  - { name: open, path: /open/, credential: none, upstream: "${upstream.origin}/", deny: ["* /secret/*"], upgrade: true }
  - { name: get, path: /get/, credential: none, upstream: "${upstream.origin}/", methods: [GET] }
  - { name: by-path, path: "/by-path/{tenant}/", credential: many, upstream: "${upstream.origin}/" }
  - { name: by-header, path: /by-header/, credential: many, tenant: { header: X-Tenant }, upstream: "${upstream.origin}/" }
  - { name: user, path: /user/, credential: user, upstream: "${upstream.origin}/" }
  - { name: page, path: /page/, credential: user, login: redirect, upstream: "${upstream.origin}/" }
  - { name: outage, path: /outage/, credential: outage, upstream: "${upstream.origin}/" }
  - { name: rejected, path: /rejected/, credential: rejected, upstream: "${upstream.origin}/" }
  - { name: down, path: /down/, credential: none, upstream: "http://127.0.0.1:${down}/" }
  - { name: silent, path: /silent/, credential: none, upstream: "http://127.0.0.1:${silent}/", timeouts: { headers: 200ms } }
  - { name: babbling, path: /babbling/, credential: none, upstream: "http://127.0.0.1:${babbling}/" }
`,
      { workspace },
    );
    port = Number(new URL(pillion.origin).port);
  });
  afterAll(async () => {
    await pillion.stop();
    await disposables.disposeAsync();
  });

  function requestOf({ target, method = "GET", fields = [ACCESS] }: Provoked): string {
    return head(`${method} ${target}`, `X-Request-Id: ${REQUEST_ID}`, ...fields);
  }

  it("is in this file", () => {
    const provoked = [...cases.map(([code]) => code), ...BY_CIRCUMSTANCE];
    expect(provoked.toSorted()).toEqual(Object.keys(ERROR_TABLE).toSorted());
  });

  it.each(cases)("%s says what, where and what to do, and no secret", async (code, provoked) => {
    const answer = await roundTrip(port, requestOf(provoked));
    expect(answer.field("x-request-id")).toBe(REQUEST_ID);
    if (provoked.page !== true) {
      expectProblem(answer, code, provoked);
      return;
    }
    expectOwnAnswer(answer, code, provoked);
    expect(answer.field("content-type")).toBe("text/html; charset=utf-8");
    expect(answer.field("content-security-policy")).toContain("default-src 'none'");
    expect(answer.body).toMatch(provoked.detail);
    expect(answer.body).toContain(`${code}, request ${REQUEST_ID}`);
  });

  it.each(cases.filter(([, { notForHead }]) => notForHead !== true))(
    "%s has for HEAD the same head, and no body",
    async (code, provoked) => {
      const client = await connectRaw(port);
      client.send(
        requestOf({
          ...provoked,
          method: "HEAD",
          fields: [...(provoked.fields ?? [ACCESS]), "Connection: close"],
        }),
      );
      await client.closed();
      const [answered = "", ...rest] = client.buffered().split("\r\n\r\n");
      client.socket.destroy();
      expect(rest).toEqual([""]);
      expect(answered).toMatch(new RegExp(`^HTTP/1\\.1 ${ERROR_TABLE[code].status} `));
      expect(answered.toLowerCase()).toContain("\r\ncontent-type: application/problem+json\r\n");
      expect(answered).toContain(`; details="${code}"`);
    },
  );

  it("REQUEST_INVALID is a problem too where the bytes are no HTTP at all", async () => {
    const answer = await roundTrip(
      port,
      `GET /open/x HTTP/1.1\r\nHost: localhost\r\n${FROM_THE_CALLER}\r\n\r\n`,
    );
    expectProblem(answer, "REQUEST_INVALID", { detail: /is malformed\. Mend the client/ });
    expect(answer.field("connection")).toBe("close");
  });

  describe("to a browser that visits a page", () => {
    const visit = [ACCESS, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Accept: text/html"];

    it("LOGIN_REQUIRED is the way to the login where the route says so", async () => {
      const answer = await roundTrip(port, head("GET /page/x?y=1", ...visit));
      expect(answer.status).toBe(303);
      expect(answer.field("location")).toMatch(/\/\.pillion\/login\/user\?return_to=%2Fpage%2Fx%3Fy%3D1$/);
      expect(answer.field("proxy-status")).toBeUndefined();
    });

    it("STORE_UNAVAILABLE of a login is a page that says to wait", async () => {
      const answer = await roundTrip(port, head("GET /.pillion/login/user", ...visit));
      expectOwnAnswer(answer, "STORE_UNAVAILABLE", { promised: RETRY_AFTER });
      expect(answer.field("content-type")).toBe("text/html; charset=utf-8");
      expect(answer.body).toMatch(/Wait a moment, then <a href=/);
    });

    it("every other one is a problem all the same", async () => {
      expectProblem(await roundTrip(port, head("GET /nowhere", ...visit)), "ROUTE_NOT_FOUND");
      expectProblem(await roundTrip(port, head("GET /user/x", ...visit)), "LOGIN_REQUIRED", {
        members: { login_url: expect.any(String) },
      });
    });
  });

  it("INTERNAL names the log, and shows nothing of the reason", async () => {
    await using upstream = await startUpstream();
    const failing: TokenSource = {
      token: () => Promise.reject(new TypeError(`${FROM_THE_CALLER} at x (a.ts:1)`)),
      invalidate: () => Promise.resolve(undefined),
    };
    await using proxy = await startProxy({
      routes: [aRoute({ upstream: new URL(upstream.origin), credential: aCredential() })],
      source: () => failing,
    });
    expectProblem(await roundTrip(proxy.port, head("GET /api/x")), "INTERNAL", {
      detail: /its log has the reason/,
    });
  });

  it("OVERLOADED says which limit, and when to come again", async () => {
    const held = await Promise.all(Array.from({ length: CONNECTIONS }, () => connectRaw(port)));
    for (const { socket } of held) socket.setNoDelay();
    const refused = await eventually("it is full", async () => {
      const answer = await roundTrip(port, head("GET /open/x", ACCESS));
      return answer.status !== 200 && answer;
    });
    for (const { socket } of held) socket.destroy();
    expectProblem(refused, "OVERLOADED", { detail: /limits\.connections/, promised: RETRY_AFTER });
    await eventually(
      "there is room",
      async () => (await roundTrip(port, head("GET /open/x", ACCESS))).status === 200,
    );
  });

  it("SHUTTING_DOWN is for what would last longer than the process: upgrades", async () => {
    const kept = await connectRaw(port);
    kept.send(head("GET /open/x", ACCESS));
    expect((await kept.answer()).status).toBe(200);
    pillion.signal("SIGTERM");
    await eventually("nobody is let in any more", () =>
      connectRaw(port).then(
        (late) => {
          late.socket.destroy();
          return false;
        },
        () => true,
      ),
    );
    const handshake = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
    kept.send(head("GET /open/x", ACCESS, ...handshake, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="));
    expectProblem(await kept.answer(), "SHUTTING_DOWN", {
      detail: /takes no further upgrades/,
      promised: RETRY_AFTER,
    });
    kept.socket.destroy();
    expect(await pillion.exited()).toBe(0);
  });
});
