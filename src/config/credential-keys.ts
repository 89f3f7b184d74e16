/** Keys that several providers have in common. */
import { isAbsolute, resolve } from "node:path";
import { z } from "zod";
import type { Connection, SecretReference, TlsOptions, ValueReference } from "./config.ts";
import { ofKind } from "./fault-kind.ts";
import {
  type RawSecretReference,
  type RawValueReference,
  secretReference,
  valueReference,
} from "./reference-schemas.ts";
import { httpUrl, issuerIdentifier } from "./url-schemas.ts";
import { expectation } from "./validate.ts";
import { choice, pemFile, scope } from "./value-schemas.ts";

/** How to verify a server and show a client certificate. */
export const tlsOptions = z
  .strictObject({
    ca: pemFile
      .optional()
      .describe("PEM file of the certificates to trust instead of the system's. Default: the system's.")
      .meta({ examples: ["tls/ca.pem"] }),
    cert: pemFile
      .optional()
      .describe("PEM file of the client certificate, with `key`. Default: none is shown.")
      .meta({ examples: ["tls/client.pem"] }),
    key: pemFile
      .optional()
      .describe("PEM file of the client certificate's private key, with `cert`. Default: none.")
      .meta({ examples: ["tls/client-key.pem"] }),
    server_name: z
      .string()
      .regex(/^[A-Za-z0-9.-]+$/, { error: "expected a host name" })
      .optional()
      .describe("Name for SNI and for checking the certificate. Default: the URL's host.")
      .meta({ examples: ["api.example.com"] }),
  })
  .refine(({ cert, key }) => (cert === undefined) === (key === undefined), {
    error: ofKind("conflict", "cert and key belong together: give both or neither"),
  });

export const httpProxy = httpUrl({ path: false }).meta({ examples: ["http://proxy.example.com:3128"] });

/** The client of an OAuth 2.0 server. */
export const clientKeys = {
  client_id: valueReference
    .describe("The client's id: text, { env: NAME } or { file: PATH }.")
    .meta({ examples: ["my-client", { env: "CLIENT_ID" }] }),
  client_secret: secretReference
    .describe("The client's secret: { env: NAME } or { file: PATH }.")
    .meta({ examples: [{ file: "secrets/client-secret" }, { env: "CLIENT_SECRET" }] }),
};

/** How the client shows who it is at the token endpoint. */
export const clientAuthentication = choice(["basic", "post", "json"]);

/** What every credential that fetches tokens takes. */
export const connectionKeys = {
  tls: tlsOptions
    .optional()
    .describe("TLS towards the token endpoint. It is verified, always. Default: the system's trust."),
  http_proxy: httpProxy
    .optional()
    .describe("HTTP proxy (CONNECT) for requests to the token endpoint. Default: they go there directly."),
  allow_insecure_http: z
    .boolean()
    .prefault(false)
    .describe(
      "Accept plain http: for this credential's URLs beyond loopback addresses. Secrets then travel in the clear.",
    ),
};

/** What every credential with a machine's token takes. */
export const tokenEndpointKeys = {
  ...connectionKeys,
  prefetch: z.boolean().prefault(false).describe("Fetch the token at start and keep it fresh, used or not."),
};

/** What every credential of grant user takes. */
export const userKeys = {
  issuer: issuerIdentifier
    .optional()
    .describe(
      "What `iss` in the answer to a login must be, to the byte (RFC 9207). Default: any URL of the authorize URL's origin.",
    )
    .meta({ examples: ["https://id.example.com/"] }),
  revocation_url: httpUrl({ query: true })
    .optional()
    .describe(
      "Where refresh tokens are revoked at logout (RFC 7009). Default: they are forgotten, not revoked.",
    )
    .meta({ examples: ["https://id.example.com/oauth2/revoke"] }),
};

/** The name of another credential. */
export const credentialName = z.string({
  error: ({ input }) => expectation("the name of a credential", input),
});

/** Token requests per second to one token URL. */
export function tokenRequestsPerSecond() {
  return z
    .number()
    .positive()
    .max(10_000)
    .meta({ examples: [5] });
}

export const scopeList = z.array(scope).min(1);

/** Turns references as written into references as used. */
export interface References {
  secret(raw: RawSecretReference): SecretReference;
  value(raw: RawValueReference): ValueReference;
  /** The absolute path of a file. */
  path(file: string): string;
  connection(raw: RawConnection): Connection;
}

interface RawConnection {
  readonly tls?: z.output<typeof tlsOptions> | undefined;
  readonly http_proxy?: URL | undefined;
}

/** Paths are relative to `directory`, where the configuration file lies. */
export function createReferences(directory: string): References {
  const absolute = (path: string): string => (isAbsolute(path) ? path : resolve(directory, path));
  const connections = new Map<string, Connection>();

  function secret(raw: RawSecretReference): SecretReference {
    return "env" in raw ? { kind: "env", name: raw.env } : { kind: "file", path: absolute(raw.file) };
  }

  return {
    secret,
    path: absolute,
    value: (raw) => (typeof raw === "string" ? { kind: "literal", value: raw } : secret(raw)),
    connection({ tls, http_proxy: httpProxy }) {
      // Equal settings share one object, so that thousands of tenants can share one pool of connections.
      const key = JSON.stringify([tls, httpProxy?.href]);
      const known = connections.get(key);
      if (known !== undefined) return known;
      const connection: Connection = {
        tls: tls === undefined ? undefined : resolveTls(tls, absolute),
        httpProxy,
      };
      connections.set(key, connection);
      return connection;
    },
  };
}

function resolveTls(tls: z.output<typeof tlsOptions>, absolute: (path: string) => string): TlsOptions {
  const path = (file: string | undefined): string | undefined =>
    file === undefined ? undefined : absolute(file);
  return { ca: path(tls.ca), cert: path(tls.cert), key: path(tls.key), serverName: tls.server_name };
}
