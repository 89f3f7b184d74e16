import type { UpstreamDispatch } from "./upstream-pool.ts";

/** What no line of a request may hold: the fields were judged before, this is the last door. */
const UNSENDABLE = /[^\t\x20-\x7e\x80-\xff]/;
const NO_TARGET = /[^\x21-\x7e\x80-\xff]/;

/** Methods whose body is expected, so that its absence is said (RFC 9110 §8.6). */
const EXPECTS_BODY: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH"]);

export interface RequestHeadText {
  /** latin1; the empty line that ends a head is in it. */
  readonly text: string;
  /** undefined: there is no body, or it goes out in chunks. */
  readonly lengthBytes: number | undefined;
}

/**
 * A request's head as it goes on the wire, framing made anew.
 *
 * @param start of what is the same for all requests of an upstream: ` HTTP/1.1`, Host
 * @param body what is sent behind it; a stream without a length goes in chunks
 */
export function writeRequestHead(
  request: UpstreamDispatch,
  host: string,
  body: "none" | "stream" | Uint8Array,
): RequestHeadText {
  const { method, path, upgrade, headers } = request;
  if (NO_TARGET.test(path)) throw new TypeError("a request target that cannot be sent");
  let text = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n`;
  text += upgrade ? `connection: upgrade\r\nupgrade: ${upgrade}\r\n` : "connection: keep-alive\r\n";
  let said: number | undefined;
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string;
    const value = headers[index + 1] as string;
    if (name === "content-length") said = Number(value);
    else {
      if (UNSENDABLE.test(value)) throw new TypeError(`a value of ${name} that cannot be sent`);
      text += `${name}: ${value}\r\n`;
    }
  }
  const lengthBytes = typeof body === "string" ? (body === "stream" ? said : undefined) : body.length;
  if (lengthBytes !== undefined) text += `content-length: ${lengthBytes}\r\n`;
  else if (body === "stream") text += "transfer-encoding: chunked\r\n";
  else if (EXPECTS_BODY.has(method)) text += "content-length: 0\r\n";
  return { text: `${text}\r\n`, lengthBytes };
}
