import { createHash } from "node:crypto";
import type { VisitorSpec } from "../config/config.ts";
import { readValue, type SecretReader } from "../token/secret-reader.ts";

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
