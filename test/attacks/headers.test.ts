import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectRaw, fieldValues, head } from "../support/raw-client.ts";
import { LANE_NAMES, type Lab, onLane, startLab } from "./lab.ts";
import { expectOne, expectRejected, messagesSince } from "./verdicts.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(async () => await lab[Symbol.asyncDispose]());

const get = (...fields: readonly string[]): string => head("GET /api/a", ...fields);

describe.each(LANE_NAMES)("on a route of kind %s", (kind) => {
  const lane = () => lab.lane(kind);
  /** The fields that reach the upstream; what is injected is checked by `expectOne`. */
  const outbound = async (...fields: readonly string[]): Promise<readonly string[]> =>
    (await expectOne(lab, lane(), get(...fields))).message.headers;

  it.each([
    "keep-alive, authorization",
    "authorization",
    "Authorization, x-api-key, host, via",
    "close, AUTHORIZATION",
    "x-tenant, x-request-id",
  ])(
    "H01 Connection: %s takes nothing away from what is injected, and is absent on the wire",
    async (options) => {
      const headers = await outbound(`Connection: ${options}`, "Authorization: Bearer evil");
      expect(fieldValues(headers, "connection").join()).not.toMatch(/auth|api|host|via|x-/i);
    },
  );

  it.each([
    ["an empty Connection before", ["Connection:", "Connection: x-foo"]],
    ["an empty Connection behind", ["Connection: x-foo", "Connection:"]],
    ["another case", ["Connection: keep-alive,X-FOO"]],
    ["commas and blanks", ["Connection: ,, \t x-foo ,"]],
  ])("H03 a field that Connection names is dropped: %s", async (_what, connection) => {
    const headers = await outbound(...connection, "X-Foo: 1", "X-Bar: 2");
    expect(fieldValues(headers, "x-foo")).toEqual([]);
    expect(fieldValues(headers, "x-bar")).toEqual(["2"]);
  });

  it.each([
    ["once", ["Authorization: Bearer evil"]],
    ["twice", ["Authorization: Bearer evil", "Authorization: Basic evil"]],
    ["in odd cases", ["aUTHORIZATION: Bearer evil", "AUTHORIZATION: evil", "authorization:evil"]],
    ["empty", ["Authorization:"]],
    ["with the injected name of another route", ["X-API-Key: evil", "x-api-key: evil", "X-ACCOUNT: evil"]],
  ])("H04 a caller's Authorization never goes on: %s", async (_what, fields) => {
    const headers = await outbound(...fields);
    if (kind === "static") expect(headers.join("\n")).not.toContain("evil");
    else expect(fieldValues(headers, "authorization").join()).not.toContain("evil");
  });

  it.each([
    "X_Tenant_Id",
    "X_Forwarded_For",
    "Authorization_",
    "_authorization",
    "X_API_KEY",
    "X_Account",
    "Pillion_Access",
  ])("H05 %s, which a CGI-like environment takes for another, is dropped", async (name) => {
    expect((await outbound(`${name}: evil`)).join("\n")).not.toContain("evil");
  });

  it.each([
    "Keep-Alive: timeout=5",
    "TE: gzip",
    "Proxy-Authorization: Basic eDp5",
    "Proxy-Authenticate: Basic",
    "Proxy-Connection: keep-alive",
    "Trailer: X-Sum",
    "Upgrade: websocket",
  ])("H06 the hop-by-hop field %s is stripped", async (field) => {
    const [name = ""] = field.toLowerCase().split(":");
    expect(fieldValues(await outbound(field), name)).toEqual([]);
  });

  it.each([
    "X-Forwarded-For: 6.6.6.6",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Proto: evil",
    "X-Forwarded-Prefix: /evil",
    "X-Forwarded-Uri: /evil",
    "X-Forwarded-User: evil",
    "Forwarded: for=6.6.6.6;host=evil.example",
    "X-Original-URL: /evil",
    "X-Rewrite-URL: /evil",
    "X-Real-IP: 6.6.6.6",
    "X-HTTP-Method-Override: DELETE",
    "X-TENANT-ID: evil",
    "X-ACCOUNT: evil",
    "Pillion-Session: evil",
    "Pillion-Tenant: evil",
  ])("H07 a caller's %s is of no account", async (field) => {
    const { message } = await expectOne(lab, lane(), get(field));
    expect(message.target).toBe("/a");
    expect(message.method).toBe("GET");
    const [name = ""] = field.toLowerCase().split(":");
    expect(fieldValues(message.headers, name)).toEqual([]);
  });

  it.each([
    ["between others", ["Cookie: a=1; pillion=secret; b=2"], ["a=1; b=2"]],
    ["alone", ["Cookie: pillion=secret"], []],
    ["of https", ["Cookie: __Host-pillion=secret; a=1"], ["a=1"]],
    ["in odd case and with blanks", ["Cookie: a=1;  PILLION =secret ;b=2"], ["a=1;b=2"]],
    ["in a field of its own", ["Cookie: a=1", "Cookie: pillion=secret"], ["a=1"]],
    ["twice", ["Cookie: pillion=secret; a=1; pillion=secret"], ["a=1"]],
    ["but not others that look like it", ["Cookie: pillion2=x; my-pillion=y"], ["pillion2=x; my-pillion=y"]],
  ])("H08 the session's cookie stays here: %s", async (_what, fields, expected) => {
    const headers = await outbound(...fields);
    expect(headers.join("\n")).not.toContain("secret");
    expect(fieldValues(headers, "cookie")).toEqual(expected);
  });

  it("H08 an upstream cannot set the session's cookie", async () => {
    lane().recorder.respond(
      () =>
        "HTTP/1.1 200 OK\r\nSet-Cookie: pillion=evil; Path=/\r\nset-cookie: __Host-Pillion =evil\r\nSet-Cookie: a=pillion\r\nContent-Length: 2\r\n\r\nok",
    );
    const { answer } = await expectOne(lab, lane(), get());
    lane().recorder.respond(undefined);
    expect(fieldValues(answer.headers, "set-cookie")).toEqual(["a=pillion"]);
  });

  it.each(["__proto__", "constructor", "prototype", "toString", "hasOwnProperty"])(
    "H10 a field named %s does no harm",
    async (name) => {
      const headers = await outbound(`${name}: x`, `Cookie: ${name}=x`);
      expect(fieldValues(headers, name.toLowerCase())).toEqual(name.includes("_") ? [] : ["x"]);
    },
  );

  it("H12 Content-Length in two spellings is rejected", async () => {
    const bytes = `${head("POST /api/a", "content-length: 3", "Content-Length: 3")}abc`;
    await expectRejected(lab, lane(), bytes, [400]);
  });

  it("H12 an answer with 2 000 content codings passes opaque, or is refused", async () => {
    const codings = Array.from({ length: 2_000 }, () => "gzip").join(", ");
    lane().recorder.respond(
      () => `HTTP/1.1 200 OK\r\nContent-Encoding: ${codings}\r\nContent-Length: 2\r\n\r\nok`,
    );
    const { answer } = await expectOne(lab, lane(), get("Accept-Encoding: gzip"));
    lane().recorder.respond(undefined);
    expect(answer.field("content-encoding")).toBe(codings);
    expect(answer.body).toBe("ok");
  });

  it("H12 a compressed answer passes byte for byte", async () => {
    const zipped = gzipSync("pillion".repeat(1_000)).toString("latin1");
    lane().recorder.respond(
      () => `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${zipped.length}\r\n\r\n${zipped}`,
    );
    const client = await connectRaw(lab.dataPort);
    client.send(onLane(get(), lane()));
    expect((await client.answer()).body).toBe(zipped);
    client.socket.destroy();
    lane().recorder.respond(undefined);
  });

  it.each([
    ["TRACE", head("TRACE /api/a", "Authorization: Bearer mine")],
    ["TRACE with Max-Forwards: 0", head("TRACE /api/a", "Max-Forwards: 0")],
  ])("H13 %s is 405 and echoes nothing", async (_what, bytes) => {
    const before = lane().recorder.messages.length;
    const client = await connectRaw(lab.dataPort);
    client.send(onLane(bytes, lane()));
    const answer = await client.answer();
    client.socket.destroy();
    expect(answer.status).toBe(405);
    expect(answer.field("allow")).toContain("GET");
    expect(answer.body).not.toMatch(/bearer|ours-/i);
    expect(await messagesSince(lab, lane(), before)).toEqual([]);
  });

  it("H13 Via is added behind an earlier one", async () => {
    const headers = await outbound("Via: 1.0 fred", "Max-Forwards: 0");
    expect(fieldValues(headers, "via").join(", ")).toBe("1.0 fred, 1.1 pillion");
  });
});

describe("on the admin listener", () => {
  it.each(["TRACE", "PUT", "DELETE", "PATCH", "OPTIONS"])(
    "H13 %s is 405 and echoes nothing",
    async (method) => {
      const client = await connectRaw(lab.adminPort);
      client.send(head(`${method} /status.json`, "Authorization: Bearer mine"));
      const answer = await client.answer();
      client.socket.destroy();
      expect(answer.status).toBe(405);
      expect(answer.body).not.toContain("mine");
    },
  );

  it("H10 fields with names of objects' members do no harm", async () => {
    const client = await connectRaw(lab.adminPort);
    client.send(head("GET /livez", "__proto__: x", "constructor: y"));
    expect((await client.answer()).status).toBe(200);
    client.socket.destroy();
  });
});
