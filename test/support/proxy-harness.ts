/** The data plane on a real socket, without configuration files and token endpoints. */
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type {
  Access,
  ClientCredentialsSpec,
  Credential,
  CredentialSpec,
  Limits,
  ListenAddress,
  Operation,
  Route,
  SessionConfig,
  VisitorSpec,
} from "../../src/config/config.ts";
import { parseOperation, parseRoutePath } from "../../src/config/route-path.ts";
import { type Clock, createSystemClock } from "../../src/core/clock.ts";
import { ProxyError } from "../../src/core/errors.ts";
import type { LogFields, Logger } from "../../src/core/log.ts";
import { openValve } from "../../src/core/memory-valve.ts";
import type { Secret } from "../../src/core/secret.ts";
import { createHostPolicy } from "../../src/proxy/access.ts";
import { createHandler } from "../../src/proxy/handler.ts";
import type { ProxyObserver } from "../../src/proxy/observer.ts";
import type { ProxyState } from "../../src/proxy/proxy-state.ts";
import { rawProblem } from "../../src/proxy/respond.ts";
import { createRouteTable } from "../../src/proxy/route-table.ts";
import { takesUpgrade } from "../../src/proxy/upgrade.ts";
import { createVisitorRules } from "../../src/proxy/visitor.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import { Injection, type TokenSource } from "../../src/token/token-source.ts";
import { createHttpListener, type HttpListener } from "../../src/transport/http-listener.ts";

export type RouteOptions = Partial<Omit<Route, "path" | "allow" | "deny" | "methods">> & {
  readonly upstream: URL;
  readonly path?: string;
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
  readonly methods?: readonly string[];
};

/** A route as a configuration with nothing but these options would give it. The path defaults to `/api/`. */
export function aRoute({ path = "/api/", allow, deny, methods, ...options }: RouteOptions): Route {
  const parsed = parseRoutePath(path);
  if ("problem" in parsed) throw new Error(parsed.problem);
  return {
    name: "api",
    path: parsed.value,
    credential: undefined,
    tenant: parsed.value.tenantIndex === undefined ? { kind: "none" } : { kind: "path" },
    methods: methods === undefined ? undefined : new Set(methods),
    allow: allow?.map(anOperation),
    deny: deny?.map(anOperation) ?? [],
    timeouts: { connectMs: 5_000, headersMs: 30_000, idleMs: 60_000 },
    replayOn401: "safe",
    maxReplayBodyBytes: 65_536,
    connections: 64,
    upgrade: false,
    connection: { tls: undefined, httpProxy: undefined },
    loginRedirect: false,
    http2: false,
    rewriteUrls: false,
    requestHeaders: { set: [], remove: new Set() },
    responseHeaders: { set: [], remove: new Set() },
    ...options,
  };
}

export function anOperation(text: string): Operation {
  const parsed = parseOperation(text);
  if ("problem" in parsed) throw new Error(parsed.problem);
  return parsed.value;
}

const SPEC: CredentialSpec = {
  kind: "static",
  provider: "static",
  header: "authorization",
  value: { kind: "env", name: "UNUSED" },
};

/** A credential that injects `Authorization` (and what `injectedFields` says), with these tenants if any. */
export function aCredential(
  options: { tenants?: readonly string[]; injectedFields?: readonly string[] } = {},
) {
  const { tenants, injectedFields = ["authorization"] } = options;
  const credential: Credential = {
    name: "main",
    provider: "oauth2",
    prefetch: false,
    defaultUpstream: undefined,
    defaultDeny: [],
    injectedFields,
    spec: tenants === undefined ? SPEC : undefined,
    tenants: tenants === undefined ? undefined : new Map(tenants.map((tenant) => [tenant, SPEC])),
  };
  return credential;
}

const CONNECTION = { tls: undefined, httpProxy: undefined };

const MINTER: ClientCredentialsSpec = {
  kind: "client_credentials",
  provider: "zocdoc",
  environment: "sandbox",
  tokenUrl: new URL("https://id.test/token"),
  clientAuth: "json",
  clientId: { kind: "literal", value: "app" },
  clientSecret: { kind: "env", name: "UNUSED" },
  scopes: [],
  audience: undefined,
  params: {},
  tokenRequestHeaders: [],
  injectHeaders: [],
  connection: CONNECTION,
  tokenRequestsPerSecond: Number.POSITIVE_INFINITY,
};

const VISITOR_SPECS: Readonly<Record<VisitorSpec["kind"], VisitorSpec>> = {
  user: {
    kind: "user",
    provider: "zocdoc",
    environment: "sandbox",
    authorizeUrl: new URL("https://id.test/authorize"),
    tokenUrl: new URL("https://id.test/token"),
    revocationUrl: undefined,
    issuer: undefined,
    clientId: { kind: "literal", value: "spa" },
    client: undefined,
    tokenRequestFormat: "json",
    scopes: [],
    audience: undefined,
    anonymous: undefined,
    connection: CONNECTION,
    tokenRequestsPerSecond: Number.POSITIVE_INFINITY,
  },
  anonymous: {
    kind: "anonymous",
    provider: "zocdoc",
    environment: "sandbox",
    mintUrl: new URL("https://api.test/v1/token/anonymous-user"),
    app: { credential: "app", spec: MINTER },
    appClientId: { kind: "literal", value: "spa" },
    connection: CONNECTION,
    tokenRequestsPerSecond: Number.POSITIVE_INFINITY,
  },
};

/** A credential whose tokens are each visitor's own. */
export function aVisitorCredential(kind: VisitorSpec["kind"], name: string = kind): Credential {
  return {
    name,
    provider: "zocdoc",
    prefetch: false,
    defaultUpstream: undefined,
    defaultDeny: [],
    injectedFields: ["authorization"],
    spec: VISITOR_SPECS[kind],
    tenants: undefined,
  };
}

/** A token source whose answers a test writes. */
export interface ScriptedSource extends TokenSource {
  /** What `token()` gives; a function is called each time. */
  next: string | (() => string | Promise<string>);
  /** What `invalidate()` resolves to. Default: nothing newer. */
  renew: () => string | undefined | Promise<string | undefined>;
  readonly invalidated: readonly string[];
}

export function createScriptedSource(first: ScriptedSource["next"] = "token-1"): ScriptedSource {
  const invalidated: string[] = [];
  const inject = (token: string): Injection => new Injection(["authorization", `Bearer ${token}`]);
  return {
    next: first,
    renew: () => undefined,
    invalidated,
    token() {
      const next = typeof this.next === "string" ? this.next : this.next();
      return typeof next === "string" ? inject(next) : next.then(inject);
    },
    async invalidate(rejected) {
      invalidated.push(rejected.headers[1] ?? "");
      const renewed = await this.renew();
      if (renewed === undefined) return undefined;
      this.next = renewed;
      return inject(renewed);
    },
  };
}

export interface ProxyOptions {
  readonly routes: readonly Route[];
  /** The source of a tenant, or of a credential without tenants. Default: `token-<tenant>` for each. */
  readonly source?: (tenant: string | undefined) => TokenSource;
  readonly limits?: Partial<Limits>;
  readonly access?: Partial<Access>;
  readonly accessToken?: Secret;
  readonly clock?: Clock;
  readonly listen?: ListenAddress;
  readonly refusal?: (request: IncomingMessage) => ProxyError | undefined;
  /** Default: there are none, and asking is a fault. */
  readonly sessions?: Sessions;
  readonly session?: Partial<Pick<SessionConfig, "publicUrl" | "absoluteMs">>;
  /** Beside those that routes have. */
  readonly credentials?: readonly Credential[];
}

/** What the data plane told its observer, one line each, and what it logged. */
export interface Told {
  readonly events: string[];
  readonly log: { readonly event: string; readonly fields: LogFields }[];
}

export interface RunningProxy extends AsyncDisposable {
  readonly port: number;
  readonly address: string;
  readonly listener: HttpListener;
  readonly told: Told;
  /** Exchanges the routes as a reload does. */
  reload(routes: readonly Route[]): void;
}

export const LIMITS: Limits = {
  headerBytes: 16_384,
  headers: 100,
  connections: 1_024,
  bodyIdleMs: 60_000,
  headerTimeoutMs: 10_000,
};

export async function startProxy(options: ProxyOptions): Promise<RunningProxy> {
  const clock = options.clock ?? createSystemClock();
  const limits = { ...LIMITS, ...options.limits };
  const access: Access = { hosts: [], origins: [], token: undefined, ...options.access };
  const told: Told = { events: [], log: [] };
  const observer = createObserver(told);
  const { accessToken } = options;
  const source =
    options.source ?? ((tenant: string | undefined) => createScriptedSource(`token-${tenant ?? "app"}`));
  const session = { publicUrl: undefined, absoluteMs: 2_592_000_000, ...options.session };
  const credentialsOf = (routes: readonly Route[]): ReadonlyMap<string, Credential> =>
    new Map(
      [...routes.map(({ credential }) => credential), ...(options.credentials ?? [])].flatMap((credential) =>
        credential === undefined ? [] : [[credential.name, credential]],
      ),
    );
  let ownOrigin = "http://localhost";
  const stateOf = (routes: readonly Route[]): ProxyState => ({
    table: createRouteTable(routes, { observer, source: (_credential, tenant) => source(tenant) }),
    isServedHost: createHostPolicy({
      hosts: [...access.hosts, ...(session.publicUrl === undefined ? [] : [session.publicUrl.host])],
      patterns: routes.flatMap(({ tenant }) => (tenant.kind === "host" ? [tenant] : [])),
      anyAddress: false,
    }),
    access,
    limits,
    accessLog: true,
    accessToken: accessToken === undefined ? undefined : () => accessToken,
    visitors: createVisitorRules(credentialsOf(routes), session, () => ownOrigin),
  });
  let state = stateOf(options.routes);

  const listener: HttpListener = createHttpListener({
    limits,
    clock,
    handle: createHandler({
      clock,
      log: createLog(told),
      memory: openValve,
      observer,
      sessions() {
        if (options.sessions === undefined) throw new Error("the test has no sessions");
        return options.sessions;
      },
      requestId: randomUUID,
      state: () => state,
      locate: (request) => listener.locate(request),
      refusal: (request) =>
        listener.isOverLimit(request)
          ? new ProxyError("OVERLOADED", "More connections are open than limits.connections allows.")
          : options.refusal?.(request),
    }),
    takesUpgrade: (request) => takesUpgrade(request, state.table),
    refuse(error, inPlaceOf) {
      observer.rejected(error.code, undefined, "", inPlaceOf === undefined ? error.status : undefined);
      return rawProblem(error, randomUUID());
    },
  });
  const address = await listener.listen(options.listen ?? { kind: "tcp", host: "127.0.0.1", port: 0 });
  const port = Number(address.split(":").at(-1));
  if (options.listen === undefined) ownOrigin = `http://localhost:${port}`;

  return {
    port,
    address,
    listener,
    told,
    reload(routes) {
      const previous = state;
      state = stateOf(routes);
      previous.table.close();
    },
    async [Symbol.asyncDispose]() {
      listener.destroy();
      await listener.close();
      state.table.close();
    },
  };
}

function createObserver({ events }: Told): ProxyObserver {
  return {
    destination: (route, tenant) => {
      const label = `${route}${tenant === undefined ? "" : `/${tenant}`}`;
      return {
        started: () => void events.push(`started ${label}`),
        finished: (method, status) => void events.push(`finished ${label} ${method} ${status}`),
        failed: (reason) => void events.push(`failed ${label} ${reason}`),
        unauthorized: (action) => void events.push(`unauthorized ${label} ${action}`),
      };
    },
    rejected: (reason, route, method, status) =>
      void events.push(`rejected ${reason} ${route ?? "-"} ${method} ${status}`),
  };
}

function createLog({ log }: Told): Logger {
  const write = (event: string, fields: LogFields = {}): void => void log.push({ event, fields });
  return { error: write, warn: write, info: write, debug: write };
}

/** Resolves when `condition` holds; looks again with every turn of the event loop. Rejects after ten seconds. */
export async function eventually(condition: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadlineMs) throw new Error(`never held: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
