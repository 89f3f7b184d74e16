import type { ClientCredentialsSpec } from "../config/config.ts";

/** A client's id and secret, revealed: for the wire only. */
export interface ClientCredentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

/** What authenticates the client: header fields (flat) and body parameters. */
export interface ClientAuthentication {
  readonly headers: readonly string[];
  readonly parameters: Readonly<Record<string, string>>;
}

/**
 * Client authentication (RFC 6749 §2.3.1): `basic` in the header, `post` and `json` in the body.
 *
 * Basic encodes id and secret as form values first, then in base64. Letters, digits and `*-._` stay as they are, so for
 * the ids and secrets that Cognito, Qmatic and Auth0 give out the bytes are the same as without the first step, which
 * some servers leave out.
 */
export function authenticateClient(
  method: ClientCredentialsSpec["clientAuth"],
  { clientId, clientSecret }: ClientCredentials,
): ClientAuthentication {
  if (method !== "basic") {
    return { headers: [], parameters: { client_id: clientId, client_secret: clientSecret } };
  }
  const userPass = `${formEncode(clientId)}:${formEncode(clientSecret)}`;
  return {
    headers: ["authorization", `Basic ${Buffer.from(userPass).toString("base64")}`],
    parameters: {},
  };
}

/** One value as `application/x-www-form-urlencoded` (RFC 6749 appendix B). */
export function formEncode(value: string): string {
  return new URLSearchParams([["", value]]).toString().slice(1);
}
