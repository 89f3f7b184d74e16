import { createHash } from "node:crypto";
import type { ClientCredentialsSpec } from "../config/config.ts";

/**
 * Whose token it is, all but the secret: what the cache finds an entry by (product contract §3, rule 1).
 *
 * Two tokens may stand for each other only if every part is the same. Left out is only what cannot change what the
 * server grants: trust anchors, the HTTP proxy, the spacing of requests, the fields injected beside the token. A client
 * certificate is in, since it may be what the server binds the token to (RFC 8705).
 */
export function tokenIdentity(
  credential: string,
  tenant: string | undefined,
  spec: ClientCredentialsSpec,
  clientId: string,
): string {
  const tls = spec.connection.tls;
  return hash([
    credential,
    tenant ?? null,
    spec.provider,
    spec.environment,
    spec.tokenUrl.href,
    clientId,
    spec.clientAuth,
    [...new Set(spec.scopes)].sort(),
    spec.audience ?? null,
    Object.entries(spec.params).sort(([a], [b]) => (a < b ? -1 : 1)),
    spec.tokenRequestHeaders,
    [tls?.cert ?? null, tls?.key ?? null],
  ]);
}

/** The full cache key: the identity and the fingerprint of the secret. A token is current only under the present one. */
export function tokenKey(identity: string, secretFingerprint: string): string {
  return hash([identity, secretFingerprint]);
}

/** JSON arrays keep their parts apart whatever these hold, so two different lists never read the same. */
function hash(parts: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64url");
}
