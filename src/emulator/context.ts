import type { AccessTokenClaims, AccessTokens, TokenState } from "./access-token.ts";
import type { EmulatedClient } from "./clients.ts";
import type { FaultSwitch } from "./faults.ts";
import type { Service, ServiceName } from "./services.ts";

/** Something that happened, for log lines. Holds no secret and no token. */
export type EmulatorEvent =
  | {
      readonly event: "token_issued";
      readonly service: ServiceName;
      readonly client: string;
      readonly expiresInSeconds: number;
    }
  | {
      readonly event: "token_refused";
      readonly service: ServiceName;
      readonly client: string | undefined;
      readonly status: number;
      readonly error: string;
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
  readonly tokens: AccessTokens;
}

/** A request whose token was found good. */
export interface Caller {
  readonly service: Service;
  readonly client: EmulatedClient;
  readonly claims: AccessTokenClaims;
}
