/**
 * The validated configuration: frozen, whole, in one set of units (URLs, milliseconds, bytes). Secrets are references;
 * their values are read by `secret-source.ts` when they are needed.
 */
import type { LogLevel } from "../core/log.ts";

export interface Config {
  /** Absolute path of the file it came from. */
  readonly file: string;
  readonly listen: ListenAddress;
  readonly admin: ListenAddress;
  readonly log: LogConfig;
  readonly credentials: ReadonlyMap<string, Credential>;
  readonly routes: readonly Route[];
  readonly access: Access;
  readonly limits: Limits;
  readonly drain: Drain;
  readonly reload: { readonly watch: boolean };
  readonly store: StoreConfig;
  readonly session: SessionConfig;
  /** Whether `POST /-/reload` and `POST /-/quit` are served. Default false. */
  readonly adminLifecycle: boolean;
  /** Directories (`tenants_directory`) whose change means that the configuration has to be read again. */
  readonly watchedDirectories: readonly string[];
}

export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

export interface LogConfig {
  readonly level: LogLevel;
  /** undefined: pretty on a terminal, else JSON. */
  readonly format: "json" | "pretty" | undefined;
  readonly access: boolean;
}

export interface Access {
  /** Host values accepted beside loopback names, lower-case, as written (`name` or `name:port`). */
  readonly hosts: readonly string[];
  /** Browser origins accepted, serialized (`https://app.example`). */
  readonly origins: readonly string[];
  readonly token: SecretReference | undefined;
}

export interface Limits {
  readonly headerBytes: number;
  readonly headers: number;
  readonly connections: number;
  readonly bodyIdleMs: number;
  readonly headerTimeoutMs: number;
}

export interface Drain {
  readonly delayMs: number;
  readonly timeoutMs: number;
}

/** Where tokens and sessions are kept. Keys are 32 bytes in base64: the first encrypts, all decrypt. */
export type StoreConfig =
  | { readonly kind: "memory" }
  | {
      readonly kind: "sqlite";
      /** Absolute path. */
      readonly file: string;
      readonly encryptionKeys: readonly SecretReference[];
    }
  | {
      readonly kind: "redis";
      /** One of the forms in `redis-url.ts`; with a password in it, so it is a secret unless it is written out. */
      readonly url: ValueReference;
      readonly prefix: string;
      readonly tls: TlsOptions | undefined;
      readonly encryptionKeys: readonly SecretReference[];
    };

export interface SessionConfig {
  /** Where browsers reach the data listener: an origin. undefined: http://localhost and the listener's own port. */
  readonly publicUrl: URL | undefined;
  readonly idleMs: number;
  readonly absoluteMs: number;
  /** Signed-in sessions at most, and as many of visitors who are not; the least recently used goes first. */
  readonly limit: number;
}

/** Where a secret's value is: exactly one of an environment variable or a file (absolute path). */
export type SecretReference =
  | { readonly kind: "env"; readonly name: string }
  | { readonly kind: "file"; readonly path: string };

/** A value that may be written out (client ids), or lie where secrets lie. */
export type ValueReference = SecretReference | { readonly kind: "literal"; readonly value: string };

export interface TlsOptions {
  /** Absolute paths of PEM files. */
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly serverName: string | undefined;
}

/** How to reach a host: own trust anchors, a client certificate, an HTTP proxy. */
export interface Connection {
  readonly tls: TlsOptions | undefined;
  readonly httpProxy: URL | undefined;
}

export interface Credential {
  readonly name: string;
  /** The provider's name, for people and for the cache key. */
  readonly provider: string;
  /** Fetch at start and keep fresh. */
  readonly prefetch: boolean;
  /** What a route's `upstream` defaults to. */
  readonly defaultUpstream: URL | undefined;
  /** Operations denied on every route that uses it, unless its `allow` names them to the letter. */
  readonly defaultDeny: readonly string[];
  /** Lower-case names of the fields it injects; the caller's own are dropped. */
  readonly injectedFields: readonly string[];
  /** The one way to get a token, for a credential without tenants. */
  readonly spec: CredentialSpec | undefined;
  /** One way per tenant; undefined for a credential without tenants. May be empty (a directory still empty). */
  readonly tenants: ReadonlyMap<string, CredentialSpec> | undefined;
}

/** How the header fields for one credential and tenant are had. Wholly resolved, but for the values of secrets. */
export type CredentialSpec = MachineSpec | VisitorSpec;

/** One token for everybody. */
export type MachineSpec = ClientCredentialsSpec | StaticHeaderSpec;

/** One token per visitor, kept in the visitor's session. Never one of a credential with tenants. */
export type VisitorSpec = UserSpec | AnonymousSpec;

export interface ClientCredentialsSpec {
  readonly kind: "client_credentials";
  readonly provider: string;
  /** Zocdoc's environment, Qmatic's region, else "". Part of the cache key. */
  readonly environment: string;
  readonly tokenUrl: URL;
  readonly clientAuth: "basic" | "post" | "json";
  readonly clientId: ValueReference;
  readonly clientSecret: SecretReference;
  readonly scopes: readonly string[];
  readonly audience: string | undefined;
  /** Extra parameters of the token request's body. */
  readonly params: Readonly<Record<string, string>>;
  /** Extra header fields of the token request, flat name, value, … (`X-ACCOUNT`). */
  readonly tokenRequestHeaders: readonly string[];
  /** Header fields injected beside `Authorization`, flat name, value, … (`X-TENANT-ID`). */
  readonly injectHeaders: readonly string[];
  readonly connection: Connection;
  /** Requests per second to this token URL; Infinity: not spaced. */
  readonly tokenRequestsPerSecond: number;
}

/** Authorization code with PKCE, and refresh tokens (RFC 6749 §§4.1 and 6, RFC 7636). */
export interface UserSpec {
  readonly kind: "user";
  readonly provider: string;
  /** Zocdoc's environment, else "". */
  readonly environment: string;
  readonly authorizeUrl: URL;
  readonly tokenUrl: URL;
  /** RFC 7009; undefined: the provider has none. */
  readonly revocationUrl: URL | undefined;
  /** What `iss` must equal, when sent (RFC 9207); undefined: it must have the authorize URL's origin. */
  readonly issuer: string | undefined;
  readonly clientId: ValueReference;
  /** undefined: a public client (RFC 6749 §2.1). */
  readonly client: { readonly secret: SecretReference; readonly auth: "basic" | "post" | "json" } | undefined;
  /** The body of token requests; `json` at Zocdoc. */
  readonly tokenRequestFormat: "json" | "form";
  readonly scopes: readonly string[];
  readonly audience: string | undefined;
  /** Name of the credential of grant `anonymous` whose token goes along as `anonymous_token`. */
  readonly anonymous: string | undefined;
  readonly connection: Connection;
  readonly tokenRequestsPerSecond: number;
}

/** One token per visitor, minted with an application's own token (Zocdoc, Anonymous User Flow). */
export interface AnonymousSpec {
  readonly kind: "anonymous";
  readonly provider: string;
  readonly environment: string;
  /** `POST` here, with the application's token as bearer and `{"app_client_id": …}` as body. */
  readonly mintUrl: URL;
  /** The client-credentials credential, without tenants, that mints. */
  readonly app: { readonly credential: string; readonly spec: ClientCredentialsSpec };
  readonly appClientId: ValueReference;
  readonly connection: Connection;
  /** Mint requests per second; Infinity: not spaced. */
  readonly tokenRequestsPerSecond: number;
}

export interface StaticHeaderSpec {
  readonly kind: "static";
  readonly provider: string;
  readonly header: string;
  readonly value: SecretReference;
}

export interface Route {
  readonly name: string;
  readonly path: RoutePath;
  readonly upstream: URL;
  /** undefined: forward without injecting (`credential: none`). */
  readonly credential: Credential | undefined;
  readonly tenant: TenantRule;
  /** undefined: every method but CONNECT and TRACE. */
  readonly methods: ReadonlySet<string> | undefined;
  /** undefined: everything that `deny` does not name. */
  readonly allow: readonly Operation[] | undefined;
  readonly deny: readonly Operation[];
  readonly timeouts: { readonly connectMs: number; readonly headersMs: number; readonly idleMs: number };
  readonly replayOn401: "safe" | "buffered" | "off";
  readonly maxReplayBodyBytes: number;
  /** Sockets per upstream and tenant at most. */
  readonly connections: number;
  /** Handshakes for an upgrade (RFC 9110 §7.8) are passed on. */
  readonly upgrade: boolean;
  readonly connection: Connection;
  /** A browser's navigation without a signed-in session is sent to the login instead of getting 401. */
  readonly loginRedirect: boolean;
  /** HTTP/2 where the upstream offers it by ALPN. */
  readonly http2: boolean;
  /** Absolute URLs of the upstream in JSON answers lead back through the proxy. */
  readonly rewriteUrls: boolean;
  readonly requestHeaders: HeaderEdits;
  readonly responseHeaders: HeaderEdits;
}

/** `/qmatic/{tenant}/` → segments ["qmatic", undefined], tenantIndex 1, trailingSlash true. */
export interface RoutePath {
  /** As written. */
  readonly pattern: string;
  /** Decoded segments of the prefix, without the empty ones at both ends; undefined stands for `{tenant}`. */
  readonly segments: readonly (string | undefined)[];
  readonly tenantIndex: number | undefined;
  /** With a trailing slash `/a/` matches `/a/…`; without, `/a` matches `/a` and `/a/…`. */
  readonly trailingSlash: boolean;
}

export type TenantRule =
  | { readonly kind: "none" }
  | { readonly kind: "path" }
  | { readonly kind: "fixed"; readonly tenant: string }
  /** `name` is lower-case. */
  | { readonly kind: "header"; readonly name: string }
  /** `{tenant}.localhost` → prefix "", suffix ".localhost", lower-case. */
  | { readonly kind: "host"; readonly prefix: string; readonly suffix: string };

/** A method (or `*`) and an upstream path pattern. */
export interface Operation {
  readonly method: string;
  readonly path: string;
}

export interface HeaderEdits {
  /** Flat name, value, … */
  readonly set: readonly string[];
  /** Lower-case. */
  readonly remove: ReadonlySet<string>;
}
