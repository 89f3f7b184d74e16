/** What is done to a good request. */
import { one, type Pick } from "./pick.ts";
import {
  BREAKS,
  CHUNK_LINES,
  CODINGS,
  LENGTHS,
  LONG,
  METHODS,
  NAMES,
  TARGETS,
  VALUES,
  VERSIONS,
} from "./vocabulary.ts";

export interface Draft {
  method: string;
  target: string;
  version: string;
  lines: string[];
  body: string;
  end: string;
  /** A whole request that is to stay a part of a body. */
  readonly hidden: string;
}

export const CHUNKED = "Transfer-Encoding: chunked";

export type Mutation = (draft: Draft, pick: Pick) => void;

const insertLine = (draft: Draft, pick: Pick, line: string): void =>
  void draft.lines.splice(pick(draft.lines.length + 1), 0, line);

/** Changes the request as a sender of doubtful intent would. */
export const structural: readonly (readonly [string, Mutation])[] = [
  ["length", (draft, pick) => insertLine(draft, pick, `Content-Length: ${one(pick, LENGTHS)}`)],
  ["second length", (draft, pick) => insertLine(draft, pick, `Content-Length: ${pick(60)}`)],
  ["coding", (draft, pick) => insertLine(draft, pick, `Transfer-Encoding: ${one(pick, CODINGS)}`)],
  ["chunked too", (draft, pick) => insertLine(draft, pick, CHUNKED)],
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
      draft.lines = [...draft.lines.filter((line) => !/^(Content|Transfer)-/.test(line)), CHUNKED];
      draft.body = `${one(pick, CHUNK_LINES)}\r\nabc\r\n0\r\n\r\n`;
    },
  ],
  [
    "trailer",
    (draft, pick) => {
      draft.lines = [...draft.lines.filter((line) => !/^(Content|Transfer)-/.test(line)), CHUNKED];
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
export const textual: readonly (readonly [string, (bytes: string, pick: Pick) => string])[] = [
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
