import type { ClientCredentialsSpec, StaticHeaderSpec } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import { sensitiveForms } from "../token/redaction.ts";
import { readValue } from "../token/secret-reader.ts";
import { createStaticSource } from "../token/static-source.ts";
import { type Attempt, createTokenExchange, type TokenExchange } from "../token/token-exchange.ts";
import type { GrantedToken, TokenFailure, TokenOutcome } from "../token/token-outcome.ts";
import type { Surroundings } from "./examination.ts";
import { type Fault, failure, ok, type Verdict } from "./finding.ts";
import { judgeGrantedToken } from "./granted-token.ts";
import { createListeningEndpoint, type ListeningEndpoint } from "./listening-endpoint.ts";
import { explainSilence, type Target } from "./reach.ts";
import { unreadable } from "./secrets.ts";
import { tokenFault } from "./token-fault.ts";

/** A verdict, and the token that it is about. */
export interface Fetched {
  readonly verdict: Verdict;
  readonly token: GrantedToken | undefined;
}

/** Asking for scopes one by one costs a request each. */
const MAX_SINGLE_SCOPES = 6;
const CLIENT_AUTH = ["basic", "post", "json"] as const;

/** Qmatic allows one token request a second, and its 429 does not say so. */
const DEFAULT_RATE_WAIT_MS = 1_000;
const MAX_RATE_WAIT_MS = 5_000;

const HOOKS = { requested() {}, resending() {}, isAwaited: () => true };

/**
 * Fetches a token by the code that serves requests, spacing included, and says what came of it. Where the server refuses
 * the client or its scopes a few further requests find out which method, or which scope, is meant.
 */
export async function fetchMachineToken(
  spec: ClientCredentialsSpec,
  surroundings: Surroundings,
): Promise<Fetched> {
  const { clock, secrets, pacer, reaches, timeoutMs, signal } = surroundings;
  const missing = unreadable(secrets, [spec.clientId, spec.clientSecret]);
  if (missing !== undefined) return { verdict: failure(missing), token: undefined };
  const target: Target = {
    url: spec.tokenUrl,
    connection: spec.connection,
    key: "token_url",
    timeoutMs,
    http2: false,
  };
  const facts = { token_url: `${spec.tokenUrl.origin}${spec.tokenUrl.pathname}` };
  const reached = await reaches.of(target);
  if (reached.kind === "unreached") {
    return {
      verdict: failure(atEndpoint(spec, reached.fault), { ...facts, code: reached.code }),
      token: undefined,
    };
  }
  const endpoint = createListeningEndpoint({
    ...surroundings,
    sensitive: () =>
      sensitiveForms(readValue(secrets, spec.clientId), secrets.read(spec.clientSecret).reveal()),
  });
  const exchange = createTokenExchange({ clock, secrets, pacer, endpoint });
  let attempt = await exchange.attempt(spec, HOOKS, signal);
  if (await isOverSoon(attempt.outcome, clock)) attempt = await exchange.attempt(spec, HOOKS, signal);
  const { outcome } = attempt;
  if (outcome.kind === "token") {
    return { verdict: judge(outcome.token, attempt, spec, surroundings), token: outcome.token };
  }
  const fault = await explain(outcome, spec, { surroundings, endpoint, exchange, target });
  const code = outcome.kind === "rejected" ? outcome.error : (outcome.code ?? outcome.reason);
  return { verdict: failure(atEndpoint(spec, fault), { ...facts, code }), token: undefined };
}

/**
 * A limit that somebody else has just used up, such as a sidecar that serves, says nothing of the credential: waits as
 * long as the server asks, and then it is tried once more.
 */
async function isOverSoon(outcome: TokenOutcome, clock: Clock): Promise<boolean> {
  if (outcome.kind !== "transient" || outcome.reason !== "rate_limited") return false;
  const waitMs = outcome.retryAfterMs ?? DEFAULT_RATE_WAIT_MS;
  if (waitMs > MAX_RATE_WAIT_MS) return false;
  await new Promise<void>((resolve) => clock.schedule(waitMs, resolve));
  return true;
}

function judge(
  token: GrantedToken,
  attempt: Attempt,
  spec: ClientCredentialsSpec,
  { advice }: Surroundings,
): Verdict {
  const { sentAtWallMs, durationMs } = attempt;
  const omission = advice(spec.provider)?.omission?.(spec);
  return judgeGrantedToken(token, { spec, sentAtWallMs, durationMs, omission });
}

interface Asking {
  readonly surroundings: Surroundings;
  readonly endpoint: ListeningEndpoint;
  readonly exchange: TokenExchange;
  readonly target: Target;
}

async function explain(
  failed: TokenFailure,
  spec: ClientCredentialsSpec,
  { surroundings, endpoint, exchange, target }: Asking,
): Promise<Fault> {
  const answer = endpoint.answer();
  if (answer === undefined && failed.kind === "transient" && failed.code !== undefined) {
    const { code, detail } = failed;
    return (await explainSilence({ code, detail }, target, surroundings.clock)).fault;
  }
  const isChoosing = surroundings.choosesClientAuth(spec.provider);
  const refused = failed.kind === "rejected" ? failed.error : undefined;
  const found = {
    clientAuth:
      isChoosing && failed.clientRefused
        ? await findClientAuth(spec, exchange, surroundings.signal)
        : undefined,
    refusedScopes:
      refused === "invalid_scope" ? await findRefusedScopes(spec, exchange, surroundings.signal) : undefined,
  };
  return tokenFault(failed, {
    tokenUrl: spec.tokenUrl,
    key: "token_url",
    asked: {
      scopes: spec.scopes,
      audience: spec.audience,
      clientAuth: isChoosing ? spec.clientAuth : undefined,
    },
    answer,
    providerHint:
      refused === undefined ? undefined : surroundings.advice(spec.provider)?.refusal?.(spec, refused),
    found,
  });
}

async function findClientAuth(
  spec: ClientCredentialsSpec,
  exchange: TokenExchange,
  signal: AbortSignal,
): Promise<string | undefined> {
  for (const clientAuth of CLIENT_AUTH) {
    if (clientAuth === spec.clientAuth) continue;
    const { outcome } = await exchange.attempt({ ...spec, clientAuth }, HOOKS, signal);
    // Refused for anything else, it was let in all the same.
    if (outcome.kind === "token" || (outcome.kind === "rejected" && isPastTheDoor(outcome.error)))
      return clientAuth;
  }
  return undefined;
}

function isPastTheDoor(error: string): boolean {
  return error === "invalid_scope" || error === "invalid_target";
}

async function findRefusedScopes(
  spec: ClientCredentialsSpec,
  exchange: TokenExchange,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  if (spec.scopes.length < 2 || spec.scopes.length > MAX_SINGLE_SCOPES) return undefined;
  const refused: string[] = [];
  for (const scope of spec.scopes) {
    const { outcome } = await exchange.attempt({ ...spec, scopes: [scope] }, HOOKS, signal);
    if (outcome.kind === "rejected" && outcome.error === "invalid_scope") refused.push(scope);
  }
  return refused;
}

function atEndpoint({ tokenUrl }: ClientCredentialsSpec, { reason, hint }: Fault): Fault {
  return { reason: `the token endpoint ${tokenUrl.host} ${reason}`, hint };
}

/** A fixed header: its secret is there, and fit to be sent. */
export async function examineStaticHeader(
  spec: StaticHeaderSpec,
  { clock, secrets }: Surroundings,
): Promise<Verdict> {
  const missing = unreadable(secrets, [spec.value]);
  if (missing !== undefined) return failure(missing);
  const source = createStaticSource(
    "",
    undefined,
    spec,
    { requested() {}, expiry() {}, served() {}, unavailable() {} },
    { clock, secrets },
  );
  try {
    await source.token();
    return ok(`the value of ${spec.header} is there`, { header: spec.header });
  } catch {
    return failure({
      reason: `the value of ${spec.header} is not fit for a header`,
      hint: "take blanks at its ends, line breaks and control characters out of the secret",
    });
  }
}
