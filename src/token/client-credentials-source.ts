import type { ClientCredentialsSpec } from "../config/config.ts";
import type { Secret } from "../core/secret.ts";
import type { AccessToken } from "./access-token.ts";
import { tokenIdentity } from "./cache-key.ts";
import type { MachineTokenSource } from "./machine-token-source.ts";
import type { CredentialObserver } from "./observer.ts";
import { createRefresher, type Refresher, type RefresherDeps } from "./refresher.ts";
import { readValue } from "./secret-reader.ts";
import type { TokenCache } from "./token-cache.ts";
import { tokenError } from "./token-error.ts";
import { transient } from "./token-outcome.ts";
import { Injection } from "./token-source.ts";

export interface ClientCredentialsSourceDeps extends RefresherDeps {
  readonly cache: TokenCache<Refresher>;
}

const GRANT = "client_credentials";

/**
 * The token source of one credential and tenant. It finds the refresher of its identity in the cache each time, which
 * keeps what is used in the cache, and follows a client id that changes.
 */
export function createClientCredentialsSource(
  credential: string,
  tenant: string | undefined,
  spec: ClientCredentialsSpec,
  observer: CredentialObserver,
  deps: ClientCredentialsSourceDeps,
): MachineTokenSource {
  const { cache, secrets } = deps;
  let prefetch = false;
  let attached: Refresher | undefined;
  let identity: string | undefined;
  /** The client id's own object when it lies where secrets lie: it changes when the value does. */
  let clientId: Secret | undefined;
  let injected: AccessToken | undefined;
  let injection: Injection | undefined;

  /** Throws while the client id cannot be read and never could. */
  const attach = (): Refresher => {
    const identityNow = identify();
    let refresher = cache.get(identityNow);
    if (refresher === undefined) {
      let id: string;
      try {
        id = readValue(secrets, spec.clientId);
      } catch (error) {
        if (attached !== undefined) return attached;
        throw error;
      }
      refresher = createRefresher(
        { credential, tenant, clientId: id, identity: identityNow, observer },
        spec,
        deps,
      );
      cache.set(identityNow, refresher);
    }
    if (refresher !== attached) {
      release();
      attached = refresher;
      identity = identityNow;
      refresher.useSpec(spec);
      if (prefetch) hold();
    }
    return refresher;
  };

  const identify = (): string => {
    if (spec.clientId.kind === "literal") {
      return identity ?? tokenIdentity(credential, tenant, spec, spec.clientId.value);
    }
    let present: Secret;
    try {
      present = secrets.read(spec.clientId);
    } catch (error) {
      if (identity !== undefined) return identity;
      throw error;
    }
    if (present === clientId && identity !== undefined) return identity;
    clientId = present;
    return tokenIdentity(credential, tenant, spec, present.reveal());
  };

  const hold = (): void => {
    if (identity !== undefined) cache.pin(identity);
    attached?.setPrefetch(true);
  };

  const release = (): void => {
    attached?.setPrefetch(false);
    if (identity !== undefined) cache.unpin(identity);
  };

  /** One object per token, so that it is recognized when it comes back refused. */
  const inject = (token: AccessToken): Injection => {
    if (token !== injected || injection === undefined) {
      injected = token;
      const headers = ["authorization", `Bearer ${token.value.reveal()}`, ...spec.injectHeaders];
      injection = new Injection(headers, token);
    }
    return injection;
  };

  const unreadable = (error: unknown): Error => {
    observer.unavailable("secret_unreadable");
    const reason = error instanceof Error ? error.message : "unknown";
    const failure = transient("secret_unreadable", `client_id cannot be read: ${reason}`);
    return tokenError({ credential, tenant, tokenUrl: spec.tokenUrl }, failure, 0);
  };

  const waitFor = async (refresher: Refresher): Promise<Injection> => {
    try {
      return inject(await refresher.wait());
    } catch (error) {
      const now = attach();
      // The client id changed while it was refused: that refusal says nothing of the new one.
      if (now === refresher) throw error;
      return inject(now.current() ?? (await now.wait()));
    }
  };

  return {
    credential,
    tenant,
    token(unsent) {
      let refresher: Refresher;
      try {
        refresher = attach();
      } catch (error) {
        return Promise.reject(unreadable(error));
      }
      if (unsent !== undefined) refresher.discount();
      const token = refresher.current();
      return token === undefined ? waitFor(refresher) : inject(token);
    },
    async invalidate(rejected) {
      const refused = rejected.headers[1]?.slice("Bearer ".length);
      if (attached === undefined || refused === undefined) return undefined;
      const token = await attached.invalidate(refused);
      return token === undefined ? undefined : inject(token);
    },
    setPrefetch(on) {
      prefetch = on;
      if (on) hold();
      else release();
    },
    async ready() {
      try {
        await attach().ready();
      } catch {
        // The client id cannot be read; the state says so.
      }
    },
    state() {
      const known = attached?.state() ?? { state: "none" };
      return { credential, tenant, grant: GRANT, prefetch, ...known };
    },
  };
}
