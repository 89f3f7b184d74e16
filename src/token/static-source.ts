import type { StaticHeaderSpec } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import { ProxyError } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import type { MachineTokenSource } from "./machine-token-source.ts";
import type { CredentialObserver } from "./observer.ts";
import type { SecretReader } from "./secret-reader.ts";
import { Injection } from "./token-source.ts";

export interface StaticSourceDeps {
  readonly clock: Clock;
  readonly secrets: SecretReader;
}

/** What a field's value may hold (RFC 9110 §5.5). */
const FIELD_VALUE = /^[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?$/;
const REREAD_INTERVAL_MS = 10_000;
const HINT = "check the reference of value";

/**
 * A fixed header from a secret. When the upstream refuses it the secret is read again, at most once per 10 s, and a
 * changed one is handed out.
 */
export function createStaticSource(
  credential: string,
  tenant: string | undefined,
  spec: StaticHeaderSpec,
  observer: CredentialObserver,
  { clock, secrets }: StaticSourceDeps,
): MachineTokenSource {
  const name = spec.header.toLowerCase();
  let prefetch = false;
  let secret: Secret | undefined;
  let injection: Injection | undefined;
  let rereadAtMs = Number.NEGATIVE_INFINITY;

  /** Throws while there is no usable value; the last good one stays where the present one cannot be read. */
  const present = (): Injection => {
    let value: Secret;
    try {
      value = secrets.read(spec.value);
    } catch (error) {
      if (injection !== undefined) return injection;
      throw error;
    }
    if (value !== secret || injection === undefined) {
      if (!FIELD_VALUE.test(value.reveal())) throw new Error("its value is not fit for a header");
      secret = value;
      injection = new Injection([name, value.reveal()]);
    }
    return injection;
  };

  const describe = (error: unknown): string => {
    const owner =
      tenant === undefined ? `credential ${credential}` : `credential ${credential}, tenant ${tenant}`;
    return `${owner}: no usable value: ${error instanceof Error ? error.message : "unknown"}`;
  };

  return {
    credential,
    tenant,
    token() {
      try {
        const current = present();
        observer.served("cached");
        return current;
      } catch (error) {
        observer.unavailable("secret_unreadable");
        const detail = `${describe(error)}; ${HINT}`;
        return Promise.reject(new ProxyError("TOKEN_UNAVAILABLE", detail, { retryAfterSeconds: 1 }));
      }
    },
    async invalidate(rejected) {
      const nowMs = clock.now();
      try {
        if (nowMs - rereadAtMs >= REREAD_INTERVAL_MS) {
          rereadAtMs = nowMs;
          secrets.refresh(spec.value);
        }
        const current = present();
        return current.headers[1] === rejected.headers[1] ? undefined : current;
      } catch {
        return undefined;
      }
    },
    setPrefetch(on) {
      prefetch = on;
    },
    async ready() {},
    state() {
      const common = { credential, tenant, grant: "static", prefetch };
      try {
        present();
        return { ...common, state: "fresh" };
      } catch (error) {
        return {
          ...common,
          state: "none",
          lastError: { code: "TOKEN_UNAVAILABLE", reason: describe(error), hint: HINT },
        };
      }
    },
  };
}
