import type { TokenState } from "../token/token-state.ts";

/** What health is judged by. */
export interface Vitals {
  readonly listening: boolean;
  readonly draining: boolean;
  readonly tokens: readonly TokenState[];
}

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail?: string;
}

export interface Health {
  readonly ok: boolean;
  readonly checks: readonly Check[];
}

/** Ready: listening, not going down, and no prefetched token has expired. */
export function readiness({ listening, draining, tokens }: Vitals): Health {
  return health([
    { name: "listening", ok: listening },
    { name: "not_draining", ok: !draining },
    ...tokens
      .filter((token) => token.prefetch)
      .map((token) => tokenCheck(token, isUsable(token) || isNew(token))),
  ]);
}

/** Started: listening, and every prefetched token is there. */
export function startup({ listening, tokens }: Vitals): Health {
  return health([
    { name: "listening", ok: listening },
    ...tokens.filter((token) => token.prefetch).map((token) => tokenCheck(token, isUsable(token))),
  ]);
}

function isUsable(token: TokenState): boolean {
  return token.state === "fresh" || token.state === "advisory" || token.state === "mandatory";
}

/** Never fetched yet: that is the startup probe's question; a token that was never there has not expired. */
function isNew(token: TokenState): boolean {
  return token.state === "none" && token.expiresAtMs === undefined;
}

function tokenCheck(token: TokenState, ok: boolean): Check {
  const name =
    token.tenant === undefined ? `token ${token.credential}` : `token ${token.credential}/${token.tenant}`;
  const reason = token.lastError?.reason ?? token.state;
  return ok ? { name, ok } : { name, ok, detail: reason };
}

function health(checks: readonly Check[]): Health {
  return { ok: checks.every((check) => check.ok), checks };
}
