import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/proxy-harness.ts";
import { connectRaw, fieldValues, head } from "../support/raw-client.ts";
import { LANE_NAMES, type Lab, onLane, startLab } from "./lab.ts";
import { get, post, rejected } from "./smuggling-cases.ts";
import { expectOne, expectRejected, expectRejectedByAdmin, messagesSince } from "./verdicts.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(async () => await lab[Symbol.asyncDispose]());

const SMUGGLED = "GET /evil HTTP/1.1\r\nHost: x\r\nX: y\r\n";
const HIDDEN = "GET /admin/secret HTTP/1.1\r\nHost: x\r\n\r\n";
const T = "Transfer-Encoding: chunked";

describe.each(LANE_NAMES)("on a route of kind %s", (kind) => {
  const lane = () => lab.lane(kind);

  it.each(rejected)("$name: is rejected", async ({ bytes, statuses }) => {
    await expectRejected(lab, lane(), bytes, statuses);
  });

  it.each(["GET", "HEAD", "OPTIONS"])("S09 a length on %s: the body stays a body", async (method) => {
    const before = lane().recorder.messages.length;
    const client = await connectRaw(lab.dataPort);
    client.send(
      onLane(head(`${method} /api/a`, `Content-Length: ${SMUGGLED.length}`, "Connection: close"), lane()) +
        SMUGGLED,
    );
    await client.closed();
    expect(client.buffered()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(await messagesSince(lab, lane(), before)).toMatchObject([
      { method, target: "/a", framing: "length", body: SMUGGLED, complete: true },
    ]);
  });

  it.each(["DELETE", "OPTIONS", "GET"])("S10 chunks on %s: the body stays a body", async (method) => {
    const body = `${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`;
    const { message } = await expectOne(lab, lane(), head(`${method} /api/a`, T) + body);
    expect(message).toMatchObject({ method, target: "/a", framing: "chunked", body: HIDDEN });
  });

  it("S14 100-continue, and the upstream answers 200 before the body: one final status, nothing owed", async () => {
    const { recorder } = lane();
    recorder.onHead(() => "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nearly");
    recorder.respond(() => undefined);
    const client = await connectRaw(lab.dataPort);
    client.send(onLane(post(["Expect: 100-continue", "Content-Length: 70000"]), lane()));
    const first = await client.answer();
    // The proxy asks for the body itself; what matters is that the upstream answers in the middle of it.
    if (first.status === 100) client.send("abc");
    const final = first.status === 100 ? await client.answer() : first;
    expect(final).toMatchObject({ status: 200, body: "early" });
    client.socket.destroy();
    recorder.onHead(undefined);
    recorder.respond(undefined);
    const owing = recorder.messages.at(-1);
    expect(owing).toMatchObject({ complete: false });
    const before = recorder.messages.length;
    await messagesSince(lab, lane(), before);
    // A stream of HTTP/2 that is given up leaves its connection to the others.
    if (kind === "over HTTP/2") expect(recorder.messages.at(-1)?.connection).toBe(owing?.connection);
    else expect(recorder.messages.at(-1)?.connection).not.toBe(owing?.connection);
  });

  it("S14 100-continue, and the upstream answers 417: one final status", async () => {
    const { recorder } = lane();
    recorder.respond(() => "HTTP/1.1 417 Expectation Failed\r\ncontent-length: 2\r\n\r\nno");
    const client = await connectRaw(lab.dataPort);
    client.send(onLane(post(["Expect: 100-continue", "Content-Length: 3", "Connection: close"]), lane()));
    const first = await client.answer();
    if (first.status === 100) client.send("abc");
    expect(await (first.status === 100 ? client.answer() : first)).toMatchObject({ status: 417, body: "no" });
    await client.closed();
    expect(client.buffered()).toBe("");
    recorder.respond(undefined);
    await messagesSince(lab, lane(), recorder.messages.length);
  });

  it("S14 100-continue behind an answer that is not whole yet comes in its turn", async () => {
    const { recorder } = lane();
    let finish: (() => void) | undefined;
    recorder.respond((message) => {
      if (message.target !== "/slow") return "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnext";
      return new Promise((resolve) => {
        finish = () => resolve("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nslow");
      });
    });
    const client = await connectRaw(lab.dataPort);
    const next = `${post(["Expect: 100-continue", "Content-Length: 3"])}abc`;
    client.send(onLane(`${head("GET /api/slow")}${next}${get()}`, lane()));
    await eventually(() => finish !== undefined);
    finish?.();
    expect((await client.answer()).body).toBe("slow");
    expect((await client.answer()).status).toBe(100);
    for (let count = 0; count < 2; count++) expect((await client.answer()).body).toBe("next");
    expect(client.buffered()).toBe("");
    client.socket.destroy();
    recorder.respond(undefined);
  });

  it("S20 trailers that steer, frame or identify are dropped", async () => {
    const names = [
      "Authorization",
      ...lane().injected.map(([name]) => name),
      "X-ACCOUNT",
      "X-TENANT-ID",
      "Pillion-Access",
      "X-Forwarded-For",
    ];
    const evil = [...names, "Cookie", "Host", "Connection", "X_Tenant"]
      .map((name) => `${name}: evil\r\n`)
      .join("");
    const { message } = await expectOne(lab, lane(), `${post([T])}3\r\nabc\r\n0\r\n${evil}\r\n`);
    expect(message).toMatchObject({ body: "abc", framing: "chunked" });
    expect(message.trailers.join("\n")).not.toContain("evil");
  });

  it("S24 h2c: nothing of it goes on, and there is no tunnel", async () => {
    const { message } = await expectOne(
      lab,
      lane(),
      get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"),
    );
    for (const name of ["upgrade", "http2-settings"]) expect(fieldValues(message.headers, name)).toEqual([]);
  });

  it("S27 a request that asks for h2c is the last on its connection: nothing behind it is half read", async () => {
    const before = lane().recorder.messages.length;
    const client = await connectRaw(lab.dataPort);
    const fields = [
      "Connection: Upgrade, HTTP2-Settings",
      "Upgrade: h2c",
      "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
    ];
    const body = get();
    client.send(onLane(get(...fields) + post([`Content-Length: ${body.length}`]), lane()));
    client.send(onLane(body, lane()));
    expect((await client.answer()).field("connection")).toBe("close");
    await client.closed();
    expect(client.buffered()).toBe("");
    client.socket.destroy();
    expect(await messagesSince(lab, lane(), before)).toHaveLength(1);
  });

  it.each([
    ["HEAD with a broken chunk", `${head("HEAD /api/../a", T)}zz\r\n`, 400],
    ["TRACE that is cut short", head("TRACE /api/a", "Content-Length: 7"), 405],
    [
      "POST that is cut short under a foreign Host",
      head("POST /api/a", "Host: evil.example", "Content-Length: 7"),
      403,
    ],
  ])("S27 %s is answered once", async (_what, bytes, status) => {
    const before = lane().recorder.messages.length;
    const client = await connectRaw(lab.dataPort);
    client.send(onLane(bytes, lane()));
    client.socket.end();
    await client.closed();
    expect(client.buffered().match(/HTTP\/1\.1 \d{3} /g)).toEqual([`HTTP/1.1 ${status} `]);
    expect(await messagesSince(lab, lane(), before)).toEqual([]);
  });

  it("S27 a broken body behind a head that asks for an upgrade is answered when its sender ends", async () => {
    const client = await connectRaw(lab.dataPort);
    client.send(onLane(head("GET /api/a", T, "Connection: Upgrade", "Upgrade: h2c"), lane()));
    client.socket.end("zz\r\n");
    expect((await client.answer()).status).toBe(400);
    await client.closed();
  });

  it("S27 pipelined, a good request in front of a bad one gets its whole answer", async () => {
    const before = lane().recorder.messages.length;
    const client = await connectRaw(lab.dataPort);
    client.send(
      onLane(`${get()}${post(["Content-Length: 6", T], "0\r\n\r\nG")}${head("GET /api/evil")}`, lane()),
    );
    expect(await client.answer()).toMatchObject({ status: 200, body: "ok" });
    expect((await client.answer()).status).toBe(400);
    await client.closed();
    expect(client.buffered()).toBe("");
    expect((await messagesSince(lab, lane(), before)).map(({ target }) => target)).toEqual(["/a"]);
  });
});

describe("on one route", () => {
  const lane = () => lab.lane("credential");

  it.each(rejected.filter(({ long }) => long !== true))(
    "S27 byte by byte, $name: is rejected",
    async ({ bytes, statuses }) => {
      await expectRejected(lab, lane(), bytes, statuses, "byte by byte");
    },
  );

  it.each([
    ["S09", `${head("GET /api/a", `Content-Length: ${SMUGGLED.length}`)}${SMUGGLED}`, SMUGGLED],
    ["S10", `${head("DELETE /api/a", T)}${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`, HIDDEN],
    ["S20", post([T], "3\r\nabc\r\n0\r\nAuthorization: Bearer evil\r\n\r\n"), "abc"],
  ])("S27 byte by byte, %s: is one message", async (_row, bytes, body) => {
    const { message } = await expectOne(lab, lane(), bytes, "byte by byte");
    expect(message.body).toBe(body);
  });

  it.each(rejected.filter(({ long }) => long !== true))(
    "S27 behind a good request, $name: the good one's answer is whole",
    async ({ bytes, statuses }) => {
      const before = lane().recorder.messages.length;
      const client = await connectRaw(lab.dataPort);
      client.send(onLane(get() + bytes, lane()));
      expect(await client.answer()).toMatchObject({ status: 200, body: "ok" });
      expect(statuses).toContain((await client.answer()).status);
      await client.closed();
      const seen = await messagesSince(lab, lane(), before);
      expect(seen.filter(({ complete }) => complete).map(({ target }) => target)).toEqual(["/a"]);
    },
  );
});

describe("S19 in a process of its own", () => {
  it("S19 extensions cost no memory: resident set +<16 MiB", async () => {
    await using fresh = await startLab();
    const lane = fresh.lane("credential");
    const status = `/proc/${fresh.pillion.child.pid}/status`;
    const residentKiB = (): number => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(status, "utf8"))?.[1]);
    const round = async (): Promise<void> => {
      for (const { name, bytes, statuses } of rejected)
        if (name.startsWith("S19")) await expectRejected(fresh, lane, bytes, statuses);
    };
    // What the engine takes for compiling this path, once, is not what the attack costs.
    for (let count = 0; count < 3; count++) await round();
    const before = residentKiB();
    for (let count = 0; count < 5; count++) await round();
    expect(residentKiB() - before).toBeLessThan(16 * 1_024);
  });
});

describe("on the admin listener", () => {
  it.each(rejected)("$name: is rejected", async ({ bytes, statuses, inBody }) => {
    await expectRejectedByAdmin(lab, bytes, inBody === true ? [...statuses, 405] : statuses);
  });
});

describe("S26 an upstream's answer", () => {
  const OK = "HTTP/1.1 200 OK\r\n";
  const EVIL = `${OK}Content-Length: 4\r\n\r\nEVIL`;

  it.each([
    ["both framings", `${OK}Content-Length: 3\r\n${T}\r\n\r\n3\r\nabc\r\n0\r\n\r\n`],
    ["two lengths", `${OK}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`],
    ["bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 3\n\nabc"],
  ])("S26 with %s is 502 or exactly its body", async (_what, bytes) => {
    for (const kind of LANE_NAMES) {
      const lane = lab.lane(kind);
      lane.recorder.respond((_message, socket) => {
        socket.end(bytes, "latin1");
        return undefined;
      });
      const client = await connectRaw(lab.dataPort);
      client.send(onLane(get(), lane));
      const answer = await client.answer();
      client.socket.destroy();
      if (answer.status === 200) expect(answer.body).toBe("abc");
      else expect(JSON.parse(answer.body)).toMatchObject({ status: 502, code: "UPSTREAM_PROTOCOL_ERROR" });
      lane.recorder.respond(undefined);
      await messagesSince(lab, lane, lane.recorder.messages.length);
    }
  });

  it("S26 with a second one behind it in the same segment: that one is never served", async () => {
    const lane = lab.lane("credential");
    lane.recorder.respond(() => `${OK}Content-Length: 2\r\n\r\nok${EVIL}`);
    for (let round = 0; round < 50; round++) {
      const client = await connectRaw(lab.dataPort);
      client.send(onLane(get() + get(), lane));
      for (const answer of [await client.answer(), await client.answer()]) expect(answer.body).toBe("ok");
      client.socket.destroy();
    }
    lane.recorder.respond(undefined);
  });

  it("S26 with a second one 0–20 ms late: it reaches no other tenant", async () => {
    const lane = lab.lane("tenant by path");
    const late: NodeJS.Timeout[] = [];
    lane.recorder.respond(({ headers }, socket) => {
      if (fieldValues(headers, "authorization")[0] === "Bearer ours-t1")
        late.push(setTimeout(() => socket.write(EVIL), late.length % 21));
      return `${OK}Content-Length: 2\r\n\r\nok`;
    });
    const other = { ...lane, prefix: "/t/t2/", injected: [["authorization", "Bearer ours-t2"]] as const };
    for (let round = 0; round < 42; round++) {
      for (const each of [lane, other]) {
        const client = await connectRaw(lab.dataPort);
        client.send(onLane(get(), each));
        const answer = await client.answer();
        if (each === other) expect(answer.body).toBe("ok");
        client.socket.destroy();
      }
    }
    for (const timer of late) clearTimeout(timer);
    lane.recorder.respond(undefined);
    const ofOther = lane.recorder.messages.filter(
      ({ headers }) => fieldValues(headers, "authorization")[0] === "Bearer ours-t2",
    );
    const ofFirst = new Set(
      lane.recorder.messages.filter((each) => !ofOther.includes(each)).map((each) => each.connection),
    );
    expect(ofOther.length).toBe(42);
    expect(ofOther.filter(({ connection }) => ofFirst.has(connection))).toEqual([]);
  });
});
