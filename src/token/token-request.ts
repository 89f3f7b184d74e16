import type { ClientCredentialsSpec } from "../config/config.ts";
import { authenticateClient, type ClientCredentials } from "./client-authentication.ts";

/** A token request, ready for the wire. */
export interface TokenRequest {
  readonly method: "POST";
  readonly url: URL;
  /** Flat name, value, … with lower-case names but for those of the configuration. */
  readonly headers: readonly string[];
  readonly body: string;
}

/**
 * The client-credentials request (RFC 6749 §4.4.2): a form, or a JSON object where the client authenticates so.
 * Without scopes there is no `scope`, without an audience no `audience`. An extra parameter cannot replace one of these.
 */
export function tokenRequest(spec: ClientCredentialsSpec, credentials: ClientCredentials): TokenRequest {
  const authentication = authenticateClient(spec.clientAuth, credentials);
  const parameters: Record<string, string> = {
    ...spec.params,
    grant_type: "client_credentials",
    ...authentication.parameters,
    ...(spec.audience === undefined ? {} : { audience: spec.audience }),
    ...(spec.scopes.length === 0 ? {} : { scope: spec.scopes.join(" ") }),
  };
  const format = spec.clientAuth === "json" ? "json" : "form";
  return postRequest(
    spec.tokenUrl,
    format,
    [...authentication.headers, ...spec.tokenRequestHeaders],
    parameters,
  );
}

/** A `POST` of parameters to an authorization server, as a JSON object or as a form; `headers` is flat. */
export function postRequest(
  url: URL,
  format: "json" | "form",
  headers: readonly string[],
  parameters: Readonly<Record<string, string>>,
): TokenRequest {
  const json = format === "json";
  return {
    method: "POST",
    url,
    headers: [
      ...["content-type", json ? "application/json" : "application/x-www-form-urlencoded"],
      ...["accept", "application/json"],
      // A compressed answer could unfold into more than is to be read; none is asked for and none is taken.
      ...["accept-encoding", "identity"],
      ...["user-agent", "pillion"],
      ...headers,
    ],
    body: json ? JSON.stringify(parameters) : new URLSearchParams(parameters).toString(),
  };
}
