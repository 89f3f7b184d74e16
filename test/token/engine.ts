/** What the engine's tests have in common: a scripted endpoint without sockets, settable secrets, a recording observer. */
import type {
  ClientCredentialsSpec,
  Connection,
  SecretReference,
  StaticHeaderSpec,
} from "../../src/config/config.ts";
import { ProxyError } from "../../src/core/errors.ts";
import type { LogFields, Logger } from "../../src/core/log.ts";
import { Secret } from "../../src/core/secret.ts";
import type { TokenObserver } from "../../src/token/observer.ts";
import type { SecretReader } from "../../src/token/secret-reader.ts";
import type { TokenEndpoint } from "../../src/token/token-endpoint.ts";
import { type TransientFailure, transient } from "../../src/token/token-outcome.ts";
import type { TokenRequest } from "../../src/token/token-request.ts";
import type { TokenAnswer } from "../../src/token/token-response.ts";
import type { Injection, TokenSource } from "../../src/token/token-source.ts";
import {
  createTokenSources,
  type TokenSources,
  type TokenSourcesDeps,
} from "../../src/token/token-sources.ts";
import { createFakeClock, type FakeClock, settle } from "../support/fake-clock.ts";

export const SECRET: SecretReference = { kind: "env", name: "CLIENT_SECRET" };
export const DIRECT: Connection = { tls: undefined, httpProxy: undefined };

export function spec(overrides: Partial<ClientCredentialsSpec> = {}): ClientCredentialsSpec {
  return {
    kind: "client_credentials",
    provider: "oauth2",
    environment: "",
    tokenUrl: new URL("https://id.example/token"),
    clientAuth: "basic",
    clientId: { kind: "literal", value: "client-1" },
    clientSecret: SECRET,
    scopes: [],
    audience: undefined,
    params: {},
    tokenRequestHeaders: [],
    injectHeaders: [],
    connection: DIRECT,
    tokenRequestsPerSecond: Number.POSITIVE_INFINITY,
    ...overrides,
  };
}

export function staticSpec(overrides: Partial<StaticHeaderSpec> = {}): StaticHeaderSpec {
  return { kind: "static", provider: "static", header: "X-API-Key", value: SECRET, ...overrides };
}

export interface SettableSecrets extends SecretReader {
  /** Seen by the next `read`. */
  set(name: string, value: string | undefined): void;
  /** Seen only after a `refresh`. */
  stage(name: string, value: string): void;
  readonly refreshes: number;
}

export function createSecrets(initial: Readonly<Record<string, string>> = {}): SettableSecrets {
  const values = new Map(
    Object.entries({ CLIENT_SECRET: "s3cret-0", ...initial }).map(([name, value]) => [
      name,
      new Secret(value),
    ]),
  );
  const staged = new Map<string, Secret>();
  const nameOf = (ref: SecretReference): string => (ref.kind === "env" ? ref.name : ref.path);
  let refreshes = 0;
  return {
    read(ref) {
      const secret = values.get(nameOf(ref));
      if (secret === undefined) throw new Error(`${nameOf(ref)} is not set`);
      return secret;
    },
    refresh(ref) {
      refreshes += 1;
      const secret = staged.get(nameOf(ref));
      if (secret === undefined) return false;
      staged.delete(nameOf(ref));
      values.set(nameOf(ref), secret);
      return true;
    },
    set(name, value) {
      if (value === undefined) values.delete(name);
      else values.set(name, new Secret(value));
    },
    stage(name, value) {
      staged.set(name, new Secret(value));
    },
    get refreshes() {
      return refreshes;
    },
  };
}

export type Reply = TokenAnswer | TransientFailure | Promise<TokenAnswer | TransientFailure>;
export type ReplyTo = (request: TokenRequest, count: number) => Reply;

export interface ScriptedExchange extends TokenEndpoint {
  readonly requests: readonly { readonly request: TokenRequest; readonly atMs: number }[];
  /** How requests are answered from now on. */
  reply: ReplyTo;
}

/** 200 with `token-1`, `token-2`, … by the count of requests. */
export function grant(expiresIn: unknown = 3_600, members: Readonly<Record<string, unknown>> = {}): ReplyTo {
  return (_request, count) =>
    ok({ access_token: `token-${count}`, token_type: "Bearer", expires_in: expiresIn, ...members });
}

export const ok = (members: unknown): TokenAnswer => answer(200, JSON.stringify(members));

export function answer(
  status: number,
  body = "",
  headers: Readonly<Record<string, string>> = {},
): TokenAnswer {
  return { status, body, headers, tooLarge: false };
}

export const oauthError = (status: number, error: string): TokenAnswer =>
  answer(status, JSON.stringify({ error }));

export const refusedConnection = (): TransientFailure => transient("unreachable", "refused the connection");

export interface Engine {
  readonly clock: FakeClock;
  readonly secrets: SettableSecrets;
  readonly endpoint: ScriptedExchange;
  readonly sources: TokenSources;
  /** `outcome:success`, `served:cached`, `unavailable:timeout`, … in order. */
  readonly observed: string[];
  readonly expiries: number[];
  readonly logged: { readonly event: string; readonly fields: LogFields | undefined }[];
  count(): number;
}

/** A whole engine over a fake clock; `random` is the middle of every range by default. */
export function createEngine(overrides: Partial<TokenSourcesDeps> = {}): Engine {
  const clock = createFakeClock();
  const secrets = createSecrets();
  const requests: { request: TokenRequest; atMs: number }[] = [];
  const endpoint: ScriptedExchange = {
    requests,
    reply: grant(),
    // As the real one does: gives up after 10 s or when everything ends.
    exchange(request, _connection, signal) {
      requests.push({ request, atMs: clock.now() });
      const reply = Promise.resolve(endpoint.reply(request, requests.length));
      return new Promise((resolve, reject) => {
        const timer = clock.schedule(10_000, () =>
          resolve(transient("timeout", "did not answer within 10 s")),
        );
        const end = (): void => {
          timer.cancel();
          resolve(transient("closed", "was not asked"));
        };
        signal.addEventListener("abort", end, { once: true });
        reply.then(resolve, reject).finally(() => timer.cancel());
      });
    },
  };
  const observed: string[] = [];
  const expiries: number[] = [];
  const observer: TokenObserver = {
    credential: () => ({
      requested: (outcome) => void observed.push(`outcome:${outcome}`),
      expiry: (seconds) => void expiries.push(seconds),
      served: (source) => void observed.push(`served:${source}`),
      unavailable: (reason) => void observed.push(`unavailable:${reason}`),
    }),
  };
  const logged: { event: string; fields: LogFields | undefined }[] = [];
  const write = (event: string, fields?: LogFields): void => void logged.push({ event, fields });
  const log: Logger = { error: write, warn: write, info: write, debug: write };
  const sources = createTokenSources({
    clock,
    random: () => 0.5,
    log,
    secrets,
    observer,
    endpoint,
    ...overrides,
  });
  return { clock, secrets, endpoint, sources, observed, expiries, logged, count: () => requests.length };
}

/** The bare token that a source gives, or the error's code. */
export async function had(source: TokenSource): Promise<string> {
  try {
    return bare(await source.token());
  } catch (error) {
    if (error instanceof ProxyError) return error.code;
    throw error;
  }
}

/** The same for a source that must not wait. */
export function hadNow(source: TokenSource): string {
  const result = source.token();
  if (result instanceof Promise) {
    result.catch(() => {});
    return "(waits)";
  }
  return bare(result);
}

export function bare(injection: Injection): string {
  return injection.headers[1]?.replace("Bearer ", "") ?? "";
}

/** The error that a source gives. */
export async function refusal(source: TokenSource): Promise<ProxyError> {
  try {
    await source.token();
  } catch (error) {
    if (error instanceof ProxyError) return error;
    throw error;
  }
  throw new Error("a token was had");
}

/** A promise and its resolver. */
export function gate<T>(): { readonly promise: Promise<T>; open(value: T): void } {
  const { promise, resolve } = Promise.withResolvers<T>();
  return { promise, open: resolve };
}

export { settle };
