import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type EmulatedClient, USER_CLIENTS, type UserClient } from "./clients.ts";
import { control, notFound } from "./control.ts";
import { createContext } from "./create-context.ts";
import { demo } from "./demo.ts";
import { type Call, type Outcome, send } from "./exchange.ts";
import { createFaults, type FaultSwitch } from "./faults.ts";
import type { EmulatorOptions } from "./options.ts";
import { createResponder } from "./responder.ts";
import { endpointsAt, findService, type ServiceEndpoints, type ServiceName } from "./services.ts";
import type { EmulatorStats } from "./stats.ts";

export { DEFAULT_REDIRECT_URIS, type EmulatorOptions } from "./options.ts";
export type { ServiceEndpoints } from "./services.ts";

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
  readonly userClients: readonly UserClient[];
  readonly redirectUris: readonly string[];
  /** For whoever learns late where it is reached. */
  registerRedirectUri(redirectUri: string): void;
  /** Counters since the creation. */
  stats(): EmulatorStats;
  /** The same as `POST /_emulator/faults`. */
  setFaults(change: FaultSwitch): void;
}

const KEEP_ALIVE_MS = 75_000;

export function createEmulator(options: EmulatorOptions = {}): Emulator {
  const { host = "127.0.0.1", apiRequestsPerMinute, onEvent = () => {} } = options;
  const { keepAliveMs = KEEP_ALIVE_MS } = options;
  const context = createContext(options);
  const { redirectUris } = context;
  const faults = createFaults(context.now);
  const setFaults = (change: FaultSwitch) => {
    faults.set(change);
    onEvent({ event: "faults_set", ...change });
  };
  const respond = createResponder({ context, faults, apiRequestsPerMinute, onEvent });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = request.url ?? "/";
    const [path = "/"] = target.split("?", 1);
    const query = new URLSearchParams(target.slice(path.length));
    const baseUrl = `http://${request.headers.host ?? new URL(emulator.origin).host}`;
    const call: Call = { request, method: request.method ?? "GET", target, path, query, baseUrl };
    const found = findService(path);
    if (found !== undefined) {
      const below: Call = { ...call, path: found.rest, baseUrl: `${baseUrl}/${found.service.name}` };
      return finish(below, response, await respond(below, found.service));
    }
    const isControl = /^\/_emulator(?:\/|$)/.test(path);
    const answer = isControl ? await control(call, { ...context, faults, setFaults }) : demo(call);
    finish(call, response, answer ?? notFound());
  }

  function finish(call: Call, response: ServerResponse, outcome: Outcome): void {
    if (outcome === "hang") return;
    if (outcome === "refuse") call.request.socket.destroy();
    else if (!response.destroyed) send(call, response, outcome);
  }

  const server = createServer({ keepAliveTimeout: keepAliveMs }, (request, response) => {
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
      return endpointsAt(emulator.origin);
    },
    clients: context.clients.machines,
    userClients: USER_CLIENTS,
    get redirectUris() {
      return [...redirectUris];
    },
    registerRedirectUri: (redirectUri) => void redirectUris.add(redirectUri),
    stats: context.stats.snapshot,
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
