import type { ServerResponse } from "node:http";
import type { RawFields } from "./headers.ts";

/**
 * Passes an interim answer on (RFC 9110 §15.2): Processing and Early Hints are the ones that a caller can use. `100`
 * is the proxy's own affair, as it asks for it itself; others, and callers that speak HTTP/1.0, get nothing.
 */
export function passInterim(response: ServerResponse, status: number, raw: RawFields): void {
  if (response.req.httpVersionMinor !== 1 || response.headersSent || response.destroyed) return;
  // Behind an earlier answer that is not whole yet, Node would put it into the midst of this one.
  if (response.socket === null) return;
  if (status === 102) response.writeProcessing();
  if (status !== 103) return;
  const links: string[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    if (raw[index]?.toString("latin1").toLowerCase() === "link")
      links.push(...linksOf(String(raw[index + 1])));
  }
  try {
    if (links.length > 0) response.writeEarlyHints({ link: links });
  } catch {
    // Hints are optional: one that Node finds malformed is left out.
  }
}

/** The links of one field, which may list several (RFC 8288 §3); Node takes them one by one. */
function linksOf(value: string): string[] {
  return value.match(/<[^<>]*>(?:[^,"]|"[^"]*")*/g)?.map((link) => link.trim()) ?? [];
}
