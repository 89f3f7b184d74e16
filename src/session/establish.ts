import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import type { Vault } from "../store/vault.ts";
import { pause } from "../token/flight.ts";
import type { VisitorToken } from "./record.ts";
import type { SessionCache } from "./session-cache.ts";

/**
 * Makes the session of a login under a new id (RFC 9700 §4.7, session fixation). Tokens of other credentials move along
 * from the session that the browser or the application has, and that one ends.
 */
export type Establish = (
  id: string,
  credential: string,
  token: VisitorToken,
  oldId: string | undefined,
) => Promise<void>;

export interface EstablishDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly vault: Vault;
  readonly cache: SessionCache;
  readonly closing: AbortSignal;
}

/** A refresh of what is to move along is waited for so long. */
const LOCK = { ttlMs: 15_000, tries: 20, pauseMs: 100 };

export function createEstablish({ clock, log, vault, cache, closing }: EstablishDeps): Establish {
  /** The new session: the new token, and those of other credentials from the old session. */
  const establish: Establish = async (id, credential, token, oldId) => {
    const locks = oldId === undefined ? [] : await lockForMove(oldId, credential);
    try {
      const tokens = new Map<string, VisitorToken>();
      const old = oldId === undefined ? undefined : await cache.load(oldId);
      if (old !== undefined) {
        if (vault.shared) await cache.reread(old);
        for (const [name, moved] of old.gone ? [] : old.record.tokens) {
          const isHeld = moved.refreshToken === undefined || locks.some((lock) => lock.credential === name);
          if (name !== credential && isHeld) tokens.set(name, moved);
        }
      }
      tokens.set(credential, token);
      await cache.create(id, tokens);
      if (oldId !== undefined) await cache.take(oldId);
    } finally {
      for (const lock of locks) void lock.release();
    }
    log.info("session_signed_in", { credential });
  };

  /** A refresh token that is being used at this moment would be a used one in the new session: its lock is waited for. */
  const lockForMove = async (
    oldId: string,
    credential: string,
  ): Promise<{ readonly credential: string; release(): Promise<void> }[]> => {
    const old = await cache.load(oldId);
    const names = [...(old?.record.tokens ?? [])]
      .filter(([name, { refreshToken }]) => name !== credential && refreshToken !== undefined)
      .map(([name]) => name);
    const locks: { readonly credential: string; release(): Promise<void> }[] = [];
    for (const name of names) {
      for (let attempt = 0; attempt < LOCK.tries; attempt += 1) {
        const lock = await vault.lock("session", `${oldId}/${name}`, LOCK.ttlMs);
        if (lock !== undefined) {
          locks.push({ credential: name, release: () => lock.release() });
          break;
        }
        await pause(LOCK.pauseMs, clock, closing);
      }
    }
    return locks;
  };

  return establish;
}
