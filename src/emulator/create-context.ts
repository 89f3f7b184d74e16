import { createHmac, randomBytes as cryptoRandomBytes } from "node:crypto";
import { createAccessTokens } from "./access-token.ts";
import { CLIENTS, createClients } from "./clients.ts";
import type { EmulatorContext } from "./context.ts";
import { createGrants } from "./grants.ts";
import { createLoginSessions } from "./login-sessions.ts";
import { DEFAULT_REDIRECT_URIS, type EmulatorOptions } from "./options.ts";
import { forgetful, keptKey } from "./records.ts";
import { createStatsRecorder } from "./stats.ts";

const DAY_SECONDS = 86_400;

/** What all services share, from the options and their defaults. */
export function createContext(options: EmulatorOptions): EmulatorContext {
  const { now = Date.now, randomBytes = cryptoRandomBytes, records = forgetful } = options;
  const { expiresInSeconds = 3_600, refreshRotation = true } = options;
  const key = keptKey(records, randomBytes);
  const clients = createClients(options.clients ?? CLIENTS);
  return {
    now,
    randomBytes,
    expiresInSeconds,
    tokenAnswerMs: options.tokenAnswerMs ?? 0,
    refreshRotation,
    clients,
    tokens: createAccessTokens({
      expiresInSeconds,
      now,
      randomBytes,
      key: createHmac("sha256", key).update("access tokens").digest(),
    }),
    grants: createGrants({
      now,
      randomBytes,
      key,
      records,
      rotation: refreshRotation,
      idleSeconds: options.refreshIdleSeconds ?? 15 * DAY_SECONDS,
      lifetimeSeconds: options.refreshLifetimeSeconds ?? 30 * DAY_SECONDS,
    }),
    logins: createLoginSessions({ now, randomBytes, key }),
    stats: createStatsRecorder(clients),
    records,
    redirectUris: new Set(options.redirectUris ?? DEFAULT_REDIRECT_URIS),
  };
}
