import type { StatusDocument } from "../status-document.ts";

/** A value in a shell, whatever is in it. */
export function shellQuoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The line to type for a first token: a route with a credential of a machine, by its first tenant. undefined: there is none. */
export function firstRequest(
  status: Pick<StatusDocument, "routes" | "credentials" | "listen" | "access_token_required">,
): string | undefined {
  for (const route of status.routes) {
    const credential = status.credentials.find(({ name }) => name === route.credential);
    if (credential === undefined || credential.grant === "user" || credential.grant === "anonymous") continue;
    const tenant = credential.tenants?.[0];
    if (credential.tenants !== undefined && tenant === undefined) continue;
    const path = route.path.replace("{tenant}", tenant ?? "");
    const options: string[] = [];
    if (route.tenant_header !== undefined)
      options.push("-H", shellQuoted(`${route.tenant_header}: ${tenant}`));
    if (route.tenant_host !== undefined)
      options.push("-H", shellQuoted(`Host: ${route.tenant_host.replace("{tenant}", tenant ?? "")}`));
    if (status.access_token_required) options.push("-H", '"Pillion-Access: $PILLION_ACCESS_TOKEN"');
    const isUnix = status.listen.startsWith("unix:");
    if (isUnix) options.push("--unix-socket", shellQuoted(status.listen.slice("unix:".length)));
    const address = status.listen.replace(/^0\.0\.0\.0:|^\[::\]:/, "127.0.0.1:");
    const origin = isUnix ? "http://localhost" : `http://${address}`;
    return ["curl", "-i", ...options, shellQuoted(`${origin}${path}`)].join(" ");
  }
  return undefined;
}
