import { LRUCache } from "lru-cache";
import type { MachineSpec } from "../config/config.ts";
import type { Random } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import { atMost } from "../core/lru.ts";
import type { Vault } from "../store/vault.ts";
import { createClientCredentialsSource } from "./client-credentials-source.ts";
import { createFleetSlots } from "./fleet-slots.ts";
import type { MachineTokenSource } from "./machine-token-source.ts";
import type { TokenObserver } from "./observer.ts";
import { createPacer, type Pacer } from "./pacer.ts";
import { createPromptStore } from "./prompt-store.ts";
import type { Refresher } from "./refresher.ts";
import type { SecretReader } from "./secret-reader.ts";
import { createSharedExchange } from "./shared-exchange.ts";
import { createStaticSource } from "./static-source.ts";
import { createTokenCache } from "./token-cache.ts";
import { createTokenEndpoint, type TokenEndpoint } from "./token-endpoint.ts";
import { createTokenExchange } from "./token-exchange.ts";
import type { TokenSource } from "./token-source.ts";
import type { TokenState } from "./token-state.ts";

export interface TokenSourcesDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly secrets: SecretReader;
  readonly observer: TokenObserver;
  /** Default 10 000. The least recently used one goes first; those kept fresh by prefetch do not count. */
  readonly maxTokens?: number;
  /** How token requests are sent. Default: over HTTP. */
  readonly endpoint?: TokenEndpoint;
  /** Where replicas share their tokens; undefined while it is not open. Default: nowhere. */
  vault?(): Vault | undefined;
}

/** One credential and tenant and the one way to get its token. */
export interface SourceRequest {
  readonly credential: string;
  readonly tenant: string | undefined;
  readonly spec: MachineSpec;
}

/** All machine tokens of one process. */
export interface TokenSources {
  /** What spaces their requests, for others that go to the same token URLs. */
  readonly pacer: Pacer;
  /**
   * The same object for equal (credential, tenant, spec) as long as it is in use. Tokens outlive it: another source of
   * the same identity, after a reload, goes on with the token that is there.
   */
  source(
    credential: string,
    tenant: string | undefined,
    spec: MachineSpec,
    options?: { readonly prefetch?: boolean },
  ): TokenSource;
  /**
   * The configuration or a secret changed: known outages are forgotten, the next use tries at once. What is kept fresh,
   * and what fails while somebody needs it, is tried now.
   */
  configurationChanged(): void;
  /** Keeps these fresh from now on, in place of those named before. Resolves when each has been tried once. */
  prefetch(sources: readonly SourceRequest[]): Promise<void>;
  /** One row per credential and tenant seen; the newest where a tenant's configuration changed. */
  states(): readonly TokenState[];
  /** Ends all timers and exchanges, and waits until the tokens that were had are shared. A valid token is still given out afterwards, no other. */
  close(): Promise<void>;
}

const DEFAULT_MAX_TOKENS = 10_000;

export function createTokenSources(deps: TokenSourcesDeps): TokenSources {
  const { clock, secrets, observer, maxTokens = DEFAULT_MAX_TOKENS } = deps;
  const closing = new AbortController();
  const cache = createTokenCache<Refresher>(maxTokens);
  const endpoint = deps.endpoint ?? createTokenEndpoint(clock);
  const { random, log, vault = () => undefined } = deps;
  const store = createPromptStore({ clock, log, vault });
  const pacer = createPacer(clock, { slots: createFleetSlots(store), random });
  const own = createTokenExchange({ clock, secrets, pacer, endpoint });
  const exchange = createSharedExchange(own, { clock, random, secrets, store });
  const refresherDeps = { ...deps, exchange, closing: closing.signal, cache };

  const sources = new LRUCache<string, MachineTokenSource>(atMost(maxTokens));
  /** The quick way for whoever asks again with the very same object: no serializing. */
  const bySpec = new WeakMap<MachineSpec, MachineTokenSource>();
  let prefetched = new Set<MachineTokenSource>();

  const create = (credential: string, tenant: string | undefined, spec: MachineSpec): MachineTokenSource => {
    const watch = observer.credential(credential, tenant, spec.kind);
    return spec.kind === "static"
      ? createStaticSource(credential, tenant, spec, watch, { clock, secrets })
      : createClientCredentialsSource(credential, tenant, spec, watch, refresherDeps);
  };

  const find = (credential: string, tenant: string | undefined, spec: MachineSpec): MachineTokenSource => {
    const last = bySpec.get(spec);
    if (last !== undefined && last.credential === credential && last.tenant === tenant) return last;
    const name = JSON.stringify([credential, tenant ?? null, spec]);
    let source = sources.get(name);
    if (source === undefined) {
      source = create(credential, tenant, spec);
      sources.set(name, source);
    }
    bySpec.set(spec, source);
    return source;
  };

  const keepFresh = (source: MachineTokenSource): Promise<void> => {
    source.setPrefetch(true);
    return source.ready();
  };

  return {
    pacer,
    source(credential, tenant, spec, options) {
      const source = find(credential, tenant, spec);
      if (options?.prefetch === true && !prefetched.has(source)) {
        prefetched.add(source);
        void keepFresh(source);
      }
      return source;
    },
    configurationChanged() {
      for (const refresher of cache.values()) refresher.forgetOutage();
      for (const source of prefetched) void source.ready();
    },
    async prefetch(list) {
      const next = new Set(list.map(({ credential, tenant, spec }) => find(credential, tenant, spec)));
      for (const source of prefetched) if (!next.has(source)) source.setPrefetch(false);
      prefetched = next;
      await Promise.all([...next].map(keepFresh));
    },
    states() {
      // From the most recently created or asked for: what an earlier configuration left behind comes later.
      const rows = new Map<string, MachineTokenSource>();
      for (const source of [...prefetched, ...sources.values()]) {
        const name = JSON.stringify([source.credential, source.tenant ?? null]);
        if (!rows.has(name)) rows.set(name, source);
      }
      return [...rows.values()].map((source) => source.state());
    },
    async close() {
      closing.abort();
      for (const refresher of cache.values()) refresher.close();
      await exchange.settled();
      store.close();
    },
  };
}
