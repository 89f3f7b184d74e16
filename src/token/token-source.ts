import type { Clock } from "../core/clock.ts";
import { hasAged, type RefreshWindows } from "./refresh-policy.ts";

const inspect = Symbol.for("nodejs.util.inspect.custom");

/** The header fields that one credential adds to a request. Prints nothing of them. */
export class Injection {
  readonly #headers: readonly string[];
  readonly #windows: RefreshWindows | undefined;

  /**
   * `headers` is flat: name, value, name, value, … with lower-case names. `windows` are those of the token in it;
   * undefined: it does not expire.
   */
  constructor(headers: readonly string[], windows?: RefreshWindows) {
    this.#headers = headers;
    this.#windows = windows;
  }

  /** Whether a request that was given it at `givenAtMs` (monotonic) and has waited since must ask for another. */
  hasAged(givenAtMs: number, clock: Pick<Clock, "now" | "wall">): boolean {
    return this.#windows !== undefined && hasAged(givenAtMs, clock.now(), clock.wall(), this.#windows);
  }

  /** Flat name, value, …; for the wire only. */
  get headers(): readonly string[] {
    return this.#headers;
  }

  toString(): string {
    return "[redacted]";
  }

  toJSON(): string {
    return "[redacted]";
  }

  [inspect](): string {
    return "[redacted]";
  }
}

/** All that the data plane knows of tokens: one source per credential and tenant. */
export interface TokenSource {
  /**
   * What to inject now. Synchronous while the token is fresh or advisory (a refresh then runs behind), else a promise
   * of the refresh that is under way; rejects with `ProxyError` TOKEN_UNAVAILABLE or TOKEN_REJECTED.
   *
   * @param unsent what the same request was given before and did not send: the two count as one that was served
   */
  token(unsent?: Injection): Injection | Promise<Injection>;
  /**
   * The upstream answered 401 to `rejected`. It is dropped if it is still the one in the cache, and a newer one is
   * had where the rate of forced refreshes (one per 10 s) allows. Undefined: there is no newer one, pass the 401 on.
   * Never rejects.
   */
  invalidate(rejected: Injection): Promise<Injection | undefined>;
}
