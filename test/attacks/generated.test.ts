import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { judge } from "../../bench/attacks/verdict.ts";
import { createCertificates } from "../support/certificates.ts";
import { encodeFields } from "../support/hpack.ts";
import { FLAG, FRAME, type Frame } from "../support/http2-frames.ts";
import { startHttp2Recorder } from "../support/http2-recorder.ts";
import { projectDirectory } from "../support/project.ts";
import type { RecordedMessage } from "../support/recorder.ts";
import { readStrictly } from "../support/strict-http.ts";
import { createHttp2Reader, type StrictStream } from "../support/strict-http2.ts";
import type { Lane } from "./lab.ts";

const lane = {
  name: "credential",
  prefix: "/api/",
  recorder: { origin: "http://127.0.0.1:1/" },
  injected: [["authorization", "Bearer ours"]],
} as unknown as Lane;

const GOOD = ["host", "127.0.0.1:1", "via", "1.1 pillion", "authorization", "Bearer ours"];
const message = (changes: Partial<RecordedMessage> = {}): RecordedMessage => ({
  method: "GET",
  target: "/a",
  headers: GOOD,
  framing: "none",
  body: "",
  trailers: [],
  complete: true,
  connection: 1,
  ...changes,
});

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const REFUSED = "HTTP/1.1 400 Bad\r\ncontent-length: 0\r\n\r\n";
const GET = "GET /api/a HTTP/1.1\r\nHost: localhost\r\n\r\n";
const BROKEN = "GET /api/a HTTP/1.1\r\nHost : localhost\r\n\r\n";

const verdict = (bytes: string, messages: readonly RecordedMessage[], received: string, rest = {}) =>
  judge(lane, { bytes, messages, received, faults: [], hung: false, ...rest }).kind;

describe("malformed requests from a seed", () => {
  it("are rejected, or reach the upstream as what they plainly are: 500 of them", async () => {
    const args = [join(projectDirectory, "bench/attacks.ts"), "--count", "500", "--seed", "1"];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    expect(stdout).toMatch(/^seed 1: 500 malformed .* 0 mismatches; 500 of 500 canaries served$/m);
  });
});

describe("their judge", () => {
  it("knows what is well", () => {
    expect(verdict(GET, [message()], OK)).toBe("forwarded");
    expect(verdict(BROKEN, [], REFUSED)).toBe("rejected");
    expect(verdict(GET + BROKEN, [message()], OK + REFUSED)).toBe("both");
    const joined = GOOD.map((text) => (text === "1.1 pillion" ? "1.0 fred, 1.1 pillion" : text));
    expect(verdict(GET, [message({ headers: joined })], OK)).toBe("forwarded");
  });

  it.each([
    ["a forwarded request that is malformed", BROKEN, [message()], OK],
    ["a message that nobody sent", GET, [message(), message({ target: "/evil" })], OK + OK],
    ["the same message twice", GET, [message(), message()], OK + OK],
    ["another body", GET, [message({ body: "abc" })], OK],
    ["no Authorization", GET, [message({ headers: GOOD.slice(0, 4) })], OK],
    ["two of them", GET, [message({ headers: [...GOOD, "Authorization", "Bearer evil"] })], OK],
    ["one that is not ours", GET, [message({ headers: [...GOOD.slice(0, 5), "Bearer evil"] })], OK],
    [
      "one that holds another",
      GET,
      [message({ headers: [...GOOD.slice(0, 5), "Bearer evil, Bearer ours"] })],
      OK,
    ],
    ["a hop-by-hop field", GET, [message({ headers: [...GOOD, "Keep-Alive", "x"] })], OK],
    ["a trailer that steers", GET, [message({ trailers: ["authorization", "x"] })], OK],
    ["two answers to one request", GET, [message()], OK + OK],
    [
      "an answer within an answer",
      GET,
      [message()],
      "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nok",
    ],
    ["silence", BROKEN, [], ""],
    ["a fault of the server", GET, [], "HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n"],
  ])("notices %s", (_what, bytes, messages, received) => {
    expect(verdict(bytes, messages, received)).toBe("mismatch");
  });

  it("notices stray bytes at the upstream, and a connection without end", () => {
    expect(verdict(GET, [message()], OK, { faults: ["x"] })).toBe("mismatch");
    expect(verdict(GET, [message()], OK, { hung: true })).toBe("mismatch");
  });
});

describe("the strict reader", () => {
  const post = (fields: string, body: string): string =>
    `POST /a HTTP/1.1\r\nHost: x\r\n${fields}\r\n\r\n${body}`;
  it.each([
    ["a length", post("Content-Length: 3", "abc"), "abc"],
    ["chunks", post("Transfer-Encoding: chunked", '3;a="b"\r\nabc\r\n0\r\nX: y\r\n\r\n'), "abc"],
    ["neither", GET, ""],
  ])("reads a request with %s, and stops where it ends", (_what, bytes, body) => {
    expect(readStrictly(`${bytes}rest`)).toMatchObject({
      kind: "request",
      request: { body, complete: true },
      length: bytes.length,
    });
  });

  it.each([
    ["both framings", post("Content-Length: 3\r\nTransfer-Encoding: chunked", "abc")],
    ["two lengths", post("Content-Length: 3\r\nContent-Length: 3", "abc")],
    ["another coding", post("Transfer-Encoding: gzip, chunked", "")],
    ["a bare line feed", "GET / HTTP/1.1\nHost: x\r\n\r\n"],
    ["a blank before a colon", BROKEN],
    ["no Host", "GET / HTTP/1.1\r\n\r\n"],
    ["two Hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"],
    ["a control byte", "GET / HTTP/1.1\r\nHost: x\r\nX: a\x01\r\n\r\n"],
    ["an empty line in front", `\r\n${GET}`],
    ["a chunk size with a sign", post("Transfer-Encoding: chunked", "+3\r\nabc\r\n0\r\n\r\n")],
    ["a chunk that is longer than it says", post("Transfer-Encoding: chunked", "2\r\nabc\r\n0\r\n\r\n")],
  ])("refuses %s", (_what, bytes) => {
    expect(readStrictly(bytes).kind).toBe("fault");
  });

  it("tells what is not whole yet from what is wrong", () => {
    expect(readStrictly("").kind).toBe("nothing");
    expect(readStrictly(GET.slice(0, -1)).kind).toBe("partial");
    expect(readStrictly(post("Content-Length: 3", "ab"))).toMatchObject({ request: { complete: false } });
  });
});

type Field = readonly [name: string, value: string];
const HEAD: readonly Field[] = [
  [":method", "POST"],
  [":scheme", "https"],
  [":authority", "x"],
  [":path", "/a"],
];
const { endStream: END, endHeaders: WHOLE } = FLAG;
const aFrame = (type: number, flags: number, streamId: number, payload: Buffer | string = ""): Frame => ({
  type,
  flags,
  streamId,
  payload: Buffer.from(payload as string, "latin1"),
});
const fields = (flags: number, streamId: number, ...list: readonly Field[]): Frame =>
  aFrame(FRAME.headers, WHOLE | flags, streamId, encodeFields(list));
const headOf = (flags: number, ...more: readonly Field[]): Frame => fields(flags, 1, ...HEAD, ...more);
const data = (text: string, flags = 0, streamId = 1): Frame => aFrame(FRAME.data, flags, streamId, text);

function readFrames(...frames: readonly Frame[]): StrictStream | undefined {
  const reader = createHttp2Reader();
  let last: StrictStream | undefined;
  for (const frame of frames) last = reader.read(frame) ?? last;
  return last;
}

describe("the strict reader of HTTP/2", () => {
  it("reads what a good client sends: every byte a value may have, tables that are shared, bodies and trailers", async () => {
    const directory = mkdtempSync(join(tmpdir(), "pillion-recorder-"));
    const { caFile, server } = createCertificates(directory);
    const [ca, cert, key] = [caFile, server.certFile, server.keyFile].map((file) => readFileSync(file));
    rmSync(directory, { recursive: true });
    if (cert === undefined || key === undefined) throw new Error("no certificate");
    await using recorder = await startHttp2Recorder({ cert, key });
    const session = connect(recorder.origin, { ca });
    const bytes = Array.from({ length: 222 }, (_, index) =>
      String.fromCharCode(index + (index < 94 ? 33 : 34)),
    );
    const headers = {
      ":method": "POST",
      ":path": "/a",
      "x-bytes": bytes.join(""),
      "x-long": "y".repeat(40_000),
    };
    for (let turn = 0; turn < 3; turn += 1) {
      const stream = session.request(headers, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": `${turn}` }));
      stream.end("b".repeat(100_000));
      let answer = "";
      for await (const chunk of stream.setEncoding("latin1")) answer += chunk;
      expect(answer).toBe("ok");
    }
    session.destroy();
    expect(recorder.faults).toEqual([]);
    expect(recorder.messages.length).toBe(3);
    for (const [turn, message] of recorder.messages.entries())
      expect(message).toMatchObject({
        method: "POST",
        target: "/a",
        headers: [
          "host",
          new URL(recorder.origin).host,
          ...["x-bytes", headers["x-bytes"], "x-long", headers["x-long"]],
        ],
        framing: "chunked",
        body: "b".repeat(100_000),
        trailers: ["x-sum", `${turn}`],
        complete: true,
      });
  });

  it("tells what is not whole yet, and what is given up", () => {
    expect(readFrames(headOf(0), data("a"))).toMatchObject({ body: "a", complete: false });
    expect(readFrames(headOf(0), data("a"), aFrame(FRAME.reset, 0, 1, "\0\0\0\x08"))?.complete).toBe(false);
    expect(readFrames(headOf(0), data("a"), data("", END))).toMatchObject({ body: "a", complete: true });
    expect(readFrames(aFrame(FRAME.settings, 0, 0))).toBeUndefined();
  });

  it.each([
    ["a second stream of the same number", [headOf(END), headOf(END)]],
    ["a stream of the server's", [fields(END, 2, ...HEAD)]],
    ["data behind the end", [headOf(END), data("a")]],
    ["data without a stream", [data("a")]],
    ["data behind a reset", [headOf(0), aFrame(FRAME.reset, 0, 1), data("a")]],
    ["less than the length", [headOf(0, ["content-length", "3"]), data("ab", END)]],
    ["more than the length", [headOf(0, ["content-length", "3"]), data("abcd", END)]],
    ["two lengths", [headOf(0, ["content-length", "1"], ["content-length", "1"]), data("a", END)]],
    ["a Connection", [headOf(END, ["connection", "close"])]],
    ["a Transfer-Encoding", [headOf(END, ["transfer-encoding", "chunked"])]],
    ["a Host", [headOf(END, ["host", "evil"])]],
    ["TE beyond trailers", [headOf(END, ["te", "trailers, gzip"])]],
    ["a name in upper case", [headOf(END, ["X-Foo", "a"])]],
    ["a line break in a value", [headOf(END, ["x-foo", "a\r\nb: c"])]],
    ["a blank around a value", [headOf(END, ["x-foo", " a"])]],
    ["a pseudo-header twice", [headOf(END, [":path", "/evil"])]],
    ["a pseudo-header behind a field", [headOf(END, ["x-foo", "a"], [":path", "/evil"])]],
    ["a pseudo-header in trailers", [headOf(0), fields(END, 1, [":path", "/evil"])]],
    ["no path", [fields(END, 1, ...HEAD.slice(0, 3))]],
    ["another scheme", [fields(END, 1, [":scheme", "http"], ...HEAD.filter(([name]) => name !== ":scheme"))]],
    ["a target that is none", [fields(END, 1, ...HEAD.slice(0, 3), [":path", "/a b"])]],
    ["trailers that end nothing", [headOf(0), fields(0, 1, ["x-foo", "a"])]],
    [
      "a frame in the midst of fields",
      [aFrame(FRAME.headers, END, 1, encodeFields(HEAD)), aFrame(FRAME.ping, 0, 0, "12345678")],
    ],
    ["a pushed stream", [aFrame(5, WHOLE, 1)]],
    ["fields that are cut", [aFrame(FRAME.headers, WHOLE | END, 1, encodeFields(HEAD).subarray(0, -1))]],
  ])("refuses %s", (_what, frames) => {
    expect(() => readFrames(...frames)).toThrow();
  });
});
