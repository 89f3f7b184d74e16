import type { IncomingMessage } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { bearerToken, type TokenCheck } from "./access-token.ts";
import { authorize } from "./authorization-endpoint.ts";
import type { Caller, EmulatorContext, EmulatorEvent } from "./context.ts";
import { type Answer, type Call, type Outcome, soleHeader } from "./exchange.ts";
import { apiFault, tokenEndpointFault } from "./fault-outcome.ts";
import type { Faults } from "./faults.ts";
import { createQmaticApi, qmaticUnauthorized } from "./qmatic-api.ts";
import { createQmaticTokenEndpoint } from "./qmatic-token-endpoint.ts";
import { credentialDigest } from "./reflection.ts";
import { SERVICES, type Service, USER_PATHS } from "./services.ts";
import type { TokenDecision } from "./token-request.ts";
import { createZocdocApi, zocdocUnauthorized } from "./zocdoc-api.ts";
import { revoke } from "./zocdoc-revocation.ts";
import { zocdocToken } from "./zocdoc-token-endpoint.ts";

export interface ResponderOptions {
  readonly context: EmulatorContext;
  readonly faults: Faults;
  readonly apiRequestsPerMinute: number | undefined;
  readonly onEvent: (event: EmulatorEvent) => void;
}

/** Answers for every service: authorization server, token endpoint, API; faults, statistics and events included. */
export function createResponder({ context, faults, apiRequestsPerMinute, onEvent }: ResponderOptions) {
  const { stats, now, expiresInSeconds, tokenAnswerMs } = context;
  const services = new Map(SERVICES.map((service) => [service.name, createService(service)]));

  function createService(service: Service) {
    if (service.provider === "zocdoc") {
      return {
        token: (call: Call) => zocdocToken(call, service, context),
        api: createZocdocApi(service, context),
        unauthorized: zocdocUnauthorized,
        /** What of the authorization server is not its token endpoint. */
        other: new Map<string, (call: Call) => Promise<Answer>>([
          [USER_PATHS.authorize, (call: Call) => authorize(call, service, context)],
          [USER_PATHS.revoke, (call: Call) => revoke(call, service, context)],
        ]),
      };
    }
    return {
      token: createQmaticTokenEndpoint(service, context),
      api: createQmaticApi(context, apiRequestsPerMinute),
      unauthorized: qmaticUnauthorized,
      other: undefined,
    };
  }

  async function answerTokenRequest(
    call: Call,
    service: Service,
    decide: (call: Call) => Promise<TokenDecision>,
  ): Promise<Outcome> {
    const receivedMs = now();
    const fault = faults.tokenEndpoint(service.name);
    const outcome = tokenEndpointFault(fault, service, now());
    if (outcome !== undefined) {
      stats.tokenRequest(service.name, undefined, "refused");
      const status = typeof outcome === "string" ? 0 : outcome.status;
      onEvent({
        event: "token_refused",
        service: service.name,
        client: undefined,
        status,
        error: fault,
        receivedMs,
      });
      return outcome;
    }
    const decision = await decide(call);
    const client = decision.client?.name;
    stats.tokenRequest(service.name, client, decision.kind);
    if (tokenAnswerMs > 0) await delay(tokenAnswerMs);
    if (decision.kind === "issued") {
      onEvent({
        event: "token_issued",
        service: service.name,
        client: decision.client.name,
        expiresInSeconds,
        receivedMs,
        tokenDigest: credentialDigest(decision.accessToken),
      });
    } else {
      const { error, answer } = decision;
      const { status } = answer;
      onEvent({ event: "token_refused", service: service.name, client, status, error, receivedMs });
    }
    if (fault === "lose_answer") return "refuse";
    return fault === "hold_answer" ? "hang" : decision.answer;
  }

  async function answerApiRequest(
    call: Call,
    service: Service,
    api: (call: Call, caller: Caller) => Promise<Answer>,
    unauthorized: (tokenSent: boolean) => Answer,
  ): Promise<Outcome> {
    const check = checkToken(call.request, service);
    stats.apiRequest(service.name, check.state);
    const claims = check.state === "valid" ? check.claims : undefined;
    const client = context.clients.find(claims?.client_id);

    async function answer(): Promise<Outcome> {
      const fault = faults.api(service.name);
      const outcome = apiFault(fault);
      if (outcome !== undefined) return outcome;
      if (claims === undefined || client === undefined) return unauthorized(check.state !== "absent");
      if (fault === "unauthorized_once") {
        faults.unauthorizedOnceServed(service.name);
        return unauthorized(true);
      }
      return api(call, { service, client, claims });
    }

    const outcome = await answer();
    onEvent({
      event: "api_request",
      service: service.name,
      client: client?.name,
      method: call.method,
      path: call.path,
      status: typeof outcome === "string" ? 0 : outcome.status,
      token: check.state,
    });
    if (typeof outcome === "string") return outcome;
    // So that a test can see that `%7C` arrived as `%7C`.
    return { ...outcome, headers: { "X-Emulator-Target": call.target, ...outcome.headers } };
  }

  function checkToken(request: IncomingMessage, service: Service): TokenCheck {
    if (request.headers.authorization === undefined) return { state: "absent" };
    const token = bearerToken(soleHeader(request, "authorization"));
    if (token === undefined) return { state: "foreign" };
    const check = context.tokens.check(service, token);
    const subject = check.state === "valid" ? check.claims.subject : undefined;
    return subject?.kind === "user" && context.grants.isAccessEnded(subject.grant)
      ? { state: "foreign" }
      : check;
  }

  /** `call.path` is the one below the service's prefix. */
  return async (call: Call, service: Service): Promise<Outcome> => {
    const handlers = services.get(service.name);
    if (handlers === undefined) throw new Error(`no service ${service.name}`);
    const other = handlers.other?.get(call.path);
    if (other !== undefined) return other(call);
    return call.path === service.tokenPath
      ? answerTokenRequest(call, service, handlers.token)
      : answerApiRequest(call, service, handlers.api, handlers.unauthorized);
  };
}
