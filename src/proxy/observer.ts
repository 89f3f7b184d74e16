import type { ErrorCode } from "../core/errors.ts";

/** What the data plane tells the outside. Label sets are looked up once per route and tenant, not per request. */
export interface ProxyObserver {
  destination(route: string, tenant: string | undefined): DestinationObserver;
  /**
   * A request that was refused before it had a destination; `route` is undefined when none matched. Without a `status`
   * only the reason counts: its body broke when it had one, which tells of it as `finished`.
   */
  rejected(reason: ErrorCode, route: string | undefined, method: string, status: number | undefined): void;
}

export interface DestinationObserver {
  started(): void;
  /** `upstreamSeconds` is undefined when the upstream gave no answer. `status` 499 stands for a caller that left. */
  finished(method: string, status: number, seconds: number, upstreamSeconds: number | undefined): void;
  /** The proxy answered by itself, for want of a token or of an upstream. */
  failed(reason: ErrorCode): void;
  /** An upstream's 401: what was done about it. */
  unauthorized(action: UnauthorizedAction): void;
}

/** `replayed`: sent again with a newer token; `passed`: no newer token, or the request cannot be repeated. */
export type UnauthorizedAction = "replayed" | "passed";
