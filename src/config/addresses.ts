import { isIPv4, isIPv6 } from "node:net";
import type { ListenAddress } from "./config.ts";
import { showValue } from "./printable.ts";

/** Of the admin listener, where nothing else is said. */
export const DEFAULT_ADMIN = "127.0.0.1:9090";

/** What a Unix socket's address holds on Linux, without the closing zero byte. */
const MAX_SOCKET_PATH_BYTES = 107;
const HOST_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*$/;

/** `127.0.0.1:8080`, `[::1]:8080`, `localhost:0`, `unix:/run/pillion.sock`; `problem` says what is wrong. */
export function parseListenAddress(
  text: string,
  resolvePath: (path: string) => string,
): { readonly value: ListenAddress } | { readonly problem: string } {
  if (text.startsWith("unix:")) return parseSocketPath(text.slice("unix:".length), resolvePath);
  const wrong = (hint: string) => ({
    problem: `expected HOST:PORT or unix:/PATH, not ${showValue(text)}${hint}`,
  });
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text);
  if (match === null) {
    if (/^\d+$/.test(text)) return wrong(`; write 127.0.0.1:${text}`);
    if (isIPv6(text)) return wrong("; write an IPv6 address in brackets, as [::1]:8080");
    return wrong(/^[^:]+$/.test(text) ? `; the port is missing` : "");
  }
  const [, bracketed, plain = "", digits] = match;
  const port = Number(digits);
  if (port > 65_535) return wrong("; a port is at most 65535");
  if (bracketed !== undefined) {
    return isIPv6(bracketed) ? tcp(bracketed, port) : wrong("; an IPv6 address belongs in the brackets");
  }
  if (plain === "") return wrong(`; write 127.0.0.1:${port}, or 0.0.0.0:${port} for every interface`);
  const looksNumeric = /^[\d.]+$/.test(plain);
  return (looksNumeric ? isIPv4(plain) : HOST_NAME.test(plain)) ? tcp(plain, port) : wrong("");
}

function tcp(host: string, port: number): { readonly value: ListenAddress } {
  return { value: { kind: "tcp", host, port } };
}

function parseSocketPath(
  text: string,
  resolvePath: (path: string) => string,
): ReturnType<typeof parseListenAddress> {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a socket's path ends at a zero byte
  if (text === "" || /[\x00-\x1f]/.test(text))
    return { problem: "expected the path of a socket behind unix:" };
  const path = resolvePath(text);
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
    return { problem: `the path of a Unix socket has at most ${MAX_SOCKET_PATH_BYTES} bytes` };
  }
  return { value: { kind: "unix", path } };
}

/** Whether a host name, an address or a URL's hostname means this machine and no other. */
export function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, "");
  if (name === "localhost" || name.endsWith(".localhost")) return true;
  return isIPv4(name) ? name.startsWith("127.") : name === "::1";
}
