import type { TokenState } from "./access-token.ts";
import { type Clients, USER_CLIENTS } from "./clients.ts";
import { SERVICES, type ServiceName } from "./services.ts";

export interface TokenRequestCounts {
  requests: number;
  issued: number;
  refused: number;
}

/** Requests to a service's API by the token they carried. `total` counts those without a token too. */
export type ApiRequestCounts = Record<TokenState | "total", number>;

/** What users and their applications have done at a service with users. */
const USER_EVENTS = [
  "logins",
  "login_failures",
  /** Authorization requests sent back with an error. */
  "authorization_errors",
  "consents_denied",
  "codes_issued",
  "codes_exchanged",
  /** Codes presented after they had been exchanged; each revokes what the code gave. */
  "codes_reused",
  /** Refresh tokens exchanged for new tokens. */
  "refreshes",
  /** Refresh tokens presented after they had been rotated away; each revokes its family. */
  "consumed_tokens_resent",
  "revocations",
  "anonymous_tokens",
  /** Logins whose anonymous token was valid; and the others. */
  "visitors_linked",
  "anonymous_tokens_ignored",
] as const;

export type UserEvent = (typeof USER_EVENTS)[number];
export type UserCounts = Record<UserEvent, number>;

/** What has come in since the start; `GET /_emulator/stats` shows the same. */
export interface EmulatorStats {
  /** Token requests per client name; "unknown" holds those whose client could not be told. */
  readonly clients: Readonly<Record<string, TokenRequestCounts>>;
  readonly tokenEndpoints: Readonly<Record<ServiceName, TokenRequestCounts>>;
  readonly apis: Readonly<Record<ServiceName, ApiRequestCounts>>;
  readonly users: Readonly<Record<ServiceName, UserCounts>>;
}

export interface StatsRecorder {
  tokenRequest(service: ServiceName, client: string | undefined, outcome: "issued" | "refused"): void;
  apiRequest(service: ServiceName, token: TokenState): void;
  user(service: ServiceName, event: UserEvent): void;
  /** A copy that later requests do not change. */
  snapshot(): EmulatorStats;
}

/** Counters. Nothing of a request is kept but its class, so they cannot grow. */
export function createStatsRecorder({ machines }: Clients): StatsRecorder {
  const perService = <Counts>(make: () => Counts) =>
    Object.fromEntries(SERVICES.map(({ name }) => [name, make()])) as Record<ServiceName, Counts>;
  const noTokenRequests = (): TokenRequestCounts => ({ requests: 0, issued: 0, refused: 0 });

  const unknown = noTokenRequests();
  const clients: Record<string, TokenRequestCounts> = Object.fromEntries(
    [...machines, ...USER_CLIENTS].map(({ name }) => [name, noTokenRequests()]),
  );
  const stats = {
    clients: { ...clients, unknown },
    tokenEndpoints: perService(noTokenRequests),
    apis: perService((): ApiRequestCounts => ({ total: 0, valid: 0, expired: 0, foreign: 0, absent: 0 })),
    users: perService(() => Object.fromEntries(USER_EVENTS.map((event) => [event, 0])) as UserCounts),
  };

  return {
    tokenRequest(service, client, outcome) {
      for (const counts of [clients[client ?? ""] ?? unknown, stats.tokenEndpoints[service]]) {
        counts.requests += 1;
        counts[outcome] += 1;
      }
    },
    apiRequest(service, token) {
      stats.apis[service].total += 1;
      stats.apis[service][token] += 1;
    },
    user(service, event) {
      stats.users[service][event] += 1;
    },
    snapshot: () => structuredClone(stats),
  };
}
