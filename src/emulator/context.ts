import type { AccessTokenClaims, AccessTokens, TokenState } from "./access-token.ts";
import type { Clients, KnownClient } from "./clients.ts";
import type { FaultSwitch } from "./faults.ts";
import type { Grants } from "./grants.ts";
import type { LoginSessions } from "./login-sessions.ts";
import type { Records } from "./records.ts";
import type { Service, ServiceName } from "./services.ts";
import type { StatsRecorder } from "./stats.ts";

/** Something that happened, for log lines. Holds no secret and no token. */
export type EmulatorEvent =
  | {
      readonly event: "token_issued";
      readonly service: ServiceName;
      readonly client: string;
      readonly expiresInSeconds: number;
      /** Unix milliseconds: when the request's head was there. The event itself comes as the answer leaves. */
      readonly receivedMs: number;
      /** By which `/echo` names the token, see `credentialDigest`. */
      readonly tokenDigest: string;
    }
  | {
      readonly event: "token_refused";
      readonly service: ServiceName;
      readonly client: string | undefined;
      readonly status: number;
      readonly error: string;
      readonly receivedMs: number;
    }
  | {
      readonly event: "api_request";
      readonly service: ServiceName;
      readonly client: string | undefined;
      readonly method: string;
      /** Path below the service's prefix, without the query. */
      readonly path: string;
      readonly status: number;
      readonly token: TokenState;
    }
  | ({ readonly event: "faults_set" } & FaultSwitch);

/** What every part of the emulator is handed. */
export interface EmulatorContext {
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly randomBytes: (size: number) => Buffer;
  readonly expiresInSeconds: number;
  /** What a token endpoint takes for its answer. */
  readonly tokenAnswerMs: number;
  /** Whether each refresh gives a new refresh token. */
  readonly refreshRotation: boolean;
  readonly clients: Clients;
  readonly tokens: AccessTokens;
  readonly grants: Grants;
  readonly logins: LoginSessions;
  readonly stats: StatsRecorder;
  readonly records: Records;
  /** Where a user may be sent back to, exactly. Grows when `dev` knows its ports. */
  readonly redirectUris: Set<string>;
}

/** A request whose token was found good. */
export interface Caller {
  readonly service: Service;
  readonly client: KnownClient;
  readonly claims: AccessTokenClaims;
}
