/**
 * The fixed origin: nginx, with 1 KB of JSON and a large body, plain and over TLS. It answers 401 without the right
 * bearer token, so that no proxy wins by not injecting one.
 *
 * - `/api/json`: 1 KB of JSON
 * - `/api/body`: as many zeros as asked for
 */
import { closeSync, mkdirSync, openSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CertificateFiles } from "../../test/support/certificates.ts";
import { nginxCommand, nginxPreamble } from "./nginx.ts";

export interface OriginOptions {
  readonly directory: string;
  readonly plainPort: number;
  readonly tlsPort: number;
  readonly token: string;
  readonly certificate: CertificateFiles;
  readonly bodyBytes: number;
}

const JSON_BYTES = 1_000;
/** Writes the origin's files. @returns the command that serves them, in the foreground */
export function originCommand(options: OriginOptions): readonly string[] {
  const { directory, plainPort, tlsPort, token, certificate, bodyBytes } = options;
  mkdirSync(join(directory, "api"), { recursive: true });
  const body = join(directory, "api", "body");
  closeSync(openSync(body, "w"));
  // Holes: a gibibyte that takes no room on the disk.
  truncateSync(body, bodyBytes);
  const json = `{"data":"${"x".repeat(JSON_BYTES - '{"data":""}'.length)}"}`;
  const file = join(directory, "nginx.conf");
  writeFileSync(
    file,
    `${nginxPreamble(directory)}
  sendfile on;
  tcp_nodelay on;
  keepalive_timeout 600s;
  ssl_certificate ${certificate.certFile};
  ssl_certificate_key ${certificate.keyFile};
  server {
    listen 127.0.0.1:${plainPort} backlog=4096;
    listen 127.0.0.1:${tlsPort} ssl backlog=4096;
    if ($http_authorization != "Bearer ${token}") { return 401; }
    location = /api/json { default_type application/json; return 200 '${json}'; }
    location = /api/body { root ${directory}; default_type application/octet-stream; }
  }
}
`,
  );
  return nginxCommand(directory, file);
}
