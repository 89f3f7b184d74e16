/** Several engines, as replicas have them, over one store, one token endpoint and one clock. */
import type { Clock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/log.ts";
import { tokenIdentity, tokenKey } from "../../src/token/cache-key.ts";
import type { TokenSource } from "../../src/token/token-source.ts";
import { createTokenSources, type TokenSources } from "../../src/token/token-sources.ts";
import { createScriptedStore, type ScriptedVault } from "../session/scripted-vault.ts";
import type { FakeClock } from "../support/fake-clock.ts";
import { createEngine, createSecrets, type ScriptedExchange, type SettableSecrets, spec } from "./engine.ts";

export interface Replica {
  readonly sources: TokenSources;
  /** Of `spec()`. */
  readonly source: TokenSource;
  readonly vault: ScriptedVault;
  readonly secrets: SettableSecrets;
  /** `success`, … of real exchanges. */
  readonly exchanges: readonly string[];
}

export interface SharedLab {
  readonly clock: FakeClock;
  readonly endpoint: ScriptedExchange;
  readonly records: ReadonlyMap<string, { readonly content: string }>;
  /** Under which the token of `spec()` lies, with the first secret. */
  readonly key: string;
  /** `aheadMs`: how wrong its wall clock is. */
  replica(options?: { readonly aheadMs?: number; readonly random?: () => number }): Replica;
  replicas(count: number): readonly Replica[];
}

export function createSharedLab(overrides: Parameters<typeof spec>[0] = {}): SharedLab {
  const { clock, endpoint } = createEngine();
  const store = createScriptedStore(clock);
  const machine = spec(overrides);
  let count = 0;

  const replica: SharedLab["replica"] = ({ aheadMs = 0, random } = {}) => {
    const vault = store.vault();
    const secrets = createSecrets();
    const exchanges: string[] = [];
    const ownClock: Clock = { ...clock, wall: () => clock.wall() + aheadMs };
    count += 1;
    const drawn = (count * 0.37) % 1;
    const sources = createTokenSources({
      clock: ownClock,
      random: random ?? (() => drawn),
      log: silentLogger,
      secrets,
      endpoint,
      vault: () => vault,
      observer: {
        credential: () => ({
          requested: (outcome) => void exchanges.push(outcome),
          expiry() {},
          served() {},
          unavailable() {},
        }),
      },
    });
    return { sources, source: sources.source("c", undefined, machine), vault, secrets, exchanges };
  };

  return {
    clock,
    endpoint,
    records: store.records,
    key: keyOf(machine, createSecrets()),
    replica,
    replicas: (wanted) => Array.from({ length: wanted }, () => replica()),
  };
}

function keyOf(machine: ReturnType<typeof spec>, secrets: SettableSecrets): string {
  const clientId = machine.clientId.kind === "literal" ? machine.clientId.value : "";
  const secret = secrets.read(machine.clientSecret);
  return tokenKey(tokenIdentity("c", undefined, machine, clientId), secret.fingerprint());
}
