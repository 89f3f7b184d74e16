import { describe, expect, it } from "vitest";
import { readByCodec, startCall } from "../support/http1-answers.ts";

const read = (text: string, method?: string) => readByCodec([Buffer.from(text, "latin1")], method);

const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const SIZED = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";

describe("an upstream's answer is read", () => {
  it.each([
    ["by its length", `${SIZED}body`, "GET", 200, "body", true],
    ["by its chunks", `${CHUNKED}3\r\nbod\r\n1;x="y"\r\ny\r\n0\r\n\r\n`, "GET", 200, "body", true],
    [
      "by its chunks, sizes in any case",
      `${CHUNKED}00000A\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n`,
    ].concat("GET") as never,
    ["up to the end of the connection", "HTTP/1.1 200 OK\r\n\r\nbody", "GET", 200, "body", false],
    ["without a phrase", "HTTP/1.1 204\r\n\r\n", "GET", 204, "", true],
    ["with an empty phrase", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "GET", 200, "", true],
    ["with a status that nobody knows", "HTTP/1.1 999 ?\r\nContent-Length: 0\r\n\r\n", "GET", 999, "", true],
    ["to HEAD, with a length", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", "HEAD", 200, "", false],
    ["of 304, with a length", "HTTP/1.1 304 X\r\nContent-Length: 4\r\n\r\n", "GET", 304, "", false],
    ["of 304, without", "HTTP/1.1 304 X\r\n\r\n", "GET", 304, "", true],
    ["of HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody", "GET", 200, "body", false],
    [
      "of HTTP/1.0 that keeps its connection",
      "HTTP/1.0 200 OK\r\nConnection: x, Keep-Alive\r\nContent-Length: 4\r\n\r\nbody",
      ...["GET", 200, "body", true],
    ],
    [
      "with `close`, wherever it stands",
      "HTTP/1.1 200 OK\r\nConnection: x, CLOSE\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nbody",
      ...["GET", 200, "body", false],
    ],
    ["with bytes behind it that nobody asked for", `${SIZED}bodyEVIL`, "GET", 200, "body", false],
    ["with a second answer behind it", `${SIZED}body${SIZED}EVIL`, "GET", 200, "body", false],
    ["with a second answer behind its chunks", `${CHUNKED}0\r\n\r\n${SIZED}EVIL`, "GET", 200, "", false],
    [
      "behind interim ones",
      `HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nLink: <a>\r\n\r\n${SIZED}body`,
      "GET",
      200,
      "body",
      true,
    ],
  ] as [string, string, string, number, string, boolean][])(
    "%s",
    (_what, text, method, status = 200, body, mayStay = true) => {
      const expected = { verdict: "whole", status, mayStay };
      expect(read(text, method)).toMatchObject(body === undefined ? expected : { ...expected, body });
    },
  );

  it("the same in however many pieces it comes", () => {
    const text = `HTTP/1.1 103 E\r\n\r\n${CHUNKED.slice(0, -2)}X: 1\r\n\r\n4;x\r\nbody\r\n2\r\n\r\n\r\n0\r\nSum: 1\r\nB:\r\n\r\n`;
    const whole = read(text);
    expect(whole).toMatchObject({
      verdict: "whole",
      body: "body\r\n",
      trailers: ["Sum", "1", "B", ""],
      interim: [103],
    });
    const bytes = Buffer.from(text, "latin1");
    for (let cut = 1; cut < bytes.length; cut += 1)
      expect(readByCodec([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(whole);
    expect(readByCodec([...bytes].map((byte) => Buffer.from([byte])))).toEqual(whole);
  });

  it("names and values as they were sent, blanks around them apart", () => {
    const { fields } = read("HTTP/1.1 200 OK\r\nX-A:\t one\xe9\ttwo \t\r\nx-a:\r\nContent-Length: 0\r\n\r\n");
    expect(fields).toEqual(["X-A", "one\xe9\ttwo", "x-a", "", "Content-Length", "0"]);
  });

  it("no further than its reader asks for, and then on", () => {
    const { call, result } = startCall("GET", { pauses: true });
    call.receive(Buffer.from(`${CHUNKED}1\r\na\r\n1\r\nb\r\n0\r\n\r\n`));
    for (const body of ["a", "ab"]) {
      expect(result()).toMatchObject({ verdict: "open", body });
      call.resume();
    }
    expect(result()).toMatchObject({ verdict: "whole", mayStay: true });
  });
});

describe("an upstream's answer is refused", () => {
  it.each([
    [
      "two lengths",
      "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nbody",
      "Content-Length twice",
    ],
    [
      "a list of lengths",
      "HTTP/1.1 200 OK\r\nContent-Length: 4, 4\r\n\r\nbody",
      "Content-Length that is none",
    ],
    ["an empty length", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", "Content-Length that is none"],
    ["a signed length", "HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\nbody", "Content-Length that is none"],
    [
      "a length beyond numbers",
      `HTTP/1.1 200 OK\r\nContent-Length: ${"9".repeat(16)}\r\n\r\n`,
      "Content-Length that is none",
    ],
    [
      "a length and chunks",
      `${CHUNKED.slice(0, -2)}Content-Length: 4\r\n\r\nbody`,
      "Content-Length and Transfer-Encoding",
    ],
    [
      "a length and chunks, for 304 too",
      "HTTP/1.1 304 X\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
      "and Transfer",
    ],
    ["another coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "other than chunked"],
    [
      "chunked twice",
      `${CHUNKED.slice(0, -2)}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      "other than chunked",
    ],
    ["chunks in HTTP/1.0", CHUNKED.replace("1.1", "1.0"), "other than chunked"],
    ["bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "bare line feed"],
    ["a bare line feed at the end", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n", "bare line feed"],
    ["a bare carriage return", "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n", "control bytes"],
    ["a NUL", "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", "control bytes"],
    ["a folded line", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", "no field"],
    ["a folded line with a colon", "HTTP/1.1 200 OK\r\nX: a\r\n b: c\r\n\r\n", "name that is none"],
    ["a blank before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 4\r\n\r\nbody", "name that is none"],
    ["no name", "HTTP/1.1 200 OK\r\n: 4\r\n\r\n", "no field"],
    ["no colon", "HTTP/1.1 200 OK\r\nX\r\n\r\n", "no field"],
    ["another version", "HTTP/2.0 200 OK\r\n\r\n", "no status line"],
    ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n", "no status line"],
    ["a status below 100", "HTTP/1.1 099 X\r\n\r\n", "no status line"],
    ["a status of four digits", "HTTP/1.1 2000 X\r\n\r\n", "no status line"],
    ["an empty line before it", "\r\nHTTP/1.1 200 OK\r\n\r\n", "no status line"],
    [
      "a 101 that nobody asked for",
      "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
      "nobody asked",
    ],
    ["an interim answer of HTTP/1.0", "HTTP/1.0 100 C\r\n\r\nHTTP/1.1 204 N\r\n\r\n", "an interim answer"],
    ["an interim answer with a body", "HTTP/1.1 103 E\r\nContent-Length: 4\r\n\r\nbody", "an interim answer"],
    ["a head without end", `HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(12_000)}`, "exceed 65536"],
    ["a line without end", `HTTP/1.1 200 OK\r\na: ${"b".repeat(70_000)}`, "exceed 65536"],
    ...[
      "0x1",
      "+1",
      "-1",
      " 1",
      "1 ",
      "",
      "g",
      "1\n",
      "1;a\n",
      "1\r\r\n",
      "1_0",
      "1;a\0b",
      "1;",
      "1;a b",
      "1;a=",
      '1;a="b',
      "1;a\n",
      "1".repeat(13),
    ].map((size) => [`a chunk size ${JSON.stringify(size)}`, `${CHUNKED}${size}\r\na\r\n0\r\n\r\n`, "chunk"]),
    ["a chunk longer than it says", `${CHUNKED}1\r\nab\r\n0\r\n\r\n`, "does not end"],
    ["a chunk extension without end", `${CHUNKED}1;${"a".repeat(2_000)}`, "extension without end"],
    ["trailers without end", `${CHUNKED}0\r\n${"a: b\r\n".repeat(12_000)}`, "exceed 65536"],
    ["a folded trailer", `${CHUNKED}0\r\nX: a\r\n b\r\n\r\n`, "no field"],
  ] as [string, string, string][])("with %s", (_what, text, why) => {
    expect(read(text).verdict).toContain(why);
    expect(read(text).mayStay).toBe(false);
  });

  it.each(["HTTP/1.1 200 OK\nX", "SSH", "HTTQ", "HTTP/1.1 200 OK\r\nX: a\rb"])(
    "as soon as it shows, and not when the line ends: %j",
    (text) => {
      const { call, result } = startCall();
      call.receive(Buffer.from(text));
      expect(result().verdict).not.toBe("open");
    },
  );

  it.each([
    ["its length", `${SIZED}bod`],
    ["its last chunk", `${CHUNKED}4\r\nbody\r\n`],
    ["the end of its trailers", `${CHUNKED}0\r\nX: 1\r\n`],
    ["the end of its head", "HTTP/1.1 200 OK\r\nX: 1\r\n"],
  ])("as cut where the connection ends before %s", (_what, text) => {
    expect(read(text).verdict).toBe("cut");
  });
});
