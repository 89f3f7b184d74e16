import { bearerToken } from "./access-token.ts";
import { USER_CLIENTS, type UserClient } from "./clients.ts";
import type { EmulatorContext } from "./context.ts";
import type { Service } from "./services.ts";

/** A judged authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3). */
export interface AuthorizationRequest {
  readonly client: UserClient;
  readonly redirectUri: string;
  readonly state: string | undefined;
  readonly scopes: readonly string[];
  readonly codeChallenge: string;
  readonly loginHint: string | undefined;
  /** A parameter of Zocdoc's own, as it was sent. */
  readonly anonymousToken: string | undefined;
}

export type AuthorizationVerdict =
  | { readonly kind: "good"; readonly request: AuthorizationRequest }
  /** Nobody to send the browser back to for sure: the person is told. */
  | { readonly kind: "page"; readonly status: number; readonly message: string }
  /** The application is told, on its redirect URI (RFC 6749 §4.1.2.1). */
  | {
      readonly kind: "redirect";
      readonly redirectUri: string;
      readonly state: string | undefined;
      readonly error: string;
      readonly description: string;
    };

/** 32 bytes in base64url without padding. */
const CHALLENGE = /^[\w-]{43}$/;

/**
 * Client and redirect URI are judged first, and a fault in them never leaves by redirect: else anybody could have the
 * provider send a browser wherever they like (RFC 9700 §4.11).
 */
export function judgeAuthorizationRequest(
  query: URLSearchParams,
  service: Service,
  redirectUris: ReadonlySet<string>,
): AuthorizationVerdict {
  const page = (status: number, message: string): AuthorizationVerdict => ({ kind: "page", status, message });
  for (const name of ["client_id", "redirect_uri"]) {
    if (query.getAll(name).length > 1) return page(400, `${name} is given more than once.`);
    if (!query.get(name)) return page(400, `${name} is missing.`);
  }
  const clientId = query.get("client_id");
  const client = USER_CLIENTS.find((known) => known.clientId === clientId && known.service === service.name);
  if (client === undefined) {
    return page(400, `client_id names no application that users of ${service.name} can sign in to.`);
  }
  const redirectUri = query.get("redirect_uri") ?? "";
  if (!redirectUris.has(redirectUri)) {
    return page(403, "redirect_uri is not registered for this application. It has to match to the letter.");
  }
  const state = query.get("state") || undefined;
  const fault = findFault(query, service, client);
  if (fault !== undefined) {
    const [error, description] = fault;
    return { kind: "redirect", redirectUri, state, error, description };
  }
  return {
    kind: "good",
    request: {
      client,
      redirectUri,
      state,
      scopes: [...new Set(scopesOf(query))],
      codeChallenge: query.get("code_challenge") ?? "",
      loginHint: query.get("login_hint") || undefined,
      anonymousToken: query.get("anonymous_token") || undefined,
    },
  };
}

function scopesOf(query: URLSearchParams): string[] {
  return (query.get("scope") ?? "").split(" ").filter((scope) => scope !== "");
}

/** Error code and description of the first fault that the application is to be told; undefined: none. */
function findFault(
  query: URLSearchParams,
  service: Service,
  client: UserClient,
): readonly [error: string, description: string] | undefined {
  // RFC 6749 §3.1: no parameter more than once.
  const doubled = [...query.keys()].find((name) => query.getAll(name).length > 1);
  if (doubled !== undefined)
    return ["invalid_request", `Parameter given more than once: ${printable(doubled)}`];
  const missing = ["response_type", "code_challenge", "audience"].find((name) => !query.get(name));
  if (missing !== undefined) return ["invalid_request", `Missing required parameter: ${missing}`];
  if (query.get("response_type") !== "code") {
    return ["unsupported_response_type", "Only the response type code is supported."];
  }
  if ((query.get("response_mode") ?? "query") !== "query") {
    return ["invalid_request", "Only the response mode query is supported."];
  }
  // Without a method it would be `plain` (RFC 7636 §4.3), which Zocdoc does not support.
  if (query.get("code_challenge_method") !== "S256") {
    return ["invalid_request", "Only the code_challenge_method S256 is supported."];
  }
  if (!CHALLENGE.test(query.get("code_challenge") ?? "")) {
    return ["invalid_request", "code_challenge must be the verifier's SHA-256 in base64url without padding."];
  }
  const audience = query.get("audience") ?? "";
  if (audience !== service.userAudience) {
    return ["access_denied", `Service not found: ${printable(audience)}`];
  }
  const scopes = scopesOf(query);
  if (scopes.length === 0) return ["invalid_scope", "Missing required parameter: scope"];
  const unknown = scopes.find((scope) => !client.scopes.includes(scope));
  return unknown === undefined ? undefined : ["invalid_scope", `Unknown scope: ${printable(unknown)}`];
}

/** What `error_description` may hold (RFC 6749 §4.1.2.1). */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, "?").slice(0, 100);
}

/** The visitor whom a valid anonymous token of this service stands for; undefined for anything else. */
export function visitorOf(
  token: string,
  service: Service,
  { tokens }: Pick<EmulatorContext, "tokens">,
): string | undefined {
  const wellFormed = bearerToken(`Bearer ${token}`);
  const check = wellFormed === undefined ? undefined : tokens.check(service, wellFormed);
  if (check?.state !== "valid" || check.claims.subject.kind !== "anonymous") return undefined;
  return check.claims.subject.visitor;
}
