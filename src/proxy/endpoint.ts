import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import type { MemoryValve } from "../core/memory-valve.ts";
import type { Sessions } from "../session/sessions.ts";
import type { ProxyObserver } from "./observer.ts";
import type { ProxyState } from "./proxy-state.ts";
import type { RequestHead } from "./request-head.ts";
import type { Target } from "./target.ts";
import type { Visitor, VisitorRules } from "./visitor.ts";

export interface EndpointDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly memory: MemoryValve;
  readonly observer: ProxyObserver;
  sessions(): Sessions;
}

/** A request under `/.pillion/`, its Host and Origin found good. */
export interface EndpointRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly isHandshake: boolean;
  readonly state: ProxyState;
  readonly startedAtMs: number;
  readonly head: RequestHead;
  readonly requestId: string;
  readonly cors: readonly string[];
  readonly target: Target;
  /** A listed origin asks whether it may ask. */
  readonly isPreflight: boolean;
  /** A person followed a link on another site. */
  readonly isCrossSite: boolean;
}

/** The same, and what every endpoint works with. */
export interface EndpointCall extends EndpointRequest {
  readonly deps: EndpointDeps;
  readonly sessions: Sessions;
  readonly rules: VisitorRules;
  readonly visitor: Visitor;
  readonly query: URLSearchParams;
}

export interface EndpointAnswer {
  readonly status: number;
  /** Flat, beside those of every answer. */
  readonly fields: readonly string[];
  readonly body?: string;
}

export interface Endpoint {
  readonly method: "GET" | "POST";
  /**
   * Who may call it where the proxy has an access token: anybody, whoever has that token or the cookie of a signed-in
   * session, or only the former.
   */
  readonly access: "anybody" | "session" | "token";
  /** Takes a person who comes by a link on another site, as from the provider's login page. */
  readonly takesNavigation: boolean;
  /** What goes wrong is told by a page: always, to whoever visits a page, or never. */
  readonly failsWithPage: "always" | "visited" | "never";
  /** Rejects with a `ProxyError`. */
  respond(call: EndpointCall): Promise<EndpointAnswer>;
}

/** Neither stored nor taken for what it is not. */
export function json(status: number, value: object, fields: readonly string[] = []): EndpointAnswer {
  return {
    status,
    fields: ["content-type", "application/json", ...fields],
    body: `${JSON.stringify(value)}\n`,
  };
}
