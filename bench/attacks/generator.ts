/** Malformed requests, made from good ones by a few mutations each; the same seed makes the same requests. */
import { onLane } from "../../test/attacks/lab.ts";

export interface GeneratedCase {
  readonly index: number;
  /** Latin1. */
  readonly bytes: string;
  /** What was done to it. */
  readonly mutations: readonly string[];
  /** Where the bytes are cut into pieces that are sent apart. */
  readonly cuts: readonly number[];
}

/** Whole numbers from 0 to below `limit`. */
export type Pick = (limit: number) => number;

/** The route that a case is for. */
export interface Place {
  /** What stands for `/api/`. */
  readonly prefix: string;
  /** What the route needs of every request. */
  readonly field?: string;
}

interface Draft {
  method: string;
  target: string;
  version: string;
  lines: string[];
  body: string;
  end: string;
  /** A whole request that is to stay a part of a body. */
  readonly hidden: string;
}

/** Mulberry32: small, fast, and the same everywhere. */
export function createPick(seed: number): Pick {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

const T = "Transfer-Encoding: chunked";
const LONG = 17_000;

function one<T>(pick: Pick, choices: readonly T[]): T {
  return choices[pick(choices.length)] as T;
}

const LENGTHS = [
  "+3",
  "-1",
  "0x3",
  "3_0",
  "",
  "3 3",
  "3, 3",
  "3,4",
  "18446744073709551619",
  "03",
  "1e1",
  "3;",
  "\t3",
  "４",
];
const CODINGS = [
  ...["xchunked", "identity", "chunked, gzip", "gzip, chunked", "chunked, chunked", ",chunked", "chunked,"],
  ...[
    '"chunked"',
    "\x0bchunked",
    "\xa0chunked",
    "chunked\x00",
    "Chunked",
    "CHUNKED",
    " chunked ",
    "chunked;q=1",
    "chun ked",
    "",
  ],
];
const NAMES = [
  ...[
    "Content-Length",
    "Transfer-Encoding",
    "content-length",
    "TRANSFER-ENCODING",
    "Host",
    "host",
    "Expect",
    "Trailer",
  ],
  ...[
    "Connection",
    "Upgrade",
    "Authorization",
    "authorization",
    "X-API-Key",
    "X-ACCOUNT",
    "X-TENANT-ID",
    "X-Tenant",
  ],
  ...[
    "Content_Length",
    "Transfer_Encoding",
    "X_Tenant",
    "Authorization_",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
  ],
  ...[
    "X-Forwarded-For",
    "Forwarded",
    "X-Original-URL",
    "Pillion-Access",
    "Pillion-Session",
    "Cookie",
    "__proto__",
    "Via",
  ],
  ...[
    "Keep-Alive",
    "HTTP2-Settings",
    "X-Request-Id",
    "traceparent",
    "Origin",
    "Sec-Fetch-Site",
    "X-Foo",
    "Max-Forwards",
  ],
];
const VALUES = [
  ...[
    "0",
    "3",
    "35",
    "chunked",
    "identity",
    "keep-alive",
    "close",
    "upgrade",
    "keep-alive, authorization",
    "x-foo, via",
  ],
  ...[
    "authorization",
    "host, content-length",
    "transfer-encoding",
    "close, x-api-key, x-tenant",
    "websocket",
    "h2c",
    "100-continue",
  ],
  ...[
    "localhost",
    "evil.example",
    "localhost, evil.example",
    "localhost:80@evil",
    "Bearer evil",
    "trailers",
    "gzip",
    "t1",
    "t2",
    "t1,t2",
  ],
  ...[
    "pillion=evil; a=1",
    "a\x00b",
    "a\rb",
    "a\nb",
    "a\x01b",
    "caf\xe9",
    "",
    "\t",
    '"',
    "a: b",
    "x".repeat(300),
    "null",
  ],
];
const TARGETS = [
  ...[
    "/api/../evil",
    "/api/%2e%2e/evil",
    "/api/.%2E/evil",
    "//evil.example/api/a",
    "/\\evil",
    "/api/a#b",
    "/api/a#/../evil",
  ],
  ...[
    "http://evil.example/api/a",
    "http://localhost/api/a",
    "*",
    "admin",
    "/",
    "/api",
    "/api/",
    "/api/%2f",
    "/api/%5c",
    "/api/%00",
  ],
  ...[
    "/api/a\tb",
    "/api/a b",
    "/api/caf\xe9",
    "/api/%",
    "/api/%zz",
    "/api/%252e%252e/x",
    "/api/a?b=/../c",
    "/api/a?x y",
    "?/api/a",
  ],
  ...[
    "/api/a;b",
    "/api//a",
    "/API/a",
    "/nowhere",
    "/api/a HTTP/1.1 ",
    "evil.example:443",
    "/api/..;/evil",
    "/api/a\x7f",
  ],
];
const METHODS = [
  "get",
  "G\x00ET",
  "GET\t",
  "TRACE",
  "CONNECT",
  "PRI",
  "BREW",
  "",
  " GET",
  "GE T",
  "PATCH",
  "QUERY",
  "HEAD",
  "OPTIONS",
  "PROPFIND",
  "M-SEARCH",
];
const VERSIONS = [
  "HTTP/1.0",
  "HTTP/0.9",
  "HTTP/1.2",
  "HTTP/2.0",
  "HTTP/1.1 ",
  "http/1.1",
  "HTTP/1.10",
  "HTTP/11",
  "HTTP/1,1",
  "",
  "HTTP/ 1.1",
  "HTTP/+1.1",
];
const BREAKS = [
  "\n",
  "\r",
  "\r\r\n",
  "\n\r",
  "\r\n ",
  "\r\n\t",
  "\r \n",
  "\x0b\r\n",
  "\x85",
  "\r\n\r\n",
  " \r\n",
  "",
];
const CHUNK_LINES = [
  ...[
    "0x3",
    "+3",
    "-1",
    " 3",
    "3 ",
    "0_3",
    "",
    "10000000000000003",
    "3;",
    "3;a=b",
    '3;a="b"',
    "3 ;a",
    "3;\x00",
    "003",
    "G",
    "3\t",
  ],
  ...[
    "3\n",
    "3\r",
    "3;\n",
    "2\r\r;a",
    "3\rX",
    `3;${"x".repeat(LONG)}`,
    '3;a="\r\n"',
    "FFFFFFFFFFFFFFFF",
    "0",
    "3;a=b;c=d",
  ],
];

type Mutation = (draft: Draft, pick: Pick) => void;

const insertLine = (draft: Draft, pick: Pick, line: string): void =>
  void draft.lines.splice(pick(draft.lines.length + 1), 0, line);

/** Changes the request as a sender of doubtful intent would. */
const structural: readonly (readonly [string, Mutation])[] = [
  ["length", (draft, pick) => insertLine(draft, pick, `Content-Length: ${one(pick, LENGTHS)}`)],
  ["second length", (draft, pick) => insertLine(draft, pick, `Content-Length: ${pick(60)}`)],
  ["coding", (draft, pick) => insertLine(draft, pick, `Transfer-Encoding: ${one(pick, CODINGS)}`)],
  ["chunked too", (draft, pick) => insertLine(draft, pick, T)],
  [
    "field",
    (draft, pick) =>
      insertLine(
        draft,
        pick,
        `${one(pick, NAMES)}${one(pick, [":", ": ", " :", ":\t", "\t: "])}${one(pick, VALUES)}`,
      ),
  ],
  [
    "framing's name",
    (draft, pick) => {
      const mark = one(pick, [" ", "\t", "\x00", "\x0b", "_", "\xad", "\r\n ", ":", "-"]);
      draft.lines = draft.lines.map((line) =>
        line.replace(/^(Content-Length|Transfer-Encoding)/, `$1${mark}`),
      );
    },
  ],
  ["duplicate", (draft, pick) => insertLine(draft, pick, one(pick, draft.lines) ?? "X: y")],
  [
    "odd line",
    (draft, pick) =>
      insertLine(
        draft,
        pick,
        one(pick, [": v", "Foo", " X: a", "\tX: a", "X\x00: a", "X(: a", "é: a", "X a: b", "=: b"]),
      ),
  ],
  [
    "no host",
    (draft) => {
      draft.lines = draft.lines.filter((line) => !line.startsWith("Host"));
    },
  ],
  [
    "target",
    (draft, pick) => {
      draft.target = one(pick, TARGETS);
    },
  ],
  [
    "method",
    (draft, pick) => {
      draft.method = one(pick, METHODS);
    },
  ],
  [
    "version",
    (draft, pick) => {
      draft.version = one(pick, VERSIONS);
    },
  ],
  [
    "many fields",
    (draft, pick) => void draft.lines.unshift(...Array.from({ length: 90 + pick(30) }, () => "a: b")),
  ],
  [
    "hidden behind fields",
    (draft, pick) => void draft.lines.unshift(...Array.from({ length: 1_000 + pick(200) }, () => "a:b")),
  ],
  [
    "long field",
    (draft, pick) => insertLine(draft, pick, `X-Long: ${"x".repeat(LONG - 1_000 + pick(2_000))}`),
  ],
  [
    "long target",
    (draft) => {
      draft.target += "x".repeat(LONG);
    },
  ],
  [
    "hidden request as the body",
    (draft) => {
      draft.body += draft.hidden;
    },
  ],
  [
    "chunk line",
    (draft, pick) => {
      draft.lines = [...draft.lines.filter((line) => !/^(Content|Transfer)-/.test(line)), T];
      draft.body = `${one(pick, CHUNK_LINES)}\r\nabc\r\n0\r\n\r\n`;
    },
  ],
  [
    "trailer",
    (draft, pick) => {
      draft.lines = [...draft.lines.filter((line) => !/^(Content|Transfer)-/.test(line)), T];
      draft.body = `3\r\nabc\r\n0\r\n${one(pick, NAMES)}: ${one(pick, VALUES)}\r\n\r\n`;
    },
  ],
  [
    "end of the head",
    (draft, pick) => {
      draft.end = one(pick, ["\r\n", "\n", "\r\n\n", "\n\n", " \r\n\r\n", "\r\r\n\r\n", ""]);
    },
  ],
];

/** Changes bytes wherever they stand. */
const textual: readonly (readonly [string, (bytes: string, pick: Pick) => string])[] = [
  [
    "line break",
    (bytes, pick) => {
      const breaks = [...bytes.matchAll(/\r\n/g)].map(({ index }) => index);
      const at = breaks.length === 0 ? 0 : one(pick, breaks);
      return bytes.slice(0, at) + one(pick, BREAKS) + bytes.slice(at + 2);
    },
  ],
  [
    "byte",
    (bytes, pick) => {
      const at = pick(bytes.length);
      return bytes.slice(0, at) + String.fromCharCode(pick(256)) + bytes.slice(at + 1);
    },
  ],
  [
    "inserted byte",
    (bytes, pick) => {
      const at = pick(bytes.length + 1);
      return (
        bytes.slice(0, at) +
        one(pick, ["\x00", "\r", "\n", " ", "\t", ":", "0", "\x7f", "\xff", ","]) +
        bytes.slice(at)
      );
    },
  ],
  [
    "lost bytes",
    (bytes, pick) => {
      const at = pick(bytes.length);
      return bytes.slice(0, at) + bytes.slice(at + 1 + pick(4));
    },
  ],
  ["cut short", (bytes, pick) => bytes.slice(0, 1 + pick(bytes.length))],
  ["a good request in front", (bytes) => `GET /api/first HTTP/1.1\r\nHost: localhost\r\n\r\n${bytes}`],
  ["a good request behind", (bytes) => `${bytes}GET /api/behind HTTP/1.1\r\nHost: localhost\r\n\r\n`],
  ["an empty line in front", (bytes, pick) => one(pick, ["\r\n", "\n", "\r", " ", "\r\n\r\n"]) + bytes],
];

function goodRequest(pick: Pick, { prefix, field }: Place): Draft {
  // Its own spelling of Host keeps `onLane` from adding the field a second time.
  const needed = field === undefined ? "" : `${field}\r\n`;
  const hidden = `GET ${prefix}evil HTTP/1.1\r\nhost: localhost\r\n${needed}\r\n`;
  const draft = (method: string, lines: readonly string[], body = ""): Draft => ({
    method,
    target: "/api/a",
    version: "HTTP/1.1",
    lines: ["Host: localhost", "Accept: */*", ...lines],
    body,
    end: "\r\n\r\n",
    hidden,
  });
  const chunks = "3\r\nabc\r\n5;x=y\r\ndefgh\r\n0\r\n\r\n";
  return one(pick, [
    () => draft("GET", []),
    () => draft("HEAD", []),
    () => draft("POST", ["Content-Length: 3"], "abc"),
    () => draft("PUT", ["Content-Length: 0"]),
    () => draft("POST", [T], chunks),
    () => draft("DELETE", [T], chunks),
    () => draft("OPTIONS", [`Content-Length: ${hidden.length}`], hidden),
    () => draft("GET", [`Content-Length: ${hidden.length}`], hidden),
    () => draft("POST", [T], `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`),
    () => draft("POST", ["Expect: 100-continue", "Content-Length: 3"], "abc"),
    () => draft("GET", ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]),
  ])();
}

/** One to four mutations of one good request. */
export function generate(seed: number, index: number, place: Place): GeneratedCase {
  const pick = createPick(Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
  const draft = goodRequest(pick, place);
  const mutations: string[] = [];
  let texts = 0;
  for (let count = 1 + pick(4); count > 0; count--) {
    if (pick(3) === 0) {
      texts += 1;
      continue;
    }
    const [name, mutate] = one(pick, structural);
    mutate(draft, pick);
    mutations.push(name);
  }
  const { method, target, version, lines, body, end } = draft;
  let bytes = `${method} ${target} ${version}\r\n${lines.join("\r\n")}${end}${body}`;
  for (; texts > 0; texts--) {
    const [name, mutate] = one(pick, textual);
    bytes = mutate(bytes, pick);
    mutations.push(name);
  }
  // Bytes, not characters: what is beyond latin1 is cut down to it.
  bytes = Buffer.from(onLane(bytes, place), "latin1").toString("latin1");
  const cuts = pick(3) === 0 ? Array.from({ length: 1 + pick(3) }, () => pick(bytes.length + 1)) : [];
  return { index, bytes, mutations, cuts: cuts.sort((a, b) => a - b) };
}
