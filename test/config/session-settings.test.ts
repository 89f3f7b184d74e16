import { describe, expect, it } from "vitest";
import { configOf, faultsOf } from "./config-fixture.ts";

const DAY_MS = 86_400_000;
const session = (text: string): string => `session: { ${text} }`;
const DURATION = "expected a duration such as 30m, 12h or 15d, not";
const INSECURE =
  "plain http: is accepted for loopback addresses only; use https:, or write allow_insecure_http: true beside it";

describe("session", () => {
  it("the defaults are the contract's: 15 days idle, 30 days at most", () => {
    expect(configOf("routes: []").session).toEqual({
      publicUrl: undefined,
      idleMs: 15 * DAY_MS,
      absoluteMs: 30 * DAY_MS,
      limit: 100_000,
    });
  });

  it("takes what is given, in any unit", () => {
    expect(configOf(session("idle: 36h, absolute: 400d, limit: 5")).session).toMatchObject({
      idleMs: 1.5 * DAY_MS,
      absoluteMs: 400 * DAY_MS,
      limit: 5,
    });
  });

  it("idle is not longer than absolute by default either", () => {
    expect(configOf(session("absolute: 1h")).session).toMatchObject({
      idleMs: 3_600_000,
      absoluteMs: 3_600_000,
    });
  });

  it.each([
    ["https://app.example.com", "https://app.example.com"],
    ["https://app.example.com:8443/", "https://app.example.com:8443"],
    ["http://localhost:8080", "http://localhost:8080"],
    ["http://app.localhost", "http://app.localhost"],
    ["http://127.0.0.1:1", "http://127.0.0.1:1"],
    ["HTTPS://App.Example", "https://app.example"],
  ])("public_url %s is the origin %s", (text, origin) => {
    const { publicUrl } = configOf(session(`public_url: "${text}"`)).session;
    expect(publicUrl?.href).toBe(`${origin}/`);
  });

  it("public_url may be plain http: beyond loopback names where that is written out", () => {
    const { publicUrl } = configOf(
      session("public_url: http://app.example, allow_insecure_http: true"),
    ).session;
    expect(publicUrl?.origin).toBe("http://app.example");
  });

  it.each([
    ["public_url: http://app.example", `1:24 session.public_url: ${INSECURE}`],
    ["public_url: http://localhost.example", `1:24 session.public_url: ${INSECURE}`],
    [
      "public_url: https://a.example/app",
      '1:24 session.public_url: must not have a path, not "https://a.example/app"',
    ],
    ["public_url: https://a.example/?x", "1:24 session.public_url: must not have a query (?…)"],
    ["public_url: https://u@a.example", "1:24 session.public_url: must not hold a user name or password"],
    [
      "public_url: localhost:8080",
      '1:24 session.public_url: expected a URL that begins with https:// or http://, not "localhost:8080"; begin with https://',
    ],
    ["idle: 31d", "1:18 session.idle: must not be longer than session.absolute, which ends every session"],
    [
      "idle: 2h, absolute: 1h",
      "1:18 session.idle: must not be longer than session.absolute, which ends every session",
    ],
    ["idle: 15", `1:18 session.idle: ${DURATION} 15; a bare number has no unit, write 15s`],
    ["absolute: 1w", `1:22 session.absolute: ${DURATION} "1w"`],
    ["absolute: 401d", '1:22 session.absolute: must not be longer than 400 days, not "401d"'],
    ["absolute: 0s", '1:22 session.absolute: must be at least 1ms, not "0s"'],
    ["limit: 0", "1:19 session.limit: must be at least 1, not 0"],
    ["publicUrl: https://a", '1:12 session.publicUrl: unknown key (did you mean "public_url"?)'],
  ])("{ %s } is refused", (text, fault) => {
    expect(faultsOf(session(text))).toEqual([fault]);
  });
});

describe("session.public_url is needed for logins where browsers are on another machine", () => {
  const USER = "credentials: { u: { provider: zocdoc, grant: user, environment: sandbox, client_id: x } }";
  const MISSING =
    "session.public_url: is missing: credential u signs users in, and listen is no loopback address; say where browsers reach it, such as https://appointments.example.com";
  const open = "access: { open: true }";

  it.each([
    [`${USER}\nlisten: 0.0.0.0:80\n${open}`, `1:1 ${MISSING}`],
    [`${USER}\nlisten: 10.0.0.1:80\n${open}\nsession: { idle: 1h }`, `4:1 ${MISSING}`],
    [`${USER}\nlisten: unix:/run/p.sock`, `1:1 ${MISSING}`],
  ])("%j", (text, fault) => {
    expect(faultsOf(text)).toEqual([fault]);
  });

  it.each([
    [`${USER}\nlisten: 127.0.0.1:0`],
    [`${USER}\nlisten: "[::1]:80"`],
    [`${USER}\nlisten: localhost:80`],
    [`${USER}\nlisten: unix:/run/p.sock\nsession: { public_url: "https://a.example" }`],
    [`listen: unix:/run/p.sock`],
  ])("%j is fine", (text) => {
    expect(faultsOf(text)).toEqual([]);
  });

  it("PILLION_LISTEN counts in place of listen", () => {
    expect(faultsOf(`${USER}\n${open}`, { env: { PILLION_LISTEN: "0.0.0.0:80" } })).toEqual([
      `1:1 ${MISSING}`,
    ]);
  });
});
