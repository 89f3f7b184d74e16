import type { EmulatedClient } from "./clients.ts";
import type { EmulatorEvent } from "./context.ts";
import type { Records } from "./records.ts";

export interface EmulatorOptions {
  /** Default 0: a free one. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Its machines. Default `CLIENTS`, which the built-in configuration is for. */
  readonly clients?: readonly EmulatedClient[];
  /** How long a token endpoint takes for an answer, in milliseconds. Default 0. */
  readonly tokenAnswerMs?: number;
  /**
   * How long a connection without a request is kept, in milliseconds. Default 75 s: longer than clients keep one, so that it is
   * not this side that closes under a request.
   */
  readonly keepAliveMs?: number;
  /** Lifetime of access tokens. Default 3600, as at both providers. */
  readonly expiresInSeconds?: number;
  /** Whether a refresh gives a new refresh token and uses the old one up. Default true. */
  readonly refreshRotation?: boolean;
  /** A refresh token ends when unused for so long. Default 15 days (Zocdoc, Authentication). */
  readonly refreshIdleSeconds?: number;
  /** It and all that follow it end at this age. Default 30 days (Zocdoc, Authentication). */
  readonly refreshLifetimeSeconds?: number;
  /** Registered for every application, to the letter. Default `DEFAULT_REDIRECT_URIS`. */
  readonly redirectUris?: readonly string[];
  /** What outlives the emulator. Default: nothing. */
  readonly records?: Records;
  /** Qmatic's API limit per account (the real one is 100). Default undefined: off. */
  readonly apiRequestsPerMinute?: number | undefined;
  /** Unix milliseconds. Default `Date.now`. */
  readonly now?: () => number;
  /** Default `crypto.randomBytes`. */
  readonly randomBytes?: (size: number) => Buffer;
  /** For log lines. Must not throw. */
  readonly onEvent?: (event: EmulatorEvent) => void;
}

/** Where Pillion's callback is, as it listens by default. */
export const DEFAULT_REDIRECT_URIS: readonly string[] = [
  "http://localhost:8080/.pillion/callback",
  "http://127.0.0.1:8080/.pillion/callback",
];
