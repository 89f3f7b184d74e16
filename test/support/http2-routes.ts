import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import type { Route } from "../../src/config/config.ts";
import { createCertificates } from "./certificates.ts";
import { aRoute, type RouteOptions } from "./proxy-harness.ts";

/** A certificate for servers of HTTP/2, and routes that trust it; removed after the tests of the file. */
export function createHttp2Routes(): {
  readonly certificates: ReturnType<typeof createCertificates>;
  readonly pem: { readonly cert: Buffer; readonly key: Buffer };
  readonly tls: NonNullable<Route["connection"]["tls"]>;
  readonly http2Route: (upstream: URL, options?: Partial<RouteOptions>) => Route;
} {
  const directory = mkdtempSync(join(tmpdir(), "pillion-http2-"));
  afterAll(() => rmSync(directory, { recursive: true }));
  const certificates = createCertificates(directory);
  const tls = { ca: certificates.caFile, cert: undefined, key: undefined, serverName: undefined };
  return {
    certificates,
    pem: {
      cert: readFileSync(certificates.server.certFile),
      key: readFileSync(certificates.server.keyFile),
    },
    tls,
    http2Route: (upstream, options = {}) =>
      aRoute({ upstream, http2: true, connection: { tls, httpProxy: undefined }, ...options }),
  };
}
