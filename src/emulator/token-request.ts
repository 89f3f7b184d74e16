import type { KnownClient } from "./clients.ts";
import { type Answer, parseJsonObject } from "./exchange.ts";

/** A token request, granted or refused, before it becomes an answer. */
export type TokenDecision =
  | {
      readonly kind: "issued";
      readonly client: KnownClient;
      readonly accessToken: string;
      readonly answer: Answer;
    }
  | {
      readonly kind: "refused";
      /** undefined where the client could not be told. */
      readonly client: KnownClient | undefined;
      readonly error: string;
      readonly answer: Answer;
    };

/** No token response may be cached (RFC 6749 §5.1). */
const NO_STORE = { "Cache-Control": "no-store", Pragma: "no-cache" };

/** Token requests are small; a larger one is nobody's. */
export const MAX_TOKEN_REQUEST_BYTES = 64 * 1_024;

export function issued(
  client: KnownClient,
  json: { readonly access_token: string; readonly [member: string]: unknown },
): TokenDecision {
  const answer = { status: 200, headers: NO_STORE, json };
  return { kind: "issued", client, accessToken: json.access_token, answer };
}

/** An error of RFC 6749 §5.2. `description` goes out as `error_description` unless it is undefined. */
export function refused(
  status: number,
  error: string,
  description?: string,
  { client, headers = {} }: { client?: KnownClient; headers?: Record<string, string> } = {},
): TokenDecision {
  const json = description === undefined ? { error } : { error, error_description: description };
  return { kind: "refused", client, error, answer: { status, headers: { ...NO_STORE, ...headers }, json } };
}

/** Parameters in JSON or as a form, which Auth0 takes alike; one sentence on what is wrong with them otherwise. */
export function parseTokenParameters(type: string, body: Buffer): ReadonlyMap<string, string> | string {
  if (type === "application/x-www-form-urlencoded") {
    return parseForm(body.toString()) ?? "A parameter is given more than once.";
  }
  if (type !== "application/json") return "Send application/json or application/x-www-form-urlencoded.";
  const object = parseJsonObject(body);
  if (object === undefined) return "The body is not a JSON object.";
  const entries = Object.entries(object);
  const wrong = entries.find(([, value]) => typeof value !== "string");
  if (wrong !== undefined) return `Parameter ${wrong[0]} must be a string.`;
  return new Map((entries as [string, string][]).filter(([, value]) => value !== ""));
}

/** Form parameters; undefined where one is given twice (RFC 6749 §3.2). An empty value counts as left out. */
export function parseForm(body: string): Map<string, string> | undefined {
  const parameters = new Map<string, string>();
  const seen = new Set<string>();
  for (const [name, value] of new URLSearchParams(body)) {
    if (seen.has(name)) return undefined;
    seen.add(name);
    if (value !== "") parameters.set(name, value);
  }
  return parameters;
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Client id and secret of an `Authorization: Basic …` field: one scheme, one space, padded base64 without a break,
 * UTF-8, a colon, and both halves form-decoded (RFC 7617 §2, RFC 6749 §2.3.1). undefined for anything else.
 */
export function parseBasic(authorization: string): { clientId: string; clientSecret: string } | undefined {
  const encoded = /^basic ([^ ]+)$/i.exec(authorization)?.[1];
  if (encoded === undefined || !BASE64.test(encoded)) return undefined;
  try {
    const pair = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      Buffer.from(encoded, "base64"),
    );
    const colon = pair.indexOf(":");
    if (colon < 1) return undefined;
    return { clientId: formDecode(pair.slice(0, colon)), clientSecret: formDecode(pair.slice(colon + 1)) };
  } catch {
    return undefined;
  }
}

function formDecode(text: string): string {
  return decodeURIComponent(text.replaceAll("+", " "));
}
