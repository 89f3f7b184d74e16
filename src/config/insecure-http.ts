import { isLoopbackHost } from "./addresses.ts";

export const INSECURE_HTTP =
  "plain http: is accepted for loopback addresses only; use https:, or write allow_insecure_http: true beside it";

/** Whether a URL shows what is sent there to the network. */
export function isInsecure(url: URL): boolean {
  return url.protocol === "http:" && !isLoopbackHost(url.hostname);
}
