import type { ProviderAdvice } from "../config/provider-definition.ts";
import type { SecretSource } from "../config/secret-source.ts";
import type { Random } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import type { Pacer } from "../token/pacer.ts";
import type { ClockSample } from "./clock-skew.ts";
import type { Subject, Verdict } from "./finding.ts";
import type { Reaches } from "./reaches.ts";

/** One thing to examine. */
export interface Examination {
  readonly subject: Subject;
  /** Rejects only by a fault of our own. */
  examine(): Promise<Verdict>;
}

/** What all examinations share. */
export interface Surroundings {
  readonly clock: Clock;
  readonly random: Random;
  randomBytes(size: number): Buffer;
  readonly secrets: SecretSource;
  /** One for all, so that requests to one token URL are spaced as those that serve are. */
  readonly pacer: Pacer;
  readonly reaches: Reaches;
  /** For each answer; a whole token exchange ends after 10 s at the latest, as it does for requests. */
  readonly timeoutMs: number;
  /** Calls off whatever is under way. */
  readonly signal: AbortSignal;
  /** A server told its time. */
  heardTime(sample: ClockSample): void;
  /** What a provider's rules say, by its name. */
  advice(provider: string): ProviderAdvice | undefined;
  /** Whether credentials of this provider may choose `client_auth`. */
  choosesClientAuth(provider: string): boolean;
}
