import type { ClientCredentialsSpec } from "../config/config.ts";
import type { Random } from "../core/backoff.ts";
import type { Clock, Timer } from "../core/clock.ts";
import type { ProxyError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { Secret } from "../core/secret.ts";
import { type AccessToken, accessToken } from "./access-token.ts";
import { tokenKey } from "./cache-key.ts";
import { type Flight, landed, pause } from "./flight.ts";
import type { CredentialObserver } from "./observer.ts";
import { refreshPolicy } from "./refresh-policy.ts";
import { retryDelayMs } from "./retry-policy.ts";
import type { SecretReader } from "./secret-reader.ts";
import { failureHint, failureText, type TokenSubject, tokenError, waitedError } from "./token-error.ts";
import type { Attempt, AttemptHooks, TokenExchange } from "./token-exchange.ts";
import { type TokenFailure, transient } from "./token-outcome.ts";
import type { TokenState } from "./token-state.ts";

/**
 * The heart of the engine: one state machine, in one file so that its few variables and every place that changes them
 * can be seen together. What can be decided without them is decided elsewhere: `refresh-policy`, `retry-policy`,
 * `token-response`.
 */

/** Keeps the token of one identity (see `tokenIdentity`): gives it out, renews it, gets over outages. */
export interface Refresher {
  /**
   * The token to send now, without waiting: while it is fresh; while it is advisory, and a refresh then runs behind; and
   * while it is valid at all during a known outage. Otherwise undefined.
   */
  current(): AccessToken | undefined;
  /**
   * The token once the refresh under way (begun by this call if need be) is over. Rejects with `ProxyError`
   * TOKEN_UNAVAILABLE or TOKEN_REJECTED: at once during a known outage, after 10 s at the latest. A token that is still
   * valid is given out where the refresh fails or takes longer than half of what is left of its life.
   */
  wait(): Promise<AccessToken>;
  /** One that was given out was not sent: the next does not count as one more that was served. */
  discount(): void;
  /**
   * The upstream refused this bare token. If it is the one in the cache it is dropped, and a forced refresh replaces it:
   * at most one per 10 s, none during a known outage. Where none may begin the token stays in use. Undefined when no
   * other token can be had. Never rejects.
   */
  invalidate(rejected: string): Promise<AccessToken | undefined>;
  /** The newest configuration of the same identity: how to connect, how to space. */
  useSpec(spec: ClientCredentialsSpec): void;
  /** Renewed without being asked for, from now on or no longer. */
  setPrefetch(prefetch: boolean): void;
  /** Resolves when there is a current token or one attempt has failed. Never rejects. */
  ready(): Promise<void>;
  /** The configuration or a secret changed: a known outage may be over, whoever needs the token tries at once. */
  forgetOutage(): void;
  state(): Omit<TokenState, "credential" | "tenant" | "grant" | "prefetch">;
  /** No timers and no background work from now on. */
  close(): void;
}

export interface RefresherDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly secrets: SecretReader;
  readonly exchange: TokenExchange;
  /** Aborts when everything ends. */
  readonly closing: AbortSignal;
}

/** What a refresher keeps the token of. */
export interface RefresherIdentity {
  readonly credential: string;
  readonly tenant: string | undefined;
  readonly clientId: string;
  /** `tokenIdentity` of all that. */
  readonly identity: string;
  readonly observer: CredentialObserver;
}

/** A request waits for its token so long, a turn at a spaced token URL included. */
const WAIT_LIMIT_MS = 10_000;
/** With a valid token of an earlier secret at hand a request is more impatient. */
const SUPERSEDED_WAIT_LIMIT_MS = 2_000;
/** Between two requests for one key, whatever lifetimes the server gives. */
const MIN_INTERVAL_MS = 1_000;
const FORCED_INTERVAL_MS = 10_000;
/** Without a valid token retries go on in the background while somebody asked within this time. */
const INTEREST_MS = 300_000;

/** A known outage: nothing is asked before `nextAttemptAtMs`. */
interface Outage {
  readonly failure: TokenFailure;
  readonly attempt: number;
  readonly nextAttemptAtMs: number;
}

export function createRefresher(
  of: RefresherIdentity,
  initialSpec: ClientCredentialsSpec,
  deps: RefresherDeps,
): Refresher {
  const { clock, random, log, secrets, exchange, closing } = deps;
  const { observer } = of;
  const labels = { credential: of.credential, ...(of.tenant === undefined ? {} : { tenant: of.tenant }) };

  let spec = initialSpec;
  let prefetch = false;
  let closed = false;

  let secret: Secret | undefined;
  /** The full cache key now. A token under another one, had with an earlier secret, is only a last resort. */
  let key: string | undefined;

  let token: AccessToken | undefined;
  let tokenGeneration = 0;
  /** A request was sent with the token since it was had. */
  let used = false;
  /** Given out and not sent, and not made up for yet. */
  let unsent = 0;
  /** What the upstream refused last, until there is another: it must not come back from whoever shares it. */
  let refused: Secret | undefined;

  let flight: Flight | undefined;
  let generation = 0;
  let outage: Outage | undefined;
  let lastFailure: TokenFailure | undefined;
  /** Failures since the last success: how many, and when the first was, on the wall. */
  let failures = 0;
  let failingSinceMs = 0;
  let timer: Timer | undefined;

  let askedAtMs = Number.NEGATIVE_INFINITY;
  let sentAtMs = Number.NEGATIVE_INFINITY;
  let sentKey: string | undefined;
  let sentAtWallMs: number | undefined;
  let forcedAtMs = Number.NEGATIVE_INFINITY;

  const subject = (): TokenSubject => ({ ...of, tokenUrl: spec.tokenUrl });
  const validToken = (nowMs: number): AccessToken | undefined =>
    token !== undefined && nowMs < token.expiresAtMs ? token : undefined;
  const inOutage = (nowMs: number): boolean =>
    outage !== undefined && (nowMs < outage.nextAttemptAtMs || flight?.background === true);

  /** Runs for every request: comparing two references is all that it does until the secret changes. */
  const noticeSecret = (): void => {
    let present: Secret;
    try {
      present = secrets.read(spec.clientSecret);
    } catch {
      return; // The token goes on being used; the next attempt reports it.
    }
    if (present === secret) return;
    secret = present;
    const presentKey = tokenKey(of.identity, present.fingerprint());
    if (key !== undefined && presentKey !== key) outage = undefined;
    key = presentKey;
  };

  const serve = (served: AccessToken, source: "fresh" | "cached" | "advisory"): AccessToken => {
    used = true;
    if (unsent > 0) unsent -= 1;
    else observer.served(source);
    return served;
  };

  const current = (): AccessToken | undefined => {
    const nowMs = clock.now();
    askedAtMs = nowMs;
    noticeSecret();
    if (token === undefined) return undefined;
    const freshness = refreshPolicy(nowMs, clock.wall(), token);
    if (freshness === "expired") return undefined;
    if (token.key === key) {
      if (freshness === "fresh") return serve(token, "cached");
      if (freshness === "advisory") {
        // Where the last exchange was less than a second ago the timer is set for when it may be repeated.
        if (flight === undefined && !inOutage(nowMs) && nowMs - sentAtMs >= MIN_INTERVAL_MS) begin(false);
        return serve(token, "advisory");
      }
    }
    return inOutage(nowMs) ? serve(token, "advisory") : undefined;
  };

  /** How long a request waits before it takes the token that there is. */
  const patienceMs = (nowMs: number): number => {
    const valid = validToken(nowMs);
    if (valid === undefined) return WAIT_LIMIT_MS;
    const halfLifeMs = (valid.expiresAtMs - nowMs) / 2;
    return valid.key === key ? halfLifeMs : Math.min(halfLifeMs, SUPERSEDED_WAIT_LIMIT_MS);
  };

  /** The token that the flight brings, or what there is when the wait is over; undefined when that is nothing. */
  const join = async (joined: Flight, limitMs: number): Promise<AccessToken | undefined> => {
    const startMs = clock.now();
    joined.awaited = true;
    const end = await landed(joined, Math.min(limitMs, patienceMs(startMs)), clock);
    const nowMs = clock.now();
    if (joined.token !== undefined && nowMs < joined.token.expiresAtMs) return serve(joined.token, "fresh");
    // It failed, but with an earlier secret, and the flight with the new one is under way.
    if (end === "over" && flight !== undefined && flight.generation > joined.generation) {
      return join(flight, Math.max(0, limitMs - (nowMs - startMs)));
    }
    const left = validToken(nowMs);
    return left === undefined ? undefined : serve(left, "advisory");
  };

  const unavailable = (known: Outage | undefined): ProxyError => {
    if (closing.aborted) {
      observer.unavailable("closed");
      return tokenError(subject(), transient("closed", "is not asked any more"), 0);
    }
    observer.unavailable(known?.failure.reason ?? "waited");
    return known === undefined
      ? waitedError(subject(), WAIT_LIMIT_MS)
      : tokenError(subject(), known.failure, known.nextAttemptAtMs - clock.now());
  };

  const wait = async (): Promise<AccessToken> => {
    if (closing.aborted || inOutage(clock.now())) throw unavailable(outage);
    const had = await join(currentFlight() ?? begin(false), WAIT_LIMIT_MS);
    if (had === undefined) throw unavailable(outage);
    return had;
  };

  /** The flight under way, if it carries the present secret. */
  const currentFlight = (): Flight | undefined => (flight?.key === key ? flight : undefined);

  const begin = (background: boolean, forced = false): Flight => {
    timer?.cancel();
    timer = undefined;
    generation += 1;
    const over = Promise.resolve();
    const started: Flight = { generation, key, background, awaited: false, token: undefined, over };
    flight = started;
    const delayMs = forced || sentKey !== key ? 0 : sentAtMs + MIN_INTERVAL_MS - clock.now();
    started.over = fly(started, delayMs);
    return started;
  };

  const fly = async (started: Flight, delayMs: number): Promise<void> => {
    try {
      await pause(delayMs, clock, closing);
      const held = validToken(clock.now());
      const hooks: AttemptHooks = {
        requested: (outcome, durationSeconds) => observer.requested(outcome, durationSeconds),
        resending() {
          noticeSecret();
          started.key = key;
          log.info("token_secret_changed", labels);
        },
        isAwaited: () => started.awaited,
        need: {
          identity: of.identity,
          clientId: of.clientId,
          held: held?.key === key ? held?.value : undefined,
          refused,
        },
      };
      land(started, await exchange.attempt(spec, hooks, closing));
    } catch (error) {
      // The exchange never rejects; should it do so after all, waiting requests must hear of it.
      log.error("token_refresh_crashed", { ...labels, error: error instanceof Error ? error.message : "" });
      if (flight === started) flight = undefined;
      if (started.token === undefined) recordFailure(transient("internal", "was not asked"), clock.now());
      arm();
    }
  };

  const land = (landing: Flight, attempt: Attempt): void => {
    if (flight === landing) flight = undefined;
    sentAtMs = attempt.sentAtMs;
    sentAtWallMs = attempt.sentAtWallMs;
    sentKey = landing.key;
    noticeSecret();
    const { outcome } = attempt;
    if (attempt.clientId !== undefined && attempt.clientId !== of.clientId) {
      // The client itself has changed: right for those who wait, but another identity's token to keep.
      if (outcome.kind === "token") landing.token = accessToken(outcome.token, attempt, "", random);
      used = false;
      return;
    }
    if (outcome.kind === "token") {
      const key = tokenKey(of.identity, attempt.secret?.fingerprint() ?? "");
      landing.token = accessToken(outcome.token, attempt, key, random);
      keep(landing, landing.token, attempt.durationMs);
    } else if (landing.generation === generation && outcome.reason !== "closed") {
      recordFailure(outcome, clock.now());
    }
    arm();
  };

  const keep = (landing: Flight, had: AccessToken, durationMs: number): void => {
    if (landing.generation < tokenGeneration) return;
    token = had;
    tokenGeneration = landing.generation;
    used = !landing.background;
    if (refused !== undefined && !had.value.equals(refused)) refused = undefined;
    if (landing.generation === generation) {
      outage = undefined;
      lastFailure = undefined;
      failures = 0;
    }
    observer.expiry(had.expiresAtWallMs / 1_000);
    log.info("token_obtained", {
      ...labels,
      expires_in: Math.round(had.lifetimeMs / 1_000),
      duration_ms: Math.round(durationMs),
    });
  };

  const recordFailure = (failure: TokenFailure, nowMs: number): void => {
    const attempt = outage === undefined ? 0 : outage.attempt + 1;
    const rejected = failure.kind === "rejected";
    const delayMs = retryDelayMs(
      { attempt, rejected, retryAfterMs: failure.retryAfterMs, nowMs, valid: validToken(nowMs) },
      random,
    );
    lastFailure = failure;
    if (failures === 0) failingSinceMs = clock.wall();
    failures += 1;
    outage = { failure, attempt, nextAttemptAtMs: nowMs + delayMs };
    log[rejected ? "error" : "warn"](rejected ? "token_rejected" : "token_request_failed", {
      ...labels,
      reason: failure.reason,
      detail: failureText(subject(), failure),
      attempt: attempt + 1,
      retry_in_ms: Math.round(delayMs),
    });
  };

  /** Whether anybody would miss the token: what an idle key is told by. */
  const wanted = (nowMs: number): boolean =>
    prefetch || (validToken(nowMs) === undefined ? nowMs - askedAtMs <= INTEREST_MS : used);

  /** When the one timer is due: the retry, or the renewal as the advisory window opens. */
  const dueAtMs = (): number | undefined => {
    if (outage !== undefined) return outage.nextAttemptAtMs;
    if (token === undefined) return undefined;
    return Math.max(
      token.key === key ? token.advisoryAtMs : Number.NEGATIVE_INFINITY,
      sentAtMs + MIN_INTERVAL_MS,
    );
  };

  /** Sets the one timer. It fires once; a key that is idle then is left alone until somebody asks. */
  const arm = (): void => {
    timer?.cancel();
    timer = undefined;
    const atMs = dueAtMs();
    if (closed || flight !== undefined || atMs === undefined) return;
    timer = clock.schedule(atMs - clock.now(), () => {
      timer = undefined;
      if (closed || flight !== undefined) return;
      noticeSecret();
      const nowMs = clock.now();
      const presentMs = dueAtMs();
      // The longest delay of a timer is shorter than the longest lifetime.
      if (presentMs !== undefined && nowMs < presentMs) arm();
      else if (wanted(nowMs)) begin(true);
    });
  };

  const invalidate = async (rejected: string): Promise<AccessToken | undefined> => {
    const other = (had: AccessToken | undefined): AccessToken | undefined =>
      had === undefined || had.value.matches(rejected) ? undefined : had;
    const nowMs = clock.now();
    noticeSecret();
    const cached = validToken(nowMs);
    if (cached !== undefined) {
      if (!cached.value.matches(rejected)) return serve(cached, "cached");
      if (closed || inOutage(nowMs) || nowMs - forcedAtMs < FORCED_INTERVAL_MS) return undefined;
      forcedAtMs = nowMs;
      refused = cached.value;
      token = undefined;
      observer.expiry(clock.wall() / 1_000);
      log.info("token_invalidated", labels);
      if (currentFlight() === undefined) begin(false, true);
    }
    return flight === undefined || inOutage(nowMs) ? undefined : other(await join(flight, WAIT_LIMIT_MS));
  };

  return {
    current,
    wait,
    discount() {
      unsent += 1;
    },
    invalidate,
    useSpec(newest) {
      spec = newest;
    },
    setPrefetch(on) {
      prefetch = on;
    },
    async ready() {
      noticeSecret();
      const nowMs = clock.now();
      if (closed) return;
      const freshness = token === undefined ? "expired" : refreshPolicy(nowMs, clock.wall(), token);
      const good = token?.key === key && (freshness === "fresh" || freshness === "advisory");
      if (good) {
        if (timer === undefined) arm();
      } else if (inOutage(nowMs)) {
        if (timer === undefined) arm();
      } else await (currentFlight() ?? begin(true)).over;
    },
    forgetOutage() {
      noticeSecret();
      const failing = lastFailure !== undefined;
      outage = undefined;
      if (closed || !failing || currentFlight() !== undefined) return;
      if (wanted(clock.now())) begin(true);
      else arm();
    },
    state() {
      const nowMs = clock.now();
      const wallMs = clock.wall();
      const toWall = (atMs: number): number => wallMs + atMs - nowMs;
      const freshness = token === undefined ? "none" : refreshPolicy(nowMs, wallMs, token);
      const valid = freshness !== "none" && freshness !== "expired";
      const atMs = dueAtMs();
      return {
        state: !valid && lastFailure?.kind === "rejected" ? "rejected" : freshness,
        ...(token === undefined
          ? {}
          : {
              obtainedAtMs: token.obtainedAtWallMs,
              expiresAtMs: toWall(token.expiresAtMs),
              lifetimeMs: token.lifetimeMs,
              ...(token.scope === undefined ? {} : { scope: token.scope }),
            }),
        ...(sentAtWallMs === undefined ? {} : { lastAttemptAtMs: sentAtWallMs }),
        ...(timer === undefined || atMs === undefined ? {} : { nextAttemptAtMs: toWall(atMs) }),
        ...(flight === undefined ? {} : { refreshing: true as const }),
        ...(lastFailure === undefined
          ? {}
          : {
              lastError: {
                code: lastFailure.kind === "rejected" ? "TOKEN_REJECTED" : "TOKEN_UNAVAILABLE",
                reason: failureText(subject(), lastFailure),
                hint: failureHint(lastFailure),
                sinceMs: failingSinceMs,
                attempts: failures,
              },
            }),
      };
    },
    close() {
      closed = true;
      timer?.cancel();
      timer = undefined;
    },
  };
}
