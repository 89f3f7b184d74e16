import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectRaw, fieldValues, head } from "../support/raw-client.ts";
import { startRecorder } from "../support/recorder.ts";
import { granted } from "../support/token-endpoint.ts";
import { LANE_NAMES, type Lab, onLane, startLab } from "./lab.ts";
import { adminCanary, expectCold, expectDenied, expectOne, messagesSince } from "./verdicts.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(async () => await lab[Symbol.asyncDispose]());

/** [row and what, request line's beginning, status] */
const denied: readonly (readonly [string, string, number])[] = [
  ...[
    "/api/../admin",
    "/api/%2e%2e/admin",
    "/api/.%2E/admin",
    "/api/%2E./admin",
    "/api/..;/admin",
    "/api/..%2fadmin",
    "/api/..%5cadmin",
    "/api/..\\admin",
    "/api/./a",
    "/api/%2e/a",
    "/api/..",
    "/api/%c0%ae%c0%ae/admin",
    "/api/a%00",
    "/api/a%0d%0aX:%20y",
  ].map((target) => [`R01 ${target}`, `GET ${target}`, 400] as const),
  ["R04 //evil.example", "GET //evil.example/api/a", 400],
  ["R04 ///evil.example", "GET ///evil.example/api/a", 400],
  ["R04 /\\evil", "GET /\\evil", 400],
  ["R04 /\\evil behind the route", "GET /api/\\evil", 400],
  ["R05 a fragment", "GET /api/a#/../admin", 400],
  ["R05 a fragment in the query", "GET /api/a?x#y", 400],
  ["R06 absolute form", "GET http://evil.example/api/a", 400],
  ["R06 absolute form of this host", "GET http://localhost/api/a", 400],
  ["R06 absolute form of https", "GET https://evil.example/api/a", 400],
  ["R07 GET *", "GET *", 400],
  ["R07 OPTIONS *", "OPTIONS *", 400],
  ["R07 a target without a slash", "GET admin", 400],
  ["R07 a target that is a query", "GET ?x=/api/", 400],
];

describe.each(LANE_NAMES)("on a route of kind %s", (kind) => {
  const lane = () => lab.lane(kind);

  it.each(denied)("%s is denied", async (_what, line, status) => {
    await expectDenied(lab, lane(), head(line), status);
  });

  it.each(denied.filter(([what]) => what.startsWith("R06")))(
    "%s is denied as a handshake too",
    async (_what, line, status) => {
      const handshake = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
      await expectDenied(
        lab,
        lane(),
        head(line, ...handshake, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="),
        status,
      );
    },
  );

  it.each([
    "/api/%252e%252e/admin",
    "/api/%252f",
    "/api/pr_1%7Clo_2",
    "/api/pr_1|lo_2",
    "/api/a%20b",
    "/api/caf%C3%A9",
    "/api/%41",
    "/api/a;b=c",
    "/api/a//b",
    "/api/a.b/..c/...",
    "/api/a?x=/../&y=%2f%2e#".slice(0, -1),
    "/api/?/admin",
  ])("R03 %s goes on byte for byte", async (target) => {
    const { message } = await expectOne(lab, lane(), head(`GET ${target}`));
    expect(message.target).toBe(target.slice("/api".length));
  });

  it("R09 what stands in the query routes nothing", async () => {
    const { message } = await expectOne(lab, lane(), head("GET /api/?x=/none/"));
    expect(message.target).toBe("/?x=/none/".replaceAll("/api/", lane().prefix));
    for (const target of ["/admin?/api/", "/admin?x=/../api/a", "/?/api/a"])
      await expectDenied(lab, lane(), head(`GET ${target}`), 404, "ROUTE_NOT_FOUND");
  });

  it("R09 a prefix is whole segments, in their own case", async () => {
    const bare = lane().prefix.slice(0, -1);
    for (const target of [`${bare}x/a`, `${bare.toUpperCase()}/a`, `/x${bare}/a`])
      await expectDenied(lab, lane(), head(`GET ${target}`), 404);
  });

  it.each([302, 307, 308])(
    "R12 an upstream's %s to a third host is passed on, not followed",
    async (status) => {
      await using third = await startRecorder();
      const location = `${third.origin}elsewhere`;
      lane().recorder.respond(
        () => `HTTP/1.1 ${status} Elsewhere\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`,
      );
      const client = await connectRaw(lab.dataPort);
      client.send(onLane(`${head("POST /api/a", "Content-Length: 3")}abc`, lane()));
      const answer = await client.answer();
      client.socket.destroy();
      lane().recorder.respond(undefined);
      expect([answer.status, answer.field("location")]).toEqual([status, location]);
      expect(third.connections).toBe(0);
    },
  );
});

describe("a route that was never used", () => {
  it.each(denied)("%s: no dial and no token fetch", async (_what, line, status) => {
    await expectDenied(lab, lab.cold, head(line), status);
    expectCold(lab);
  });
});

describe("R07 CONNECT", () => {
  it.each(["evil.example:443", "127.0.0.1:80", "localhost"])(
    "R07 CONNECT %s is refused, and opens nothing",
    async (authority) => {
      const client = await connectRaw(lab.dataPort);
      client.send(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\nGET / HTTP/1.1\r\n\r\n`);
      expect([400, 405]).toContain((await client.answer()).status);
      await client.closed();
      expect(client.buffered()).toBe("");
      const lane = lab.lane("credential");
      expect(await messagesSince(lab, lane, lane.recorder.messages.length)).toEqual([]);
    },
  );
});

describe("R10 the tenant", () => {
  const names = ["t1,t2", "T1", "t1 ", "..", "__proto__", "constructor", "toString", "unknown", "t%31", "*"];

  it.each(names.map((name) => encodeURIComponent(name)).filter((name) => name !== ".."))(
    "R10 %s in the path is none",
    async (name) => {
      await expectDenied(lab, lab.lane("tenant by path"), head(`GET /t/${name}/a`), 404, "TENANT_UNKNOWN");
    },
  );

  it.each(["/t/../t2/a", "/t/%2e%2e/t2/a", "/t/..%2ft2/a"])("R10 %s is denied", async (target) => {
    await expectDenied(lab, lab.lane("tenant by path"), head(`GET ${target}`), 400, "TARGET_INVALID");
  });

  it.each<[string, number, string]>([
    ["/t//a", 400, "TENANT_REQUIRED"],
    ["/t/", 400, "TENANT_REQUIRED"],
    ["/t", 404, "ROUTE_NOT_FOUND"],
  ])("R10 %s names none, and none is assumed", async (target, status, code) => {
    await expectDenied(lab, lab.lane("tenant by path"), head(`GET ${target}`), status, code);
  });

  const byHeader = async (fields: readonly string[], status: number, code: string): Promise<void> => {
    const lane = lab.lane("tenant by header");
    const before = lane.recorder.messages.length;
    const client = await connectRaw(lab.dataPort);
    client.send(head("GET /by-header/a", ...fields));
    const answer = await client.answer();
    client.socket.destroy();
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([status, code]);
    expect(await messagesSince(lab, lane, before)).toEqual([]);
  };

  it.each([
    ["twice, the same", ["X-Tenant: t1", "X-Tenant: t1"]],
    ["twice, different", ["X-Tenant: t1", "x-tenant: t2"]],
    ["missing", []],
    ["empty", ["X-Tenant:"]],
    ["under another name", ["X_Tenant: t1", "X-Tenant-Id: t1"]],
  ])("R10 in the header %s: 400 TENANT_REQUIRED", async (_what, fields) => {
    await byHeader(fields, 400, "TENANT_REQUIRED");
  });

  it.each([
    "t1,t2",
    "t1, t1",
    "T1",
    "../t2",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "unknown",
    "t1;t2",
    "t\xe9",
  ])("R10 %s in the header: 404 TENANT_UNKNOWN", async (name) => {
    await byHeader([`X-Tenant: ${name}`], 404, "TENANT_UNKNOWN");
  });
});

describe("on the admin listener", () => {
  it.each(denied)("%s is denied", async (_what, line, status) => {
    const client = await connectRaw(lab.adminPort);
    client.send(head(line.replaceAll("/api/", "/livez/")));
    expect((await client.answer()).status).toBe(status);
    client.socket.destroy();
    await adminCanary(lab);
  });

  it("R07 CONNECT is refused", async () => {
    const client = await connectRaw(lab.adminPort);
    client.send("CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n");
    expect((await client.answer()).status).toBe(405);
    await client.closed();
  });
});

describe("R12 a token endpoint that redirects", () => {
  it.each([302, 307, 308])(
    "R12 with %s to a third host: the fetch fails, and no secret goes there",
    async (status) => {
      await using third = await startRecorder();
      lab.tokenEndpoint.answer(
        { status, headers: { location: `${third.origin}oauth/token` }, body: "" },
        granted({ access_token: "ours-cold" }),
      );
      const client = await connectRaw(lab.dataPort);
      client.send(head("GET /cold/a"));
      const answer = await client.answer();
      client.socket.destroy();
      // A known outage is answered without a further fetch: either way it is this one answer.
      expect(answer.status).toBe(503);
      expect(JSON.parse(answer.body)).toMatchObject({ code: "TOKEN_UNAVAILABLE" });
      expect(third.connections).toBe(0);
      expect(
        lab.cold.recorder.messages.filter(
          ({ headers }) => fieldValues(headers, "authorization").length !== 1,
        ),
      ).toEqual([]);
    },
  );
});
