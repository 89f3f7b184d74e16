import type { Outcome } from "./exchange.ts";
import type { ApiFault, TokenEndpointFault } from "./faults.ts";
import type { Service } from "./services.ts";

/** How a switched-on fault of a token endpoint looks on the wire; undefined: go on, to the end or to its last step. */
export function tokenEndpointFault(
  fault: TokenEndpointFault,
  service: Service,
  nowMs: number,
): Outcome | undefined {
  switch (fault) {
    case "ok":
    case "lose_answer":
    case "hold_answer":
      return undefined;
    case "refuse":
    case "hang":
      return fault;
    case "unavailable":
      return { status: 503, json: { message: "Service Unavailable" } };
    case "malformed":
      // What a captive portal or a load balancer's maintenance page looks like to a client.
      return {
        status: 200,
        headers: { "Content-Type": "text/html" },
        stream: (response) => response.end("<html><body>Down for maintenance</body></html>"),
      };
    case "rate_limited":
      return service.provider === "zocdoc" ? auth0RateLimit(nowMs) : { status: 429, json: QMATIC_RATE_LIMIT };
  }
}

/** The same for an API, except for `unauthorized_once`, which is the provider's own 401. */
export function apiFault(fault: ApiFault): Outcome | undefined {
  switch (fault) {
    case "ok":
    case "unauthorized_once":
      return undefined;
    case "refuse":
    case "hang":
      return fault;
    case "unavailable":
      return { status: 503, json: { message: "Service Unavailable" } };
  }
}

const QMATIC_RATE_LIMIT = { error: "too_many_requests" };

/** Auth0's rate limit: `x-ratelimit-reset` is in Unix seconds. */
function auth0RateLimit(nowMs: number): Outcome {
  return {
    status: 429,
    headers: {
      "x-ratelimit-limit": "30",
      "x-ratelimit-remaining": "0",
      "x-ratelimit-reset": String(Math.ceil(nowMs / 1_000) + 1),
    },
    json: { error: "too_many_requests", error_description: "Global limit has been reached" },
  };
}
