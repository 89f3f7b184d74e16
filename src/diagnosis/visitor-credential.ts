import type { AnonymousSpec, UserSpec } from "../config/config.ts";
import { silentLogger } from "../core/log.ts";
import { createAnonymousMint } from "../session/anonymous.ts";
import { sensitiveForms } from "../token/redaction.ts";
import { readValue } from "../token/secret-reader.ts";
import { Injection } from "../token/token-source.ts";
import type { Surroundings } from "./examination.ts";
import { failure, ok, type Verdict, warning } from "./finding.ts";
import { createListeningEndpoint } from "./listening-endpoint.ts";
import type { Fetched } from "./machine-credential.ts";
import { explainSilence, type Target } from "./reach.ts";
import { unreadable } from "./secrets.ts";
import { tokenFault } from "./token-fault.ts";

const OBSERVER = { requested() {}, expiry() {}, served() {}, unavailable() {} };

/**
 * Nobody can log in without a browser. What can be known beforehand: the secrets are there, and both endpoints answer at
 * least to a handshake. Nothing is sent to either: an authorization server counts logins that fail.
 */
export async function examineUserCredential(spec: UserSpec, surroundings: Surroundings): Promise<Verdict> {
  const { secrets, reaches, timeoutMs } = surroundings;
  const references = spec.client === undefined ? [spec.clientId] : [spec.clientId, spec.client.secret];
  const missing = unreadable(secrets, references);
  if (missing !== undefined) return failure(missing);
  const way = { connection: spec.connection, timeoutMs, http2: false };
  const [token, authorize] = await Promise.all([
    reaches.of({ ...way, url: spec.tokenUrl, key: "token_url" }),
    reaches.of({ ...way, url: spec.authorizeUrl, key: "authorize_url" }),
  ]);
  const facts = { token_url: withoutQuery(spec.tokenUrl), authorize_url: withoutQuery(spec.authorizeUrl) };
  if (token.kind === "unreached") {
    const { reason, hint } = token.fault;
    return failure(
      { reason: `the token endpoint ${spec.tokenUrl.host} ${reason}`, hint },
      { ...facts, code: token.code },
    );
  }
  if (authorize.kind === "unreached") {
    const { reason, hint } = authorize.fault;
    return warning(
      `the authorize URL's host ${spec.authorizeUrl.host} ${reason}`,
      `${hint}; browsers go there themselves: where only they can reach it, all is well`,
      { ...facts, code: authorize.code },
    );
  }
  return ok(
    `token endpoint ${spec.tokenUrl.host} and authorize URL's host ${spec.authorizeUrl.host} are reachable; a login itself takes a browser`,
    facts,
  );
}

/**
 * Mints one token, as for a first visitor (Zocdoc, Anonymous User Flow); nobody uses it, and it ends by itself.
 *
 * @param app the token of the credential that mints, which is examined on its own line
 */
export async function examineAnonymousCredential(
  name: string,
  spec: AnonymousSpec,
  app: Promise<Fetched>,
  surroundings: Surroundings,
): Promise<Verdict> {
  const { clock, random, secrets, pacer, reaches, timeoutMs, signal } = surroundings;
  const missing = unreadable(secrets, [spec.appClientId]);
  if (missing !== undefined) return failure(missing);
  const { token } = await app;
  if (token === undefined) {
    return failure({
      reason: `not asked: credential ${spec.app.credential}, whose token mints the visitors', got none`,
      hint: `see what is said of credential ${spec.app.credential}`,
    });
  }
  const target: Target = {
    url: spec.mintUrl,
    connection: spec.connection,
    key: "api_url",
    timeoutMs,
    http2: false,
  };
  const endpointName = `the endpoint ${spec.mintUrl.host}${spec.mintUrl.pathname}`;
  const reached = await reaches.of(target);
  if (reached.kind === "unreached") {
    const { reason, hint } = reached.fault;
    return failure({ reason: `${endpointName} ${reason}`, hint }, { code: reached.code });
  }
  const endpoint = createListeningEndpoint({
    ...surroundings,
    sensitive: () => sensitiveForms(readValue(secrets, spec.appClientId), token.value.reveal()),
  });
  const injection = new Injection(["authorization", `Bearer ${token.value.reveal()}`]);
  const mint = createAnonymousMint({
    clock,
    random,
    log: silentLogger,
    secrets,
    pacer,
    endpoint,
    appSource: () => ({ token: () => injection, invalidate: async () => undefined }),
  });
  const minted = await mint.mint(name, spec, OBSERVER, signal);
  if (minted.kind === "token") {
    const expiresIn = Math.round(minted.token.lifetimeMs / 1_000);
    return ok(
      `a visitor's token for ${expiresIn} s, minted with credential ${spec.app.credential} and not used`,
      {
        expires_in: expiresIn,
      },
    );
  }
  const { failure: failed } = minted;
  if (failed === undefined) return failure({ reason: minted.error(0).message, hint: "run doctor again" });
  if (endpoint.answer() === undefined && failed.kind === "transient" && failed.code !== undefined) {
    const { code, detail } = failed;
    const { fault } = await explainSilence({ code, detail }, target, clock);
    return failure({ reason: `${endpointName} ${fault.reason}`, hint: fault.hint }, { code });
  }
  const { reason, hint } = tokenFault(failed, {
    tokenUrl: spec.mintUrl,
    key: "api_url",
    asked: { scopes: [], audience: undefined, clientAuth: undefined },
    answer: endpoint.answer(),
    providerHint: `check app_client_id, and that the application of credential ${spec.app.credential} may mint tokens for it`,
    found: {},
  });
  return failure({ reason: `${endpointName} ${reason}`, hint });
}

/** A query may hold what nobody should read. */
function withoutQuery({ origin, pathname }: URL): string {
  return `${origin}${pathname}`;
}
