/** Configurations and requests of every kind, for comparing what is explained with what is done. */
import fc from "fast-check";
import { systemFiles } from "../../src/config/files.ts";
import { type ParseResult, parseConfig } from "../../src/config/parse.ts";
import { providers } from "../../src/provider/index.ts";

export const ACCESS_TOKEN = "fake-access-token";
export const TENANTS = ["isb", "Riverside", "a.b"] as const;

/** The value that is injected for a tenant. */
export function keyOf(tenant: string): string {
  return `fake-key-of-${tenant}`;
}

export const ENV: Readonly<Record<string, string>> = {
  ACCESS: ACCESS_TOKEN,
  KEY: "fake-key",
  ...Object.fromEntries(TENANTS.map((tenant, index) => [`KEY_${index}`, keyOf(tenant)])),
};

const some = <T>(...values: readonly T[]): fc.Arbitrary<T[]> => fc.subarray([...values], { minLength: 1 });
const seldom = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });

const operation = fc.constantFrom(
  ...["GET /x", "* /x", "GET /*", "POST /v1/credentials/rotate", "* /x/*", "GET /b/r/x", "* /", "* /*"],
);

/** What any route may have beside its path, credential and upstream. */
const options = fc.record({
  base: fc.constantFrom("", "/", "/v", "/v/", "/%7Ev/"),
  methods: seldom(some("GET", "POST", "DELETE", "OPTIONS")),
  allow: seldom(fc.array(operation, { minLength: 1, maxLength: 3 })),
  deny: seldom(fc.array(operation, { maxLength: 2 })),
  upgrade: fc.boolean(),
  http2: fc.boolean(),
  rewrite_urls: fc.boolean(),
  request_headers: seldom(fc.constant({ set: { "X-Set": "1" }, remove: ["X-Foo", "X-Request-Id"] })),
});

/** Path, credential, and how the tenant is chosen. */
const KINDS: readonly Readonly<Record<string, unknown>>[] = [
  { path: "/", credential: "none" },
  { path: "/a/", credential: "key" },
  { path: "/a/b", credential: "none" },
  { path: "/r/", credential: "api" },
  { path: "/%C3%A9/", credential: "key" },
  { path: "/t/{tenant}/", credential: "many" },
  { path: "/t/isb/x/", credential: "none" },
  { path: "/h/", credential: "many", tenant: { header: "X-Tenant" } },
  { path: "/n/", credential: "many", tenant: { host: "{tenant}.tenants.test" } },
  { path: "/f/", credential: "many", tenant: "Riverside" },
  { path: "/u/", credential: "user" },
  { path: "/l/", credential: "user", login: "redirect" },
  { path: "/o/", credential: "visitor" },
];

/** Where browsers reach the listener, when that is not where it listens. */
export const PUBLIC_HOST = "visits.example";

/** Where it listens, and under which name. Behind a Unix socket a public URL is needed for logins. */
const fronts: readonly Front[] = [
  { listen: "tcp", publicUrl: undefined },
  { listen: "tcp", publicUrl: undefined },
  { listen: "tcp", publicUrl: `https://${PUBLIC_HOST}` },
  { listen: "tcp", publicUrl: `http://${PUBLIC_HOST}:8080` },
  { listen: "unix", publicUrl: `https://${PUBLIC_HOST}` },
  { listen: "unix", publicUrl: "http://localhost:8080" },
];

interface Front {
  readonly listen: "tcp" | "unix";
  readonly publicUrl: string | undefined;
}

/** What generated configurations lead to. */
export interface Surroundings {
  /** By HTTP/1.1, with a slash at its end. */
  readonly upstream: string;
  /** By HTTP/2 on TLS, with a slash at its end. */
  readonly http2Upstream: string;
  /** PEM of the authority that `http2Upstream` is trusted by. */
  readonly caFile: string;
  readonly tokenUrl: string;
  /** A path that is free at each start. */
  readonly socketPath: string;
}

const access = fc.record({
  hosts: fc.constant(["app.internal", "app.internal:99"]),
  origins: fc.constant(["https://app.example"]),
  token: seldom(fc.constant({ env: "ACCESS" })),
});

/** A configuration as text; each route's upstream tells by its path which route it is. */
export function aConfiguration({
  upstream,
  http2Upstream,
  caFile,
  tokenUrl,
  socketPath,
}: Surroundings): fc.Arbitrary<string> {
  // What is to be upgraded goes by HTTP/1.1 in any case, which the one upstream does not speak.
  const by = (isHttp2: boolean, path: string): object =>
    isHttp2
      ? { upstream: `${http2Upstream}${path}`, http2: true, upgrade: false, tls: { ca: caFile } }
      : { upstream: `${upstream}${path}` };
  const routes = fc.subarray([...KINDS.entries()], { minLength: 9 }).chain((kinds) =>
    fc.tuple(
      ...kinds.map(([index, kind]) =>
        options.map(({ base, http2, ...rest }) => ({
          name: `route-${index}`,
          ...kind,
          ...rest,
          ...by(http2, `b${index}${base}`),
        })),
      ),
    ),
  );
  const front = fc.constantFrom(...fronts);
  return fc
    .tuple(routes, access, fc.constantFrom(100, 100, 100, 4), front)
    .map(([list, asked, headers, at]) =>
      // A JSON text is a YAML text.
      JSON.stringify({
        listen: at.listen === "unix" ? `unix:${socketPath}` : "127.0.0.1:0",
        admin: "127.0.0.1:0",
        access: asked,
        session: { public_url: at.publicUrl, allow_insecure_http: true },
        limits: { headers, header_bytes: "2KiB" },
        credentials: {
          key: { provider: "static", header: "X-API-Key", value: { env: "KEY" } },
          many: {
            provider: "static",
            header: "X-API-Key",
            tenants: Object.fromEntries(
              TENANTS.map((tenant, index) => [tenant, { value: { env: `KEY_${index}` } }]),
            ),
          },
          api: {
            provider: "zocdoc",
            environment: "sandbox",
            token_url: tokenUrl,
            client_id: "fake-id",
            client_secret: { env: "KEY" },
          },
          user: {
            provider: "zocdoc",
            grant: "user",
            environment: "sandbox",
            client_id: "fake",
            scopes: ["offline_access"],
          },
          visitor: {
            provider: "zocdoc",
            grant: "anonymous",
            environment: "sandbox",
            app: "api",
            app_client_id: "fake",
            api_url: tokenUrl,
          },
        },
        routes: list,
      }),
    );
}

export function parse(text: string): ParseResult {
  return parseConfig(text, { file: "pillion.yaml", directory: "/", providers, env: {}, files: systemFiles });
}

export interface GeneratedRequest {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly (readonly [string, string])[];
  /** Behind the head. */
  readonly body: string;
}

const segment = fc.constantFrom(
  ...[
    "a",
    "b",
    "r",
    "t",
    "h",
    "n",
    "f",
    "u",
    "l",
    "o",
    "x",
    "isb",
    "Riverside",
    "ISB",
    "nobody",
    "v1",
    "rotate",
    "credentials",
  ],
  ...[
    "",
    ".",
    "..",
    "%2e%2E",
    "%2f",
    "%5C",
    "\\",
    "%00",
    "%C3%A9",
    "%c3%a9",
    "é",
    "%7C",
    "%",
    "%zz",
    "X",
    "x;a=b",
    "a.b",
    "%61",
    " ",
    "#",
    "\x01",
  ],
);

const target = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        fc.constantFrom(
          "/a",
          "/a/b",
          "/r",
          "/t/isb",
          "/t/Riverside",
          "/t/nobody",
          "/t/nobody",
          "/t/nobody",
          "/t/",
          "/h",
          "/n",
          "/f",
          "/u",
          "/l",
          "/o",
          "/o",
          "/%C3%A9",
          "/%61",
          "",
        ),
        fc.constantFrom(
          "",
          "/",
          "/x",
          "/x/",
          "//x",
          "/X",
          "/v1/credentials/rotate",
          "/v1/credentials/%72otate",
          "/y",
          "/b/r/x",
        ),
        fc.constantFrom("", "", "?q=%2f..//é", "?a=b"),
      )
      .map((parts) => parts.join("") || "/"),
  },
  { weight: 3, arbitrary: fc.array(segment, { maxLength: 4 }).map((parts) => `/${parts.join("/")}`) },
  fc.constantFrom(
    ...[
      "*",
      "http://localhost/a/x",
      "a/x",
      "/.pillion/session",
      "/.pillion/login/user",
      "/.pillion/login/key",
    ],
    ...["/.pillion/logout", "/.pillion", "/.pillion/x", "/.%70illion/session", "//a/x", "/.pillion/callback"],
  ),
);

const SESSION = "A".repeat(43);

/** Fields in groups, so that those which only mean something together come together. */
const group = fc.constantFrom<readonly (readonly [string, string])[]>(
  [["Origin", "https://app.example"]],
  [
    ["Origin", "https://app.example"],
    ["Access-Control-Request-Method", "POST"],
  ],
  [["Origin", "https://evil.example"]],
  [["Origin", `https://${PUBLIC_HOST}`]],
  [["Origin", `http://${PUBLIC_HOST}:8080`]],
  [["Origin", "http://localhost:PORT"]],
  [["Origin", "null"]],
  [["Sec-Fetch-Site", "cross-site"]],
  [
    ["Sec-Fetch-Site", "cross-site"],
    ["Sec-Fetch-Mode", "navigate"],
    ["Sec-Fetch-Dest", "document"],
  ],
  [["Sec-Fetch-Site", "same-origin"]],
  [
    ["Sec-Fetch-Mode", "navigate"],
    ["Sec-Fetch-Dest", "document"],
  ],
  [["Accept", "text/html"]],
  [["X-Tenant", "isb"]],
  [["X-Tenant", "a.b"]],
  [["X-Tenant", ""]],
  [["X-Tenant", "nobody"]],
  [["Authorization", `Bearer ${ACCESS_TOKEN}`]],
  [["Pillion-Access", ACCESS_TOKEN]],
  [["Pillion-Access", "wrong"]],
  [["Pillion-Access", ""]],
  [["Cookie", `pillion=${SESSION}; a=b`]],
  [["Cookie", "pillion=short"]],
  [["Cookie", `__Host-pillion=${SESSION}`]],
  [
    ["Cookie", `__Host-pillion=${SESSION}`],
    ["Sec-Fetch-Site", "same-origin"],
  ],
  [["Pillion-Session", SESSION]],
  [["Pillion-Session", "x"]],
  [
    ["Connection", "X-Foo, close"],
    ["X-Foo", "1"],
  ],
  [
    ["X-Foo", "1"],
    ["X_Under", "2"],
  ],
  [
    ["X-Forwarded-For", "1.2.3.4"],
    ["X-Tenant-Id", "9"],
    ["Forwarded", "for=x"],
  ],
  [["X-Request-Id", "abc"]],
  [["X-Request-Id", "a b"]],
  [
    ["Accept-Encoding", "gzip"],
    ["X-API-Key", "planted"],
    ["X-Set", "2"],
  ],
  [
    ["Connection", "Upgrade"],
    ["Upgrade", "websocket"],
  ],
  [
    ["Connection", "Upgrade"],
    ["Upgrade", "h2c"],
  ],
  [["Upgrade", "websocket"]],
  [["TE", "trailers"]],
  [["Expect", "200-ok"]],
  [["Content-Length", "0"]],
  [
    ["Content-Length", "03"],
    ["Content-Length", "3"],
  ],
  [["Bad Name", "x"]],
  [["X-Long", "y".repeat(3_000)]],
  [
    ["Trailer", "X-Sum"],
    ["Proxy-Authorization", "x"],
    ["X-HTTP-Method-Override", "PUT"],
  ],
);

const host = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.constantFrom(
      "localhost:PORT",
      "127.0.0.1:PORT",
      "isb.tenants.test:PORT",
      "riverside.tenants.test",
      PUBLIC_HOST,
      `${PUBLIC_HOST}:8080`,
    ),
  },
  fc.constantFrom(
    ...[
      "localhost",
      "LOCALHOST",
      "[::1]:PORT",
      "a.localhost",
      "localhost:1",
      "evil.example",
      "app.internal",
      "app.internal:99",
    ],
    ...["app.internal:7", "nobody.tenants.test", "", "a b", "u@localhost", "10.0.0.1", "127.9.9.9:PORT"],
  ),
);

/** `PORT` in a field stands for the listener's. */
export const aRequest = fc
  .record({
    method: fc.oneof(
      { weight: 20, arbitrary: fc.constantFrom("GET", "GET", "GET", "POST", "OPTIONS", "DELETE") },
      fc.constantFrom("TRACE", "PURGE", "get", "FOO", "PRI", "CONNECT"),
    ),
    target,
    host,
    groups: fc.oneof(
      fc.constant([]),
      fc.subarray([0, 1], { minLength: 0 }).chain((places) => fc.tuple(...places.map(() => group))),
      fc.array(group, { maxLength: 4 }),
    ),
    body: fc.constantFrom("none", "none", "none", "length", "chunked"),
  })
  .map(
    ({ method, target: asked, host: name, groups, body }): GeneratedRequest => ({
      method,
      target: asked,
      fields: [["Host", name], ...groups.flat(), ...framing(body)] as [string, string][],
      body: body === "length" ? "abc" : body === "chunked" ? "3\r\nabc\r\n0\r\n\r\n" : "",
    }),
  );

function framing(body: string): readonly (readonly [string, string])[] {
  if (body === "length") return [["Content-Length", "3"]];
  return body === "chunked" ? [["Transfer-Encoding", "chunked"]] : [];
}
