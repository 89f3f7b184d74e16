/**
 * What becomes of a request's header fields. One table, looked up once a field: what stands here is special, every
 * other end-to-end field passes as it was sent.
 */
export type FieldRole =
  | "drop" // hop-by-hop, or an identity that only the proxy may state
  | "host"
  | "connection"
  | "content-length"
  | "transfer-encoding"
  | "expect"
  | "authorization"
  | "cookie"
  | "origin"
  | "sec-fetch-site"
  | "sec-fetch-mode"
  | "sec-fetch-dest"
  | "access-control-request-method"
  | "access-control-request-headers"
  | "pillion-access"
  | "pillion-session"
  | "x-request-id"
  | "traceparent"
  | "te";

export const REQUEST_FIELDS: ReadonlyMap<string, FieldRole> = new Map<string, FieldRole>([
  ["host", "host"],
  ["connection", "connection"],
  ["content-length", "content-length"],
  ["transfer-encoding", "transfer-encoding"],
  ["expect", "expect"],
  ["authorization", "authorization"],
  ["cookie", "cookie"],
  ["origin", "origin"],
  ["sec-fetch-site", "sec-fetch-site"],
  ["sec-fetch-mode", "sec-fetch-mode"],
  ["sec-fetch-dest", "sec-fetch-dest"],
  ["access-control-request-method", "access-control-request-method"],
  ["access-control-request-headers", "access-control-request-headers"],
  ["pillion-access", "pillion-access"],
  ["pillion-session", "pillion-session"],
  ["x-request-id", "x-request-id"],
  ["traceparent", "traceparent"],
  ["te", "te"],
  // Hop-by-hop: RFC 9110 §7.6.1, and those that only one hop ever understood.
  ["keep-alive", "drop"],
  ["proxy-connection", "drop"],
  ["proxy-authenticate", "drop"],
  ["proxy-authorization", "drop"],
  ["trailer", "drop"],
  ["upgrade", "drop"],
  ["http2-settings", "drop"],
  // Stated by the proxy for the configured tenant, or by nobody.
  ["x-account", "drop"],
  ["x-tenant-id", "drop"],
  // A legacy app's own words about where a request came from have no standing at the upstream.
  ["forwarded", "drop"],
  ["x-real-ip", "drop"],
  ["x-original-url", "drop"],
  ["x-rewrite-url", "drop"],
  ["x-http-method-override", "drop"],
  ["x-http-method", "drop"],
  ["x-method-override", "drop"],
]);

/** Fields of an answer that frame it, belong to one connection, or are the proxy's own mark. */
const RESPONSE_DROPS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authentication-info",
  "te",
  "transfer-encoding",
  "upgrade",
  "proxy-status",
]);

/** True for a response field that stays on the upstream's side: hop-by-hop, CORS grants, and the proxy's own mark. */
export function isDroppedFromResponse(name: string): boolean {
  return RESPONSE_DROPS.has(name) || name.startsWith("access-control-") || name.startsWith("pillion-");
}

/** True for a request field that is dropped by the form of its name. */
export function isDroppedByName(name: string): boolean {
  // An underscore reads as a dash in CGI-like environments, so `X_Tenant_Id` could pass for `X-Tenant-Id`.
  return name.startsWith("x-forwarded-") || name.startsWith("pillion-") || name.includes("_");
}
