import type { KnownClient } from "./clients.ts";
import { devConfiguration } from "./dev-configuration.ts";
import type { Emulator } from "./emulator.ts";
import { SERVICES } from "./services.ts";
import { PASSWORD, USERS } from "./users.ts";

const WITH_USERS = SERVICES.filter(({ userAudience }) => userAudience !== "");

/** What `pillion emulate` prints: addresses, the client credentials it accepts, and a configuration that uses them. */
export function describe(emulator: Emulator): string {
  const { text, env } = devConfiguration(emulator, { listen: "127.0.0.1:8080", admin: "127.0.0.1:9090" });
  const exports = Object.entries(env).map(([name, value]) => `export ${name}=${value}`);
  return [
    `Emulator of the Zocdoc and Qmatic APIs on ${emulator.origin}. Nothing in it is real.`,
    "",
    "Addresses",
    ...table(
      ["service", "token_url", "api_url or upstream"],
      SERVICES.map(({ name }) => [name, emulator.endpoints[name].tokenUrl, emulator.endpoints[name].apiUrl]),
    ),
    "",
    ...table(
      ["service", "authorize_url", "revocation_url"],
      WITH_USERS.map(({ name }) => [
        name,
        emulator.endpoints[name].authorizeUrl,
        emulator.endpoints[name].revocationUrl,
      ]),
    ),
    "",
    "Audiences",
    ...table(
      ["service", "audience", "of users"],
      WITH_USERS.map(({ name, audience, userAudience }) => [name, audience, userAudience]),
    ),
    "",
    "Clients",
    ...table(
      ["service", "client_id", "client_secret", "account", "tenant_id", "scopes"],
      emulator.clients.map((client) => [
        client.service,
        client.clientId,
        client.clientSecret,
        client.account ?? "-",
        client.tenantId ?? "-",
        scopeList(client),
      ]),
    ),
    "",
    "Clients for users (public: no secret, PKCE)",
    ...table(
      ["service", "client_id", "scopes"],
      emulator.userClients.map((client) => [client.service, client.clientId, scopeList(client)]),
    ),
    "  redirect URIs of each of them:",
    ...emulator.redirectUris.map((redirectUri) => `    ${redirectUri}`),
    "",
    `Users (password of all: ${PASSWORD})`,
    ...USERS.map(({ email }) => `  ${email}`),
    "",
    "Switches",
    ...table(
      ["address", "use"],
      [
        [`GET ${emulator.origin}/_emulator/`, "everything above as JSON"],
        [`GET ${emulator.origin}/_emulator/stats`, "what has come in"],
        [`POST ${emulator.origin}/_emulator/faults`, '{"token_endpoint": "unavailable", "for_seconds": 20}'],
      ],
    ),
    "",
    "A configuration that uses it (pillion.yaml), after",
    ...exports.map((line) => `  ${line}`),
    "",
    ...text.trimEnd().split("\n"),
    "",
  ].join("\n");
}

/** Qmatic's scopes by their short names, which a configuration may use. */
function scopeList({ scopes }: KnownClient): string {
  return scopes.map((scope) => scope.replace(/^com\.qmatic.*\./, "")).join(" ");
}

/** Lines of aligned columns, indented by two. */
function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const lines = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  return lines.map((line) =>
    `  ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd(),
  );
}
