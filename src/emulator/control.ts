import { USER_CLIENTS } from "./clients.ts";
import type { EmulatorContext } from "./context.ts";
import { type Answer, type Call, mediaType, parseJsonObject, readBody } from "./exchange.ts";
import { type FaultSwitch, type Faults, parseFaultSwitch } from "./faults.ts";
import { SERVICES, USER_PATHS } from "./services.ts";
import type { EmulatorStats } from "./stats.ts";
import { PASSWORD, USERS } from "./users.ts";

export interface ControlContext extends EmulatorContext {
  readonly faults: Faults;
  readonly setFaults: (change: FaultSwitch) => void;
}

/**
 * `/_emulator/`: what the emulator is, what has come in, and switches to make it fail. Changes take
 * `Content-Type: application/json`, which a foreign web page cannot send without asking first.
 */
export async function control(call: Call, context: ControlContext): Promise<Answer> {
  const get = call.method === "GET" || call.method === "HEAD";
  switch (call.path) {
    case "/_emulator":
    case "/_emulator/":
      return get ? { status: 200, json: index(call.baseUrl, context) } : methodNotAllowed("GET");
    case "/_emulator/stats":
      return get ? { status: 200, json: statsJson(context.stats.snapshot()) } : methodNotAllowed("GET");
    case "/_emulator/faults":
      if (get) return { status: 200, json: context.faults.list() };
      return call.method === "POST" ? postFaults(call, context) : methodNotAllowed("GET, POST");
    default:
      return notFound();
  }
}

/** For every address that the emulator does not have. */
export function notFound(): Answer {
  return { status: 404, json: { message: "No such address. GET /_emulator/ lists those that there are." } };
}

async function postFaults(call: Call, { faults, setFaults }: ControlContext): Promise<Answer> {
  if (mediaType(call.request) !== "application/json") {
    return { status: 415, json: { message: "Send Content-Type: application/json" } };
  }
  const body = await readBody(call.request, 16 * 1_024);
  const change = parseFaultSwitch(body === undefined ? undefined : parseJsonObject(body));
  if (typeof change === "string") return { status: 400, json: { message: change } };
  setFaults(change);
  return { status: 200, json: faults.list() };
}

function methodNotAllowed(allow: string): Answer {
  return { status: 405, headers: { Allow: allow }, json: { message: "Method not allowed" } };
}

function index(origin: string, { clients, expiresInSeconds, faults, redirectUris }: ControlContext) {
  return {
    name: "Pillion's emulator of the Zocdoc and Qmatic APIs. Nothing in it is real.",
    expires_in: expiresInSeconds,
    endpoints: SERVICES.map(({ name, tokenPath, audience, userAudience }) => ({
      service: name,
      token_url: `${origin}/${name}${tokenPath}`,
      api_url: `${origin}/${name}/`,
      ...(audience === "" ? {} : { audience }),
      ...(userAudience === ""
        ? {}
        : {
            authorize_url: `${origin}/${name}${USER_PATHS.authorize}`,
            revocation_url: `${origin}/${name}${USER_PATHS.revoke}`,
            user_audience: userAudience,
          }),
    })),
    clients: clients.machines.map((client) => ({
      name: client.name,
      service: client.service,
      client_id: client.clientId,
      client_secret: client.clientSecret,
      scopes: client.scopes,
      ...(client.account === undefined ? {} : { account: client.account, tenant_id: client.tenantId }),
    })),
    user_clients: USER_CLIENTS.map(({ name, service, clientId, scopes }) => ({
      name,
      service,
      client_id: clientId,
      scopes,
      redirect_uris: [...redirectUris],
    })),
    users: USERS.map(({ email }) => ({ email, password: PASSWORD })),
    demo: `${origin}/demo/`,
    switches: {
      faults: `${origin}/_emulator/faults`,
      stats: `${origin}/_emulator/stats`,
      current: faults.list(),
    },
  };
}

function statsJson({ clients, tokenEndpoints, apis, users }: EmulatorStats) {
  return { clients, token_endpoints: tokenEndpoints, apis, users };
}
