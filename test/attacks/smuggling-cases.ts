/** Bytes that are not plainly one request, row by row; written for the route `/api/`. */
import { head } from "../support/raw-client.ts";

export interface SmugglingCase {
  /** The row of docs/hardening.md, and which variant of it. */
  readonly name: string;
  readonly bytes: string;
  readonly statuses: readonly number[];
  /** The fault comes with the body: a listener that needs no body has answered the head by then. */
  readonly inBody?: true;
  /** Too long to be sent byte by byte. */
  readonly long?: true;
}

const T = "Transfer-Encoding: chunked";
const SMUGGLED = "27\r\nGET /admin/secret HTTP/1.1\r\nHost: x\r\n\r\n\r\n0\r\n\r\n";
const MANY = Array.from({ length: 1_100 }, () => "a:b");

export const post = (fields: readonly string[], body = ""): string => head("POST /api/a", ...fields) + body;
export const get = (...fields: readonly string[]): string => head("GET /api/a", ...fields);

/** Variants of one row; [which, bytes]. */
function row(
  id: string,
  variants: readonly (readonly [string, string])[],
  rest: Partial<SmugglingCase> = {},
): SmugglingCase[] {
  return variants.map(([which, bytes]) => ({ name: `${id} ${which}`, bytes, statuses: [400], ...rest }));
}

const shown = (text: string): string => JSON.stringify(text);

export const rejected: readonly SmugglingCase[] = [
  ...row("S01", [["Content-Length before chunked", post(["Content-Length: 6", T], "0\r\n\r\nG")]]),
  ...row("S02", [
    [
      "chunked before Content-Length",
      post(
        [T, "Content-Length: 4"],
        "36\r\nGET /evil HTTP/1.1\r\nHost: x\r\nContent-Length: 15\r\n\r\nx=1\r\n0\r\n\r\n",
      ),
    ],
  ]),
  ...row("S03", [
    ...[
      "xchunked",
      "identity",
      "chunked, gzip",
      "chunked, chunked",
      "\x0bchunked",
      "\xa0chunked",
      '"chunked"',
    ].map(
      (coding) =>
        [
          `coding ${shown(coding)}`,
          post(["Content-Length: 3", `Transfer-Encoding: ${coding}`], "abc"),
        ] as const,
    ),
    ["a blank before the colon", post(["Content-Length: 3", "Transfer-Encoding : chunked"], "abc")],
    ["a blank before the colon, alone", post(["Transfer-Encoding : chunked"], "0\r\n\r\n")],
    ["a folded value", post(["Content-Length: 3", "Transfer-Encoding:\r\n chunked"], "abc")],
    ["a folded value, alone", post(["Transfer-Encoding:\r\n chunked"], "0\r\n\r\n")],
  ]),
  ...row("S04", [
    ["gzip, chunked", post(["Transfer-Encoding: gzip, chunked"], "0\r\n\r\n")],
    [",chunked", post(["Transfer-Encoding: ,chunked"], "0\r\n\r\n")],
    ["twice", post([T, T], "0\r\n\r\n")],
  ]),
  ...row("S06", [
    [
      "chunks in HTTP/1.0",
      `POST /api/a HTTP/1.0\r\nHost: localhost\r\n${T}\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n`,
    ],
  ]),
  ...row("S07", [
    ...["+3", "-1", "0x3", "3_0", "", "3 3", "3, 3", "18446744073709551619", "3\r\nContent-Length: 4"].map(
      (length) => [`length ${shown(length)}`, post([`Content-Length: ${length}`], "abc")] as const,
    ),
  ]),
  ...row(
    "S11",
    ["GET", "DELETE"].flatMap((method) => [
      [`1 100 fields and chunks, ${method}`, head(`${method} /api/a`, ...MANY, T) + SMUGGLED] as const,
      [
        `1 100 fields and a length, ${method}`,
        `${head(`${method} /api/a`, ...MANY, "Content-Length: 39")}GET /admin/secret HTTP/1.1\r\nHost: x\r\n\r\n\r\n`,
      ] as const,
    ]),
    { statuses: [431], long: true },
  ),
  ...row(
    "S16",
    ["0x3", "+3", "-1", " 3", "3 ", "0_3", "", "10000000000000003"].map((size) => [
      `chunk size ${shown(size)}`,
      post([T], `${size}\r\nabc\r\n0\r\n\r\n`),
    ]),
    { inBody: true },
  ),
  ...row(
    "S17",
    ["3\nabc\r\n0\r\n\r\n", "3;\nabc\r\n0\r\n\r\n", "2\r\r;a\r\n02\r\n0\r\n\r\n", "3\rXabc\r\n0\r\n\r\n"].map(
      (body) => [`chunk line ${shown(body)}`, post([T], body)],
    ),
    { inBody: true },
  ),
  ...row(
    "S19",
    [
      ["a chunk extension of 64 KiB", post([T], `3;${"x".repeat(65_536)}\r\nabc\r\n0\r\n\r\n`)],
      [
        "10 000 chunks with extensions of 1 KiB",
        post([T], `${`1;${"x".repeat(1_024)}\r\na\r\n`.repeat(10_000)}0\r\n\r\n`),
      ],
    ],
    { inBody: true, long: true },
  ),
  ...row(
    "S20",
    [
      [
        "a Content-Length as a trailer",
        post([T], "3\r\nabc\r\n0\r\nAuthorization: Bearer evil\r\nContent-Length: 5\r\n\r\n"),
      ],
    ],
    { inBody: true },
  ),
  ...row("S21", [
    ["bare line feeds", "GET /api/a HTTP/1.1\nHost: localhost\n\n"],
    ["a bare line feed behind one field", "GET /api/a HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n"],
    ["a bare carriage return in a value", get("X: a\rTransfer-Encoding: chunked")],
    ["a zero byte in a value", get("X: a\x00b")],
    ["a control byte in a value", get("X: a\x01b")],
    ["a field without a name", get(": v")],
    ["a field without a colon", get("Foo")],
    ["a first field behind a blank", "GET /api/a HTTP/1.1\r\n X: a\r\nHost: localhost\r\n\r\n"],
  ]),
  ...row("S22", [
    ["no Host", "GET /api/a HTTP/1.1\r\n\r\n"],
    ["Host twice, the same", get("Host: localhost", "Host: localhost")],
    ["Host twice, different", get("Host: localhost", "Host: evil.example")],
    ...["a b/@c", "127.0.0.1:18080@evil", "localhost/", "localhost:80:80", "[::1", "lo\xe9", ""].map(
      (host) => [`Host ${shown(host)}`, get(`Host: ${host}`)] as const,
    ),
  ]),
  ...row("S23", [
    ["no version", "GET /api/a\r\n\r\n"],
    ["PRI without a version", "PRI /api/a\r\nHost: localhost\r\n\r\n"],
    ["HTTP/1.2", "GET /api/a HTTP/1.2\r\nHost: localhost\r\n\r\n"],
  ]),
  ...row(
    "S23",
    [
      ["HTTP/2.0", "GET /api/a HTTP/2.0\r\nHost: localhost\r\n\r\n"],
      ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ],
    { statuses: [400, 505] },
  ),
];
