/** A token endpoint over virtual time that grants whatever it is asked for, and writes down when. */
import type { Clock } from "../../src/core/clock.ts";
import type { TokenEndpoint } from "../../src/token/token-endpoint.ts";
import { type TransientFailure, transient } from "../../src/token/token-outcome.ts";
import type { TokenAnswer } from "../../src/token/token-response.ts";
import { type Delay, drawMs } from "./delay.ts";

/** To a server of the provider's and back, its own work included. */
export const TOKEN_EXCHANGE: Delay = { medianMs: 150, p99Ms: 600 };
const DEADLINE_MS = 10_000;

export interface ModelledEndpoint extends TokenEndpoint {
  /** Of all requests, in order. */
  readonly arrivalsMs: readonly number[];
  readonly arrivalsByTenant: ReadonlyMap<string, readonly number[]>;
  /** When this token was there, where it was asked for. */
  grantedAtMs(token: string): number;
}

export function createModelledEndpoint(
  clock: Clock,
  random: () => number,
  lifetimeSeconds: number,
): ModelledEndpoint {
  const arrivalsMs: number[] = [];
  const arrivalsByTenant = new Map<string, number[]>();
  const grants = new Map<string, number>();

  return {
    arrivalsMs,
    arrivalsByTenant,
    grantedAtMs: (token) => grants.get(token) ?? Number.NaN,
    exchange(request, _connection, signal): Promise<TokenAnswer | TransientFailure> {
      const tenant = new URLSearchParams(request.body).get("client_id") ?? "";
      const arrivals = arrivalsByTenant.get(tenant) ?? [];
      arrivalsByTenant.set(tenant, arrivals);
      arrivals.push(clock.now());
      arrivalsMs.push(clock.now());
      const value = `${tenant}.${arrivalsMs.length}`;
      const members = { access_token: value, token_type: "Bearer", expires_in: lifetimeSeconds };
      const body = JSON.stringify(members);
      const tookMs = drawMs(TOKEN_EXCHANGE, random);
      return new Promise((resolve) => {
        clock.schedule(Math.min(tookMs, DEADLINE_MS), () => {
          if (signal.aborted) return resolve(transient("closed", "was not asked"));
          if (tookMs > DEADLINE_MS) return resolve(transient("timeout", "gave no answer"));
          grants.set(value, clock.now());
          resolve({ status: 200, headers: { "content-type": "application/json" }, body, tooLarge: false });
        });
      });
    },
  };
}
