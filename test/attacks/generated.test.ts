import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { judge } from "../../bench/attacks/verdict.ts";
import { projectDirectory } from "../support/project.ts";
import type { RecordedMessage } from "../support/recorder.ts";
import { readStrictly } from "../support/strict-http.ts";
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
  });

  it.each([
    ["a forwarded request that is malformed", BROKEN, [message()], OK],
    ["a message that nobody sent", GET, [message(), message({ target: "/evil" })], OK + OK],
    ["the same message twice", GET, [message(), message()], OK + OK],
    ["another body", GET, [message({ body: "abc" })], OK],
    ["no Authorization", GET, [message({ headers: GOOD.slice(0, 4) })], OK],
    ["two of them", GET, [message({ headers: [...GOOD, "Authorization", "Bearer evil"] })], OK],
    ["one that is not ours", GET, [message({ headers: [...GOOD.slice(0, 5), "Bearer evil"] })], OK],
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
