import type { ServerResponse } from "node:http";
import type { OriginVerdict } from "./access.ts";
import type { RequestHead } from "./request-head.ts";

/** A listed origin's question whether it may ask (WHATWG Fetch §4.8). Browsers send it without any credentials. */
export function isPreflight(head: RequestHead, origin: OriginVerdict): boolean {
  return origin.kind === "listed" && head.method === "OPTIONS" && head.preflightMethod !== undefined;
}

/** CORS for a listed origin: that origin exactly (WHATWG Fetch §3.2). */
export function corsGrant(origin: string): readonly string[] {
  return ["access-control-allow-origin", origin, "access-control-expose-headers", "*", "vary", "origin"];
}

/** Answered here, never by the upstream. */
export function answerPreflight(
  response: ServerResponse,
  head: RequestHead,
  allowedMethods: string,
  cors: readonly string[],
): void {
  response.writeHead(204, [...cors, ...preflightFields(head, allowedMethods)]);
  response.end();
}

/** What such a request may be. Grants nothing to private-network preflights. */
export function preflightFields(head: RequestHead, allowedMethods: string): readonly string[] {
  return [
    "access-control-allow-methods",
    allowedMethods,
    ...(head.preflightHeaders === undefined ? [] : ["access-control-allow-headers", head.preflightHeaders]),
    "access-control-max-age",
    "600",
  ];
}
