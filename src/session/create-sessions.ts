import type {
  ClientCredentialsSpec,
  Credential,
  SessionConfig,
  UserSpec,
  VisitorSpec,
} from "../config/config.ts";
import type { Random } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import { StoreUnavailable } from "../store/store.ts";
import type { Vault } from "../store/vault.ts";
import { pause } from "../token/flight.ts";
import type { CredentialObserver, TokenObserver } from "../token/observer.ts";
import type { Pacer } from "../token/pacer.ts";
import type { SecretReader } from "../token/secret-reader.ts";
import type { TokenEndpoint } from "../token/token-endpoint.ts";
import type { TokenSource } from "../token/token-source.ts";
import { createAnonymousMint } from "./anonymous.ts";
import { visitorIdentity } from "./identity.ts";
import { createLogins } from "./login.ts";
import type { SessionRecord, VisitorToken } from "./record.ts";
import { createRenewals } from "./renewals.ts";
import { createSessionCache, type SessionEntry } from "./session-cache.ts";
import { isOpaqueValue, opaqueValue } from "./session-id.ts";
import type { SessionDescription, Sessions } from "./sessions.ts";
import { createUserTokenExchange } from "./user-token-exchange.ts";
import { overStore } from "./visitor-error.ts";
import { createVisitorSources } from "./visitor-source.ts";

export interface SessionsDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly secrets: SecretReader;
  /** Closed by whoever opened it. */
  readonly vault: Vault;
  readonly endpoint: TokenEndpoint;
  /** The one that spaces machines' token requests, too: a token URL counts them together. */
  readonly pacer: Pacer;
  readonly observer: TokenObserver;
  /** Cryptographically random. */
  randomBytes(size: number): Buffer;
  /** The machine token that mints visitors' ones. */
  appSource(credential: string, spec: ClientCredentialsSpec): TokenSource;
  /** Of the configuration in use. */
  settings(): {
    readonly credentials: ReadonlyMap<string, Credential>;
    readonly session: SessionConfig;
    readonly publicUrl: URL;
  };
}

/** A logout does not wait longer for the provider. */
const REVOCATION_LIMIT_MS = 3_000;

export function createSessions(deps: SessionsDeps): Sessions {
  const { clock, random, log, secrets, vault, endpoint, pacer, settings } = deps;
  const closing = new AbortController();
  const newId = (): string => opaqueValue(deps.randomBytes);
  const cache = createSessionCache({ clock, vault, session: () => settings().session });
  const exchange = createUserTokenExchange({ clock, secrets, endpoint });
  const mint = createAnonymousMint({
    clock,
    random,
    log,
    secrets,
    pacer,
    endpoint,
    appSource: (credential, spec) => deps.appSource(credential, spec),
  });
  const renewals = createRenewals({
    clock,
    random,
    log,
    secrets,
    vault,
    cache,
    pacer,
    exchange,
    mint,
    processId: newId(),
    closing,
  });

  const observers = new Map<string, CredentialObserver>();
  /** One per credential and grant of the configurations that there were. */
  const observer = (credential: string, { kind }: VisitorSpec): CredentialObserver => {
    const label = kind === "user" ? credential : `${kind} ${credential}`;
    let known = observers.get(label);
    if (known === undefined) {
      known = deps.observer.credential(credential, undefined, kind);
      observers.set(label, known);
    }
    return known;
  };

  const shared = { clock, log, secrets, vault, cache, pacer, exchange, mint, renewals, observer, newId };
  const sources = createVisitorSources({ ...shared, closing: closing.signal });
  const logins = createLogins({ ...shared, closing: closing.signal, settings });
  let counted: ReadonlyMap<string, number> = new Map();

  const load = async (sessionId: string | undefined): Promise<SessionEntry | undefined> =>
    isOpaqueValue(sessionId) ? overStore(() => cache.load(sessionId)) : undefined;

  /** A user's token that is valid, or can be had again, under the present configuration. */
  const isUsable = (credential: string, token: VisitorToken, entry: SessionEntry): boolean => {
    const spec = settings().credentials.get(credential)?.spec;
    if (token.grant !== "user" || spec?.kind !== "user") return false;
    try {
      if (visitorIdentity(credential, spec, secrets) !== token.identity) return false;
    } catch {
      // The client id cannot be read at the moment: that says nothing of the user.
    }
    const slot = entry.slots.get(credential);
    if (slot?.doubtful === true && slot.dropped) return false;
    if (clock.wall() < token.sentAtMs + token.lifetimeMs) return true;
    return token.refreshToken !== undefined && slot?.doubtful !== true;
  };

  const usableTokens = (entry: SessionEntry): [string, VisitorToken][] =>
    [...entry.record.tokens].filter(([credential, token]) => isUsable(credential, token, entry));

  const describe = async (sessionId: string | undefined): Promise<SessionDescription> => {
    const entry = await load(sessionId);
    if (entry === undefined) return { signed_in: false };
    const session_expires_in = seconds(cache.expiresInMs(entry));
    const last = newest(usableTokens(entry));
    if (last === undefined) return { signed_in: false, session_expires_in };
    const [credential, token] = last;
    const spec = settings().credentials.get(credential)?.spec;
    return {
      signed_in: true,
      credential,
      scope: token.scope ?? (spec?.kind === "user" ? spec.scopes.join(" ") : ""),
      access_token_expires_in: seconds(token.sentAtMs + token.lifetimeMs - clock.wall()),
      session_expires_in,
    };
  };

  /** Best effort: the session has ended already, whatever the provider says. */
  const revoke = async (record: SessionRecord): Promise<void> => {
    const revoked = [...record.tokens].map(async ([credential, token]) => {
      const spec = settings().credentials.get(credential)?.spec;
      if (token.refreshToken === undefined || !isRevocable(credential, spec, token)) return;
      if (!(await exchange.revoke(spec, token.refreshToken.reveal(), closing.signal))) {
        log.warn("session_revocation_failed", { credential });
      }
    });
    const limit = new AbortController();
    await Promise.race([Promise.all(revoked), pause(REVOCATION_LIMIT_MS, clock, limit.signal)]);
    limit.abort();
  };

  const isRevocable = (
    credential: string,
    spec: Credential["spec"],
    token: VisitorToken,
  ): spec is UserSpec => {
    if (spec?.kind !== "user" || spec.revocationUrl === undefined) return false;
    try {
      return visitorIdentity(credential, spec, secrets) === token.identity;
    } catch {
      return false;
    }
  };

  return {
    source(credential, sessionId) {
      const { spec } = credential;
      if (spec?.kind !== "user" && spec?.kind !== "anonymous") {
        throw new TypeError(`credential ${credential.name} is not one of visitors`);
      }
      return sources(credential, spec, sessionId);
    },
    async isSignedIn(sessionId, credential) {
      const entry = await load(sessionId);
      if (entry === undefined) return false;
      return usableTokens(entry).some(([name]) => credential === undefined || name === credential);
    },
    describe,
    beginLogin: (login) => logins.begin(login),
    completeLogin: (response, browser, sessionId) => logins.complete(response, browser, sessionId),
    open: (request) => logins.open(request),
    async completeOpened(sessionId, response) {
      await logins.completeOpened(sessionId, response);
      return describe(sessionId);
    },
    async logout(sessionId) {
      if (!isOpaqueValue(sessionId)) return;
      const record = await overStore(() => cache.take(sessionId));
      if (record === undefined) return;
      for (const [credential, { grant }] of record.tokens) {
        if (grant === "user") log.info("session_ended", { credential, reason: "logout" });
      }
      await revoke(record);
    },
    async counts() {
      try {
        counted = await vault.countByCredential();
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
      }
      return counted;
    },
    close: () => renewals.close(),
  };
}

/** The one signed in with last; of two at one time the one that came later into the record. */
function newest(tokens: readonly [string, VisitorToken][]): [string, VisitorToken] | undefined {
  let last: [string, VisitorToken] | undefined;
  for (const each of tokens)
    if (last === undefined || each[1].signedInAtMs >= last[1].signedInAtMs) last = each;
  return last;
}

function seconds(ms: number): number {
  return Math.max(0, Math.floor(ms / 1_000));
}
