import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import type { MemoryValve } from "../core/memory-valve.ts";
import type { TokenSource } from "../token/token-source.ts";
import type { Destination } from "./destination.ts";
import type { RequestHead } from "./request-head.ts";
import type { RouteEntry } from "./route-table.ts";
import type { Visit } from "./visit.ts";

export interface ExchangeDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly memory: MemoryValve;
}

/** One judged request on its way to one destination. */
export interface ExchangeParts {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly head: RequestHead;
  readonly entry: RouteEntry;
  readonly destination: Destination;
  /** What is injected; undefined: nothing. */
  readonly source: TokenSource | undefined;
  /** Set on a route that injects each visitor's own token. */
  readonly visit: Visit | undefined;
  /** Path and query at the upstream. */
  readonly target: string;
  /** The prefix that leads back to this route. */
  readonly prefix: string;
  /** By which browsers reach the listener, where their Host is its own. */
  readonly publicOrigin: string;
  /** Protocols to offer to the upstream, on a connection that can leave HTTP; undefined: an ordinary request. */
  readonly upgrade: string | undefined;
  readonly requestId: string;
  readonly startedAtMs: number;
  /** The caller may be silent for so long in the middle of its body. */
  readonly bodyIdleMs: number;
  readonly accessLog: boolean;
  /** Flat fields put on the answer, e.g. the CORS grant of a listed origin. A visit adds to them as it goes on. */
  extraHeaders: readonly string[];
}
