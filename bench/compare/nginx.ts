/** What nginx needs to run for itself, as the origin and as a peer. */
import { join } from "node:path";

/** More than any run asks for: nginx would close a connection after 1 000 requests. */
export const UNLIMITED_REQUESTS = 1_000_000_000;

/** nginx started by root gives its workers another user, to whom the run's own folder is closed. */
function nginxUser(): string {
  return process.getuid?.() === 0 ? "user root;" : "";
}

/** Where nginx may write, none of it the system's. */
function nginxFolders(directory: string): string {
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return kinds.map((kind) => `  ${kind}_temp_path ${join(directory, kind)};`).join("\n");
}

/** The beginning of a configuration, into its block `http`, which is left open. */
export function nginxPreamble(directory: string): string {
  return `daemon off;
${nginxUser()}
worker_processes 1;
pid ${join(directory, "nginx.pid")};
error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off;
${nginxFolders(directory)}
  keepalive_requests ${UNLIMITED_REQUESTS};`;
}

/** In the foreground. */
export function nginxCommand(directory: string, file: string): readonly string[] {
  return ["nginx", "-e", "stderr", "-p", directory, "-c", file];
}
