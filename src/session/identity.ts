import { createHash } from "node:crypto";
import type { UserSpec, VisitorSpec } from "../config/config.ts";
import { readValue, type SecretReader } from "../token/secret-reader.ts";
import { clientUnreadable } from "./visitor-error.ts";

/**
 * Whose token it is: a token of a session is used only with the very settings it was had with (product contract §3,
 * rule 1). After a change of environment, client or scopes it is none, and the user signs in again. Throws while the
 * client id cannot be read.
 */
export function visitorIdentity(credential: string, spec: VisitorSpec, secrets: SecretReader): string {
  return createHash("sha256")
    .update(
      JSON.stringify([credential, spec.kind, spec.provider, spec.environment, ...partsOf(spec, secrets)]),
    )
    .digest("base64url");
}

function partsOf(spec: VisitorSpec, secrets: SecretReader): readonly unknown[] {
  if (spec.kind === "anonymous") {
    return [spec.mintUrl.href, readValue(secrets, spec.appClientId), spec.app.credential];
  }
  return [
    spec.authorizeUrl.href,
    spec.tokenUrl.href,
    readValue(secrets, spec.clientId),
    [...new Set(spec.scopes)].sort(),
    spec.audience ?? null,
  ];
}

/** A user's client as a login needs it. Throws TOKEN_UNAVAILABLE while the client id cannot be read. */
export function readClient(
  credential: string,
  spec: UserSpec,
  secrets: SecretReader,
): { readonly clientId: string; readonly identity: string } {
  try {
    return {
      clientId: readValue(secrets, spec.clientId),
      identity: visitorIdentity(credential, spec, secrets),
    };
  } catch (error) {
    throw clientUnreadable(credential, spec, error);
  }
}
