import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { configOf } from "../config/config-fixture.ts";
import { createWorkspace } from "../e2e/support/workspace.ts";
import { runPillion, startPillion } from "../support/pillion-process.ts";
import { type Answer, connectRaw, fieldValues, head, roundTrip } from "../support/raw-client.ts";
import { LANE_NAMES, type Lab, onLane, startLab } from "./lab.ts";
import { expectCold, expectDenied, expectOne } from "./verdicts.ts";

const LISTED = "https://app.example";
const NAVIGATION = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"];
const HANDSHAKE = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
];

let lab: Lab;
let closed: Lab;
beforeAll(async () => {
  lab = await startLab(`access: { hosts: ["appointments.internal:8080"], origins: ["${LISTED}"] }`);
  closed = await startLab(`access: { token: { env: ACCESS }, origins: ["${LISTED}"] }`, {
    ACCESS: "plainly-fake",
  });
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
  await closed[Symbol.asyncDispose]();
});

/** `PORT` in a Host stands for the listener's. */
const get = (...fields: readonly string[]): string => head("GET /api/a", ...fields);
const withPort = (bytes: string, port: number): string => bytes.replaceAll("PORT", String(port));
const hostField = (lane: { readonly field?: string }, host: string): string[] => [
  `Host: ${host}`,
  // `onLane` adds it beside the usual Host.
  ...(lane.field === undefined || host === "localhost" ? [] : [lane.field]),
];

const grants = ({ headers }: Answer): string[] =>
  headers.filter((name, index) => index % 2 === 0 && /^access-control-/i.test(name));

/** Local addresses of the sockets on which a process listens, as /proc has them. */
function listeningAddresses(pid: number): string[] {
  const inodes = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
    } catch {
      return [];
    }
  });
  return ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/net/${table}`, "utf8")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter((columns) => columns[3] === "0A" && inodes.includes(columns[9] ?? ""))
      .map((columns) => columns[1] ?? ""),
  );
}

describe("L01 where it listens", () => {
  it("L01 data and admin are on loopback by default, and there is nothing else", () => {
    const { listen, admin } = configOf("routes: []");
    expect(listen).toEqual({ kind: "tcp", host: "127.0.0.1", port: 8_080 });
    expect(admin).toEqual({ kind: "tcp", host: "127.0.0.1", port: 9_090 });
    const addresses = listeningAddresses(lab.pillion.child.pid ?? 0);
    const hex = (port: number): string => `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
    expect(addresses.sort()).toEqual([hex(lab.dataPort), hex(lab.adminPort)].sort());
  });

  it.each(["0.0.0.0:0", '"[::]:0"', "10.1.2.3:0"])(
    "L01 listen: %s is refused without access.token",
    async (listen) => {
      using workspace = createWorkspace();
      const file = workspace.write("pillion.yaml", `listen: ${listen}\nadmin: 127.0.0.1:0\nroutes: []\n`);
      const { exitCode, stderr } = await runPillion(["run", "-c", file]);
      expect(exitCode).toBe(2);
      expect(stderr).toContain("access.token");
    },
  );

  it("L01 a Unix socket is its owner's alone, and checks the Host as well", async () => {
    using workspace = createWorkspace();
    const path = workspace.path("pillion.sock");
    const upstream = lab.lane("none").recorder.origin;
    const file = workspace.write(
      "pillion.yaml",
      `listen: "unix:${path}"\nadmin: 127.0.0.1:0\nroutes:\n  - { name: none, path: /api/, credential: none, upstream: "${upstream}" }\n`,
    );
    await using pillion = await startPillion(["run", "-c", file]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect((await roundTrip(path, get())).status).toBe(200);
    expect((await roundTrip(path, get("Host: evil.example"))).status).toBe(403);
    // Killed without ceremony it leaves its file behind; the next one takes the place.
    await pillion.stop();
    expect(statSync(path).isSocket()).toBe(true);
    await using next = await startPillion(["run", "-c", file]);
    expect((await roundTrip(path, get())).status).toBe(200);
    expect(next.child.exitCode).toBeNull();
  });
});

describe.each(LANE_NAMES)("on a route of kind %s", (kind) => {
  const lane = () => lab.lane(kind);

  it.each([
    "evil.example:PORT",
    "evil.example",
    "localhost.evil",
    "localhost.evil:PORT",
    "127.0.0.1.evil:PORT",
    "127.0.0.1.nip.io",
    "localhost:1",
    "10.0.0.1:PORT",
    "0.0.0.0:PORT",
    "[::]:PORT",
    "2130706433:PORT",
    "appointments.internal",
    "appointments.internal:9999",
  ])("L02 Host %s is denied", async (host) => {
    for (const extra of [[], HANDSHAKE]) {
      const bytes = withPort(get(...hostField(lane(), host), ...extra), lab.dataPort);
      await expectDenied(lab, lane(), bytes, 403, "HOST_NOT_ALLOWED");
    }
  });

  it.each([
    "localhost",
    "localhost:PORT",
    "LOCALHOST:PORT",
    "app.localhost:PORT",
    "127.0.0.1",
    "127.0.0.1:PORT",
    "127.8.8.8:PORT",
    "[::1]",
    "[::1]:PORT",
    "appointments.internal:8080",
  ])("L03 Host %s is served", async (host) => {
    await expectOne(lab, lane(), withPort(get(...hostField(lane(), host)), lab.dataPort));
  });

  it.each([
    ["evil", ["Origin: http://evil.example"]],
    ["null", ["Origin: null"]],
    ["empty", ["Origin:"]],
    ["its host by another scheme", ["Origin: https://localhost"]],
    ["its host at another port", ["Origin: http://localhost:3000"]],
    ["a name that begins like a listed one", [`Origin: ${LISTED}.evil`]],
    ["a cross-site fetch", ["Sec-Fetch-Site: cross-site"]],
    [
      "a cross-site image",
      ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"],
    ],
    ["a cross-site frame", [...NAVIGATION.slice(0, 2), "Sec-Fetch-Dest: iframe"]],
    ["a cross-site navigation with an Origin", [...NAVIGATION, "Origin: null"]],
  ])("L04 Origin %s is denied", async (_what, fields) => {
    const answer = await expectDenied(lab, lane(), get(...fields), 403, "ORIGIN_NOT_ALLOWED");
    expect(grants(answer)).toEqual([]);
  });

  it("L04 Origin twice is rejected", async () => {
    await expectDenied(lab, lane(), get(`Origin: ${LISTED}`, "Origin: http://evil.example"), 400);
  });

  it("L04 a cross-site POST is denied however it navigates", async () => {
    const bytes = `${head("POST /api/a", ...NAVIGATION, "Content-Length: 3")}abc`;
    await expectDenied(lab, lane(), bytes, 403, "ORIGIN_NOT_ALLOWED");
  });

  it("L04 a cross-site navigation is served where nothing is injected, and only there", async () => {
    if (kind === "none") await expectOne(lab, lane(), get(...NAVIGATION));
    else await expectDenied(lab, lane(), get(...NAVIGATION), 403, "ORIGIN_NOT_ALLOWED");
  });

  it("L04 its own origin is served", async () => {
    await expectOne(lab, lane(), get("Origin: http://localhost", "Sec-Fetch-Site: same-origin"));
  });

  it("L04 a listed origin gets CORS for itself; the upstream's own grants are removed", async () => {
    lane().recorder.respond(
      () =>
        "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\naccess-control-allow-credentials: true\r\nAccess-Control-Allow-Private-Network: true\r\nContent-Length: 2\r\n\r\nok",
    );
    const { answer } = await expectOne(lab, lane(), get(`Origin: ${LISTED}`, "Sec-Fetch-Site: cross-site"));
    const plain = await expectOne(lab, lane(), get());
    lane().recorder.respond(undefined);
    expect(fieldValues(answer.headers, "access-control-allow-origin")).toEqual([LISTED]);
    expect(fieldValues(answer.headers, "vary")).toEqual(["origin"]);
    for (const name of ["access-control-allow-credentials", "access-control-allow-private-network"])
      expect(fieldValues(answer.headers, name)).toEqual([]);
    expect(grants(plain.answer)).toEqual([]);
  });

  it.each([
    ["nothing", []],
    ["a wrong Pillion-Access", ["Pillion-Access: plainly-fakE"]],
    ["a part of it", ["Pillion-Access: plainly"]],
    ["an empty Pillion-Access", ["Pillion-Access:"]],
    ["a wrong bearer token", ["Authorization: Bearer plainly-fak"]],
    ["Basic", ["Authorization: Basic plainly-fake"]],
    ["two authorizations", ["Authorization: Bearer plainly-fake", "Authorization: Bearer plainly-fake"]],
    ["another name", ["Pillion_Access: plainly-fake", "X-Pillion-Access: plainly-fake"]],
    ["a query", ["Referer: http://localhost/?Pillion-Access=plainly-fake"]],
  ])("L06 without the access token 403: %s", async (_what, fields) => {
    const target = closed.lane(kind);
    for (const extra of [
      ["Content-Type: text/plain", "Content-Length: 3"],
      ["Content-Length: 3", ...HANDSHAKE],
    ]) {
      const before = target.recorder.messages.length;
      const bytes = onLane(`${head("POST /api/a", ...fields, ...extra)}abc`, target);
      const answer = await roundTrip(closed.dataPort, bytes);
      expect([answer.status, JSON.parse(answer.body).code]).toEqual([403, "ACCESS_TOKEN_REQUIRED"]);
      expect(target.recorder.messages.length).toBe(before);
    }
  });

  it.each([
    "Pillion-Access: plainly-fake",
    "Authorization: Bearer plainly-fake",
    "authorization: bEARER plainly-fake",
  ])("L06 with %s it is served, and the token goes no further", async (field) => {
    const target = closed.lane(kind);
    const answer = await roundTrip(closed.dataPort, onLane(get(field), target));
    expect(answer.status).toBe(200);
    expect(target.recorder.messages.at(-1)?.headers.join("\n")).not.toContain("plainly-fake");
  });

  it("L07 a preflight of a listed origin is answered here, without a grant for private networks", async () => {
    for (const each of [lab, closed]) {
      const target = each.lane(kind);
      const before = target.recorder.messages.length;
      const preflight = onLane(
        head(
          "OPTIONS /api/a",
          `Origin: ${LISTED}`,
          "Sec-Fetch-Site: cross-site",
          "Access-Control-Request-Method: PUT",
          "Access-Control-Request-Headers: pillion-access",
          "Access-Control-Request-Private-Network: true",
        ),
        target,
      );
      const answer = await roundTrip(each.dataPort, preflight);
      expect(answer.status).toBe(204);
      expect(fieldValues(answer.headers, "access-control-allow-origin")).toEqual([LISTED]);
      expect(fieldValues(answer.headers, "access-control-allow-headers")).toEqual(["pillion-access"]);
      expect(answer.headers.join("\n")).not.toMatch(/private-network|local-network|allow-credentials/i);
      for (const name of ["access-control-allow-origin", "access-control-allow-headers"])
        expect(fieldValues(answer.headers, name)).not.toContain("*");
      expect(target.recorder.messages.length).toBe(before);
    }
  });

  it.each(["http://evil.example", "null"])("L07 a preflight of %s is granted nothing", async (origin) => {
    const bytes = head(
      "OPTIONS /api/a",
      `Origin: ${origin}`,
      "Access-Control-Request-Method: GET",
      "Access-Control-Request-Private-Network: true",
    );
    const answer = await expectDenied(lab, lane(), bytes, 403, "ORIGIN_NOT_ALLOWED");
    expect(grants(answer)).toEqual([]);
  });

  it.each(["Origin: http://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"])(
    "L08 a WebSocket handshake with %s is refused",
    async (field) => {
      await expectDenied(lab, lane(), get(...HANDSHAKE, field), 403, "ORIGIN_NOT_ALLOWED");
    },
  );
});

describe("a route that was never used", () => {
  it("L04 sees no dial and no token fetch for what is denied", async () => {
    for (const fields of [["Origin: http://evil.example"], NAVIGATION, ["Host: evil.example"]])
      await expectDenied(lab, lab.cold, get(...fields), 403);
    expectCold(lab);
  });

  it("L04 a cross-site navigation that meets no route is denied too", async () => {
    const answer = await roundTrip(lab.dataPort, head("GET /nowhere", ...NAVIGATION));
    expect(answer.status).toBe(403);
  });
});

describe("on the admin listener", () => {
  const ask = (...fields: readonly string[]): Promise<Answer> =>
    roundTrip(lab.adminPort, withPort(head("GET /status.json", ...fields), lab.adminPort));

  it.each([
    "evil.example:PORT",
    "localhost.evil",
    "127.0.0.1.evil:PORT",
    "10.1.2.3.evil:PORT",
    "localhost:1",
  ])("L02 Host %s is denied", async (host) => {
    const answer = await ask(`Host: ${host}`);
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([403, "HOST_NOT_ALLOWED"]);
  });

  it.each([
    "localhost:PORT",
    "127.0.0.1",
    "[::1]:PORT",
    "10.1.2.3:PORT",
    "[fd00::7]:PORT",
    "appointments.internal:8080",
  ])("L03 Host %s is served: an address cannot be rebound", async (host) => {
    expect((await ask(`Host: ${host}`)).status).toBe(200);
  });

  it.each([
    ["Origin evil", ["Origin: http://evil.example"]],
    ["Origin null", ["Origin: null"]],
    ["a cross-site fetch", ["Sec-Fetch-Site: cross-site"]],
    ["a cross-site navigation", NAVIGATION],
    ["a handshake of another origin", ["Origin: http://evil.example", ...HANDSHAKE]],
  ])("L04 %s is denied", async (_what, fields) => {
    const answer = await ask(...fields);
    expect(answer.status).toBe(403);
    expect(grants(answer)).toEqual([]);
  });

  it.each([
    ["by GET", "GET", [], 405],
    ["by HEAD", "HEAD", [], 405],
    ["from another origin", "POST", ["Origin: http://evil.example"], 403],
    ["from no origin", "POST", ["Origin: null"], 403],
    ["by a cross-site form", "POST", ["Sec-Fetch-Site: cross-site", "Content-Type: text/plain"], 403],
    ["under another Host", "POST", ["Host: evil.example"], 403],
  ])("L10 nothing is reloaded or ended %s", async (_what, method, fields, status) => {
    for (const path of ["/-/reload", "/-/quit"]) {
      const client = await connectRaw(lab.adminPort);
      client.send(head(`${method} ${path}`, ...fields, "Connection: close"));
      await client.closed();
      expect(client.buffered()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      client.socket.destroy();
    }
    expect(lab.pillion.lines.filter(({ event }) => event === "config_reloaded")).toEqual([]);
    expect(lab.pillion.child.exitCode).toBeNull();
  });

  it("L10 a plain POST reloads", async () => {
    expect((await roundTrip(lab.adminPort, head("POST /-/reload"))).status).toBe(200);
  });
});
