import type { UserSpec } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { Secret } from "../core/secret.ts";
import { StoreUnavailable } from "../store/store.ts";
import { EXPIRED_ON_ARRIVAL } from "../token/token-outcome.ts";
import type { Outages } from "./outages.ts";
import { isDoubtful, isSameGrant, type VisitorToken, withToken } from "./record.ts";
import type { RenewalSubject } from "./renewal-subject.ts";
import type { SessionCache } from "./session-cache.ts";
import type { TokenKeeper } from "./token-keeper.ts";
import { isInvalidGrant, type UserAttempt, type UserTokenExchange } from "./user-token-exchange.ts";
import { refreshRequest } from "./user-token-request.ts";

export interface UserRefreshDeps {
  readonly clock: Clock;
  readonly cache: SessionCache;
  readonly exchange: UserTokenExchange;
  readonly keeper: TokenKeeper;
  readonly outages: Outages;
  /** Random, one per process: whose intents are its own. */
  readonly processId: string;
  readonly closing: AbortSignal;
}

/**
 * Sends a refresh token once: first the intent into the record, then the request, then the answer into the record
 * (docs/decisions/0013-refresh-token-rotation.md). Rejects with `StoreUnavailable` where nothing was sent.
 */
export type UserRefresh = (
  subject: RenewalSubject,
  spec: UserSpec,
  token: VisitorToken,
  consumed: Secret,
) => Promise<void>;

export function createUserRefresh(deps: UserRefreshDeps): UserRefresh {
  const { clock, cache, exchange, keeper, outages, processId, closing } = deps;

  const refresh: UserRefresh = async (
    subject: RenewalSubject,
    spec: UserSpec,
    token: VisitorToken,
    consumed: Secret,
  ): Promise<void> => {
    const { entry, slot, credential, observer } = subject;
    let marked = false;
    const intent = { id: processId, fingerprint: consumed.fingerprint(), atMs: clock.wall() };
    const mark = async (): Promise<void> => {
      marked = true;
      const updated = await cache.update(entry, (record) => {
        const present = record.tokens.get(credential);
        const same = present !== undefined && isSameGrant(present, token) && !isDoubtful(present, processId);
        return same ? withToken(record, credential, { ...present, intent }) : "unchanged";
      });
      if (updated !== "written") throw new Error("somebody else was quicker");
    };
    slot.sentAtMs = clock.now();
    const attempt = await exchange.attempt(
      spec,
      {
        build: (client) => refreshRequest(spec, client, consumed.reveal()),
        sensitive: [consumed.reveal(), token.accessToken.reveal()],
      },
      observer,
      closing,
      mark,
    );
    if (attempt.calledOff instanceof StoreUnavailable) throw attempt.calledOff;
    if (attempt.calledOff !== undefined) return;
    await settle(subject, token, consumed, attempt, marked);
  };

  const settle = async (
    subject: RenewalSubject,
    token: VisitorToken,
    consumed: Secret,
    { outcome, sentAtWallMs, durationMs }: UserAttempt,
    marked: boolean,
  ): Promise<void> => {
    if (outcome.kind === "token") {
      const { value, lifetimeMs, scope, refreshToken } = outcome.token;
      const renewed: VisitorToken = {
        ...token,
        accessToken: value,
        refreshToken: refreshToken ?? consumed,
        scope: scope ?? token.scope,
        sentAtMs: sentAtWallMs,
        lifetimeMs,
        intent: undefined,
      };
      await keeper.keep(subject, renewed, (present) => present?.refreshToken?.equals(consumed) === true);
      if (lifetimeMs <= durationMs) {
        outages.fail(subject, EXPIRED_ON_ARRIVAL);
      }
      return;
    }
    if (isInvalidGrant(outcome)) return keeper.end(subject, consumed);
    // Dying without an answer: whether the token is used up is not known, and the intent says so.
    if (outcome.reason === "closed") return;
    if (marked) await clearIntent(subject);
    outages.fail(subject, outcome);
  };

  /** Where the store is down it stays: it is known to be this process's own. */
  const clearIntent = async ({ entry, credential }: RenewalSubject): Promise<void> => {
    try {
      await cache.update(entry, (record) => {
        const present = record.tokens.get(credential);
        if (present?.intent?.id !== processId) return "unchanged";
        return withToken(record, credential, { ...present, intent: undefined });
      });
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
    }
  };

  return refresh;
}
