/** What the tests of sessions have in common: processes over one store, one provider, and a visitor's browser. */
import { randomBytes } from "node:crypto";
import type {
  AnonymousSpec,
  ClientCredentialsSpec,
  Credential,
  SessionConfig,
  UserSpec,
  VisitorSpec,
} from "../../src/config/config.ts";
import { ProxyError } from "../../src/core/errors.ts";
import type { LogFields, Logger } from "../../src/core/log.ts";
import { createSessions } from "../../src/session/create-sessions.ts";
import type { Sessions, VisitorTokenSource } from "../../src/session/sessions.ts";
import type { TokenObserver } from "../../src/token/observer.ts";
import { createPacer } from "../../src/token/pacer.ts";
import { Injection, type TokenSource } from "../../src/token/token-source.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { createSecrets, DIRECT, spec as machineSpec, type SettableSecrets } from "../token/engine.ts";
import { CLIENT_ID, createScriptedProvider, type ScriptedProvider } from "./scripted-provider.ts";
import { createScriptedStore, type ScriptedStore, type ScriptedVault } from "./scripted-vault.ts";

export const USER: UserSpec = {
  kind: "user",
  provider: "zocdoc",
  environment: "sandbox",
  authorizeUrl: new URL("https://id.example/authorize"),
  tokenUrl: new URL("https://id.example/token"),
  revocationUrl: undefined,
  issuer: undefined,
  clientId: { kind: "literal", value: CLIENT_ID },
  client: undefined,
  tokenRequestFormat: "json",
  scopes: ["a", "b", "offline_access"],
  audience: "DeveloperApiPatient",
  anonymous: "anonymous",
  connection: DIRECT,
  tokenRequestsPerSecond: Number.POSITIVE_INFINITY,
};

export const ANONYMOUS: AnonymousSpec = {
  kind: "anonymous",
  provider: "zocdoc",
  environment: "sandbox",
  mintUrl: new URL("https://api.example/anonymous"),
  app: { credential: "app", spec: machineSpec() as ClientCredentialsSpec },
  appClientId: { kind: "literal", value: CLIENT_ID },
  connection: DIRECT,
  tokenRequestsPerSecond: Number.POSITIVE_INFINITY,
};

export function credential(name: string, spec: VisitorSpec): Credential {
  return {
    name,
    provider: spec.provider,
    prefetch: false,
    defaultUpstream: undefined,
    defaultDeny: [],
    injectedFields: ["authorization"],
    spec,
    tenants: undefined,
  };
}

export interface Process {
  readonly sessions: Sessions;
  readonly vault: ScriptedVault;
  readonly observed: string[];
  readonly logged: { readonly event: string; readonly fields: LogFields | undefined }[];
  /** Moments of exchanges; what it awaits holds them up. */
  step: ((moment: string) => Promise<void>) | undefined;
  readonly appTokens: { next: string; readonly invalidated: string[] };
}

export interface Lab {
  readonly clock: FakeClock;
  readonly store: ScriptedStore;
  readonly provider: ScriptedProvider;
  readonly secrets: SettableSecrets;
  readonly credentials: Map<string, Credential>;
  settings: SessionConfig;
  user: Credential;
  anonymous: Credential;
  /** Another process over the same store. */
  start(options?: { readonly shared?: boolean }): Process;
}

const DAY_MS = 86_400_000;

export function createLab(
  overrides: { readonly user?: Partial<UserSpec>; readonly anonymous?: Partial<AnonymousSpec> } = {},
): Lab {
  const clock = createFakeClock();
  const store = createScriptedStore(clock);
  const provider = createScriptedProvider(clock);
  const secrets = createSecrets();
  const user = credential("user", { ...USER, ...overrides.user });
  const anonymous = credential("anonymous", { ...ANONYMOUS, ...overrides.anonymous });
  const lab: Lab = {
    clock,
    store,
    provider,
    secrets,
    user,
    anonymous,
    credentials: new Map([
      ["user", user],
      ["anonymous", anonymous],
      ["other", credential("other", { ...USER, ...overrides.user, anonymous: undefined })],
    ]),
    settings: { publicUrl: undefined, idleMs: 15 * DAY_MS, absoluteMs: 30 * DAY_MS, limit: 1_000 },
    start({ shared = true } = {}) {
      const vault = store.vault({ shared });
      const observed: string[] = [];
      const logged: { event: string; fields: LogFields | undefined }[] = [];
      const write = (event: string, fields?: LogFields): void => void logged.push({ event, fields });
      const log: Logger = { error: write, warn: write, info: write, debug: write };
      const observer: TokenObserver = {
        credential: (_name, _tenant, grant) => ({
          requested: (outcome) => void observed.push(`${grant} outcome:${outcome}`),
          expiry() {},
          served: (source) => void observed.push(`${grant} served:${source}`),
          unavailable: (reason) => void observed.push(`${grant} unavailable:${reason}`),
        }),
      };
      const appTokens = { next: "app-1", invalidated: [] as string[] };
      const appSource = (): TokenSource => ({
        token: () => new Injection(["authorization", `Bearer ${appTokens.next}`]),
        async invalidate(rejected) {
          appTokens.invalidated.push(rejected.headers[1] ?? "");
          appTokens.next = "app-2";
          return new Injection(["authorization", `Bearer ${appTokens.next}`]);
        },
      });
      const process: Process = {
        vault,
        observed,
        logged,
        step: undefined,
        appTokens,
        sessions: createSessions({
          pacer: createPacer(clock),
          clock,
          random: () => 0.5,
          log,
          secrets,
          vault,
          endpoint: provider.endpoint(async (moment) => process.step?.(moment)),
          observer,
          randomBytes,
          appSource,
          settings: () => ({
            credentials: lab.credentials,
            session: lab.settings,
            publicUrl: new URL("http://localhost:8080"),
          }),
        }),
      };
      return process;
    },
  };
  return lab;
}

/** Signs in through a browser; the new session's id. */
export async function signIn(
  { provider, user }: Lab,
  { sessions }: Process,
  options: { readonly sessionId?: string; readonly credential?: Credential } = {},
): Promise<string> {
  const { credential = user, sessionId } = options;
  const { authorizeUrl, browser } = await sessions.beginLogin({
    credential,
    returnTo: "/",
    loginHint: undefined,
    sessionId,
    browser: undefined,
  });
  const completed = await sessions.completeLogin(provider.agree(authorizeUrl), browser, sessionId);
  return completed.sessionId ?? "";
}

/** The bare token that a request is given, or the error's code. */
export async function had(source: VisitorTokenSource): Promise<string | undefined> {
  try {
    return bare(await source.token());
  } catch (error) {
    if (error instanceof ProxyError) return error.code;
    throw error;
  }
}

/** The same for one that must not wait. */
export function hadNow(source: VisitorTokenSource): string | undefined {
  const result = source.token();
  if (!(result instanceof Promise)) return bare(result);
  result.catch(() => {});
  return "(waits)";
}

export function bare(injection: Injection | undefined): string | undefined {
  return injection?.headers[1]?.replace("Bearer ", "");
}

export async function refusal(promise: Promise<unknown>): Promise<ProxyError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ProxyError) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

/** A process in a laboratory of its own, with one user signed in. */
export async function signedIn(): Promise<{
  lab: Lab;
  process: Process;
  id: string;
  ask: () => Promise<string | undefined>;
}> {
  const lab = createLab();
  const process = lab.start();
  const id = await signIn(lab, process);
  return { lab, process, id, ask: () => had(process.sessions.source(lab.user, id)) };
}
