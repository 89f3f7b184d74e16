import type { Logger } from "../core/log.ts";
import type { Secret } from "../core/secret.ts";
import { hasUser, isSameGrant, type VisitorToken, withToken } from "./record.ts";
import type { RenewalSubject } from "./renewal-subject.ts";
import type { Saver } from "./saver.ts";
import type { SessionCache } from "./session-cache.ts";
import type { UserTokenExchange } from "./user-token-exchange.ts";

/** Brings what came of a renewal into the record. Neither rejects. */
export interface TokenKeeper {
  /** Stores the new token where the record has what it replaces, and only then lets it be used. */
  keep(
    subject: RenewalSubject,
    token: VisitorToken,
    replaces: (present: VisitorToken | undefined) => boolean,
  ): Promise<void>;
  /** The refresh token is worth nothing any more: the credential's part of this session ends, no other. */
  end(subject: RenewalSubject, consumed: Secret): Promise<void>;
}

export interface TokenKeeperDeps {
  readonly log: Logger;
  readonly cache: SessionCache;
  readonly saver: Saver;
  readonly exchange: UserTokenExchange;
  readonly closing: AbortSignal;
  /** Makes the slot follow the record. */
  follow(subject: RenewalSubject): void;
}

export function createTokenKeeper(deps: TokenKeeperDeps): TokenKeeper {
  const { log, cache, saver, exchange, closing, follow } = deps;

  /** Stores the new token where the record still has the one it replaces, and only then lets it be used. */
  const keep = async (
    subject: RenewalSubject,
    token: VisitorToken,
    replaces: (present: VisitorToken | undefined) => boolean,
  ): Promise<void> => {
    const { entry, slot, credential } = subject;
    slot.unsaved = token;
    await saver.keepTrying(async () => {
      let isOrphan = false;
      const updated = await cache.update(entry, (record) => {
        const present = record.tokens.get(credential);
        isOrphan = false;
        if (present !== undefined && isSameGrant(present, token)) return "unchanged";
        isOrphan = !replaces(present);
        return isOrphan ? "unchanged" : withToken(record, credential, token);
      });
      slot.unsaved = undefined;
      if (updated === "gone" || isOrphan) return orphaned(subject, token);
      slot.outage = undefined;
      follow(subject);
      log.info("session_refreshed", { credential, expires_in: Math.round(token.lifetimeMs / 1_000) });
    });
  };

  /** The session ended meanwhile: nobody is to have what came too late for it. */
  const orphaned = ({ spec }: RenewalSubject, { refreshToken }: VisitorToken): void => {
    if (spec.kind !== "user" || refreshToken === undefined) return;
    void exchange.revoke(spec, refreshToken.reveal(), closing);
  };

  /** The refresh token is worth nothing any more: the credential's part of this session ends, no other. */
  const end = async (subject: RenewalSubject, consumed: Secret): Promise<void> => {
    const { entry, slot, credential } = subject;
    slot.doubtful = true;
    slot.dropped = true;
    log.info("session_ended", { credential, reason: "invalid_grant" });
    await saver.keepTrying(() =>
      cache.update(entry, (record) => {
        const present = record.tokens.get(credential);
        if (present?.refreshToken === undefined || !present.refreshToken.equals(consumed)) return "unchanged";
        const rest = withToken(record, credential, undefined);
        return hasUser(rest) ? rest : undefined;
      }),
    );
    follow(subject);
  };

  return { keep, end };
}
