import type { ClientCredentialsSpec, Config, CredentialSpec } from "../src/config/config.ts";
import { systemFiles } from "../src/config/files.ts";
import { requireSecrets } from "../src/config/readable.ts";
import { createSecretSource } from "../src/config/secret-source.ts";
import { createSystemClock } from "../src/core/clock.ts";
import { silentLogger } from "../src/core/log.ts";
import type { AccessToken } from "../src/token/access-token.ts";
import { fetchToken } from "../src/token/fetch-token.ts";
import { configFile, environment } from "./config-file.ts";
import { list, namedCredential } from "./credential.ts";
import { CommandError, EXIT } from "./exit-code.ts";
import { loadFromFile } from "./load.ts";
import type { TokenOptions } from "./program.ts";

/** Fetches a token through the code that serves requests and says what it is; the token itself only with `--raw`. */
export async function printToken(name: string, options: TokenOptions): Promise<void> {
  if (options.raw && options.json) throw new CommandError("--raw and --json exclude each other", EXIT.usage);
  const { config } = loadFromFile(options);
  const spec = findSpec(config, name, options.tenant);
  if (spec.kind === "static") {
    throw new CommandError(
      `credential ${name} is a fixed header, not a token; there is nothing to fetch`,
      EXIT.usage,
    );
  }
  if (spec.kind !== "client_credentials") {
    throw new CommandError(
      `credential ${name} is of grant ${spec.kind}: its tokens belong to single visitors, and are had in the browser (docs/user-logins.md); there is none to fetch here`,
      EXIT.usage,
    );
  }
  const secrets = createSecretSource({
    env: environment(options.logLevel),
    files: systemFiles,
    log: silentLogger,
  });
  const references = [spec.clientId, spec.clientSecret].filter((reference) => reference.kind !== "literal");
  requireSecrets(config, configFile(options.config), secrets, references);
  const token = await fetchToken(
    { credential: name, tenant: options.tenant, spec },
    { clock: createSystemClock(), random: Math.random, secrets },
  );
  process.stdout.write(format(token, scopeOf(token, spec), options));
}

function findSpec(config: Config, name: string, tenant: string | undefined): CredentialSpec {
  const { spec, tenants } = namedCredential(config, name, tenant);
  const chosen = tenant === undefined ? spec : tenants?.get(tenant);
  if (chosen !== undefined) return chosen;
  throw new CommandError(
    `credential ${name} has tenants: name one with --tenant (${list(tenants?.keys() ?? [])})`,
    EXIT.usage,
  );
}

/** A server that grants what was asked for need not say so (RFC 6749 §5.1). */
function scopeOf(token: AccessToken, { scopes }: ClientCredentialsSpec): string | undefined {
  return token.scope ?? (scopes.length === 0 ? undefined : scopes.join(" "));
}

function format(token: AccessToken, scope: string | undefined, { raw, json }: TokenOptions): string {
  if (raw) return `${token.value.reveal()}\n`;
  const expiresInSeconds = Math.round(token.lifetimeMs / 1_000);
  const expiresAt = new Date(token.obtainedAtWallMs + token.lifetimeMs).toISOString();
  if (json) {
    const known = {
      token_type: token.type,
      expires_in: expiresInSeconds,
      expires_at: expiresAt,
      ...(scope === undefined ? {} : { scope }),
    };
    return `${JSON.stringify(known, null, 2)}\n`;
  }
  return `type     ${token.type}\nexpires  in ${expiresInSeconds} s, at ${expiresAt}\nscope    ${scope ?? "(none was asked for, and the server names none)"}\n`;
}
