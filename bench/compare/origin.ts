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

export interface OriginOptions {
  readonly directory: string;
  readonly plainPort: number;
  readonly tlsPort: number;
  readonly token: string;
  readonly certificate: CertificateFiles;
  readonly bodyBytes: number;
}

const JSON_BYTES = 1_000;
/** More than any run asks for: nginx would close a connection after 1 000 requests. */
const UNLIMITED_REQUESTS = 1_000_000_000;

/** nginx started by root gives its workers another user, to whom the run's own folder is closed. */
export function nginxUser(): string {
  return process.getuid?.() === 0 ? "user root;" : "";
}

/** Where nginx may write, none of it the system's. */
export function nginxFolders(directory: string): string {
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return kinds.map((kind) => `  ${kind}_temp_path ${join(directory, kind)};`).join("\n");
}

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
    `daemon off;
${nginxUser()}
worker_processes 1;
pid ${join(directory, "nginx.pid")};
error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off;
${nginxFolders(directory)}
  sendfile on;
  tcp_nodelay on;
  keepalive_timeout 600s;
  keepalive_requests ${UNLIMITED_REQUESTS};
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
  return ["nginx", "-e", "stderr", "-p", directory, "-c", file];
}
