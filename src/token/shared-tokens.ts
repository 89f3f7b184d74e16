import type { Version } from "../store/store.ts";
import type { Vault } from "../store/vault.ts";
import { decodeSharedToken, encodeSharedToken, type SharedToken } from "./shared-record.ts";

/** A token in the store, and by which write it came there. */
export interface PublishedToken {
  readonly shared: SharedToken;
  readonly version: Version;
}

/** `key` is the full cache key, see `tokenKey`. Rejects with `StoreUnavailable`. */
export async function readShared(vault: Vault, key: string): Promise<PublishedToken | undefined> {
  const record = await vault.read("token", key);
  const shared = decodeSharedToken(record?.content);
  return record === undefined || shared === undefined ? undefined : { shared, version: record.version };
}

/** Another writer may come in between; a third time it is left at what the others wrote. */
const MAX_TRIES = 3;

/**
 * Puts a token where the others find it, unless one is there that was asked for later: a holder of the lock that was
 * slow, or had lost it, does not overwrite what a quicker one had. Rejects with `StoreUnavailable`.
 *
 * @param expiresAtMs Unix milliseconds by this process's clock
 */
export async function publish(
  vault: Vault,
  key: string,
  shared: SharedToken,
  expiresAtMs: number,
): Promise<void> {
  const content = encodeSharedToken(shared);
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const record = await vault.read("token", key);
    const present = decodeSharedToken(record?.content);
    if (present !== undefined && present.sentAtMs > shared.sentAtMs) return;
    const expected = record?.version ?? "absent";
    if ((await vault.write("token", key, content, { expiresAtMs, expected })) !== undefined) return;
  }
}

/** Removes exactly that write's token, nothing newer. Rejects with `StoreUnavailable`. */
export async function forget(vault: Vault, key: string, version: Version): Promise<void> {
  await vault.remove("token", key, version);
}
