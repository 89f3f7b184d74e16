/** Malformed requests, made from good ones by a few mutations each; the same seed makes the same requests. */
import { onLane } from "../../test/attacks/lab.ts";
import { CHUNKED, type Draft, structural, textual } from "./mutations.ts";
import { createPick, one, type Pick } from "./pick.ts";

export interface GeneratedCase {
  readonly index: number;
  /** Latin1. */
  readonly bytes: string;
  /** What was done to it. */
  readonly mutations: readonly string[];
  /** Where the bytes are cut into pieces that are sent apart. */
  readonly cuts: readonly number[];
}

/** The route that a case is for. */
export interface Place {
  /** What stands for `/api/`. */
  readonly prefix: string;
  /** What the route needs of every request. */
  readonly field?: string;
}

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
    () => draft("POST", [CHUNKED], chunks),
    () => draft("DELETE", [CHUNKED], chunks),
    () => draft("OPTIONS", [`Content-Length: ${hidden.length}`], hidden),
    () => draft("GET", [`Content-Length: ${hidden.length}`], hidden),
    () => draft("POST", [CHUNKED], `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`),
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
