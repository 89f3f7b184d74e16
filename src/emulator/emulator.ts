import { randomBytes as cryptoRandomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { bearerToken, createAccessTokens, type TokenCheck } from "./access-token.ts";
import { CLIENTS, type EmulatedClient } from "./clients.ts";
import type { Caller, EmulatorContext, EmulatorEvent } from "./context.ts";
import { control, notFound } from "./control.ts";
import { type Answer, type Call, type Outcome, send, soleHeader } from "./exchange.ts";
import { apiFault, tokenEndpointFault } from "./fault-outcome.ts";
import { createFaults, type FaultSwitch } from "./faults.ts";
import { createQmaticApi, qmaticUnauthorized } from "./qmatic-api.ts";
import { createQmaticTokenEndpoint } from "./qmatic-token-endpoint.ts";
import { findService, SERVICES, type Service, type ServiceName } from "./services.ts";
import { createStatsRecorder, type EmulatorStats } from "./stats.ts";
import type { TokenDecision } from "./token-request.ts";
import { createZocdocApi, zocdocUnauthorized } from "./zocdoc-api.ts";
import { zocdocToken } from "./zocdoc-token-endpoint.ts";

export interface EmulatorOptions {
  /** Default 0: a free one. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Lifetime of access tokens. Default 3600, as at both providers. */
  readonly expiresInSeconds?: number;
  /** Qmatic's API limit per account (the real one is 100). Default undefined: off. */
  readonly apiRequestsPerMinute?: number | undefined;
  /** Unix milliseconds. Default `Date.now`. */
  readonly now?: () => number;
  /** Default `crypto.randomBytes`. */
  readonly randomBytes?: (size: number) => Buffer;
  /** For log lines. Must not throw. */
  readonly onEvent?: (event: EmulatorEvent) => void;
}

export interface ServiceEndpoints {
  readonly tokenUrl: string;
  /** With a trailing slash; what `api_url` and `upstream` are to be set to. */
  readonly apiUrl: string;
}

/** Stand-ins for both providers on one port. Everything in it is made up, and the same at every start. */
export interface Emulator {
  /** Rejects when the port cannot be had. */
  start(): Promise<void>;
  /** Cuts what is open. Idempotent. */
  stop(): Promise<void>;
  /** The port it really has; throws before `start`, like all that follow from it. */
  readonly port: number;
  readonly origin: string;
  readonly endpoints: Readonly<Record<ServiceName, ServiceEndpoints>>;
  readonly clients: readonly EmulatedClient[];
  /** Counters since the creation. */
  stats(): EmulatorStats;
  /** The same as `POST /_emulator/faults`. */
  setFaults(change: FaultSwitch): void;
}

/** Longer than any client keeps an idle connection, so that it is not this side that closes under a request. */
const KEEP_ALIVE_MS = 75_000;

export function createEmulator(options: EmulatorOptions = {}): Emulator {
  const { host = "127.0.0.1", expiresInSeconds = 3_600, onEvent = () => {} } = options;
  const { now = Date.now, randomBytes = cryptoRandomBytes } = options;
  const tokens = createAccessTokens({ expiresInSeconds, now, randomBytes });
  const context: EmulatorContext = { now, randomBytes, expiresInSeconds, tokens };
  const faults = createFaults(now);
  const stats = createStatsRecorder();
  const setFaults = (change: FaultSwitch) => {
    faults.set(change);
    onEvent({ event: "faults_set", ...change });
  };
  const controlContext = { ...context, faults, stats, setFaults };
  const services = new Map(SERVICES.map((service) => [service.name, createService(service)]));

  function createService(service: Service) {
    if (service.provider === "zocdoc") {
      return {
        token: (call: Call) => zocdocToken(call, service, context),
        api: createZocdocApi(context),
        unauthorized: zocdocUnauthorized,
      };
    }
    return {
      token: createQmaticTokenEndpoint(service, context),
      api: createQmaticApi(context, options.apiRequestsPerMinute),
      unauthorized: qmaticUnauthorized,
    };
  }

  async function answerTokenRequest(
    call: Call,
    service: Service,
    decide: (call: Call) => Promise<TokenDecision>,
  ): Promise<Outcome> {
    const fault = faults.tokenEndpoint(service.name);
    const outcome = tokenEndpointFault(fault, service, now());
    if (outcome !== undefined) {
      stats.tokenRequest(service.name, undefined, "refused");
      const status = typeof outcome === "string" ? 0 : outcome.status;
      onEvent({ event: "token_refused", service: service.name, client: undefined, status, error: fault });
      return outcome;
    }
    const decision = await decide(call);
    const client = decision.client?.name;
    stats.tokenRequest(service.name, client, decision.kind);
    if (decision.kind === "issued") {
      onEvent({
        event: "token_issued",
        service: service.name,
        client: decision.client.name,
        expiresInSeconds,
      });
    } else {
      const { error, answer } = decision;
      onEvent({ event: "token_refused", service: service.name, client, status: answer.status, error });
    }
    return decision.answer;
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
    const client = CLIENTS.find(({ clientId }) => clientId === claims?.client_id);

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
    return token === undefined ? { state: "foreign" } : tokens.check(service, token);
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = request.url ?? "/";
    const [path = "/"] = target.split("?", 1);
    const query = new URLSearchParams(target.slice(path.length));
    const baseUrl = `http://${request.headers.host ?? new URL(emulator.origin).host}`;
    const call: Call = { request, method: request.method ?? "GET", target, path, query, baseUrl };
    const found = findService(path);
    const handlers = found && services.get(found.service.name);
    if (found === undefined || handlers === undefined) {
      const isControl = /^\/_emulator(?:\/|$)/.test(path);
      return finish(call, response, isControl ? await control(call, controlContext) : notFound());
    }
    const { service, rest } = found;
    const below: Call = { ...call, path: rest, baseUrl: `${baseUrl}/${service.name}` };
    const outcome =
      rest === service.tokenPath
        ? await answerTokenRequest(below, service, handlers.token)
        : await answerApiRequest(below, service, handlers.api, handlers.unauthorized);
    finish(below, response, outcome);
  }

  function finish(call: Call, response: ServerResponse, outcome: Outcome): void {
    if (outcome === "hang") return;
    if (outcome === "refuse") call.request.socket.destroy();
    else if (!response.destroyed) send(call, response, outcome);
  }

  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    handle(request, response).catch((error: unknown) => {
      // A caller that went away amid its body leaves nobody to answer; anything else is a fault of the emulator's own.
      if (request.errored || response.headersSent) request.socket.destroy();
      else {
        response.writeHead(500, { "Content-Type": "text/plain" });
        response.end(`The emulator failed: ${error instanceof Error ? error.message : String(error)}\n`);
      }
    });
  });

  const emulator: Emulator = {
    start: () =>
      new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(options.port ?? 0, host, () => {
          server.off("error", reject);
          resolve();
        });
      }),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
    get port() {
      const address = server.address() as AddressInfo | null;
      if (address === null) throw new Error("the emulator has not been started");
      return address.port;
    },
    get origin() {
      return `http://${reachableHost(host)}:${emulator.port}`;
    },
    get endpoints() {
      const { origin } = emulator;
      const entries = SERVICES.map(({ name, tokenPath }): [ServiceName, ServiceEndpoints] => [
        name,
        { tokenUrl: `${origin}/${name}${tokenPath}`, apiUrl: `${origin}/${name}/` },
      ]);
      return Object.fromEntries(entries) as Record<ServiceName, ServiceEndpoints>;
    },
    clients: CLIENTS,
    stats: stats.snapshot,
    setFaults,
  };
  return emulator;
}

/** A host for URLs: the loopback address where the server listens on all addresses, brackets around IPv6. */
function reachableHost(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}
