import { createHash, timingSafeEqual } from "node:crypto";
import type { ServiceName } from "./services.ts";

/** A client that the emulator knows. All of it is made up, and the same at every start. */
export interface KnownClient {
  /** Short name for statistics and log lines. */
  readonly name: string;
  readonly service: ServiceName;
  readonly clientId: string;
  /** Full names of the scopes granted. */
  readonly scopes: readonly string[];
  /** Qmatic: the value of `X-ACCOUNT`. */
  readonly account?: string;
  /** Qmatic: the value of `X-TENANT-ID`. */
  readonly tenantId?: string;
}

/** A machine: it authenticates with a secret. */
export interface EmulatedClient extends KnownClient {
  readonly clientSecret: string;
}

/**
 * An application that users sign in to. A public client (RFC 6749 §2.1): it has no secret, so that its registered
 * redirect URIs and PKCE are what protects it. `scopes` are those it may ask for.
 */
export type UserClient = KnownClient;

const ZOCDOC_SCOPES = [
  "external.appointment.read",
  "external.appointment.write",
  "external.schedulable_entity.read",
  "external.credential.rotate",
];

/** Qmatic's scope of a short name (`book`, `reschedule`, `cancel`). */
export function qmaticScope(short: string): string {
  return `com.qmatic.saas.appointments/external.appointment.${short}`;
}

function qmaticTenant(
  account: string,
  tenantId: string,
  region: "eu-west-1" | "us-east-1",
  ...shortScopes: string[]
): EmulatedClient {
  return {
    name: `qmatic-${account}`,
    service: `qmatic/${region}`,
    clientId: `qmatic-${account}-client`,
    clientSecret: `fake-qmatic-${account}-secret`,
    scopes: shortScopes.map(qmaticScope),
    account,
    tenantId,
  };
}

export const CLIENTS: readonly EmulatedClient[] = [
  {
    name: "zocdoc-sandbox",
    service: "zocdoc/sandbox",
    clientId: "zocdoc-sandbox-client",
    clientSecret: "fake-zocdoc-sandbox-secret",
    scopes: ZOCDOC_SCOPES,
  },
  {
    // For trying what a missing scope looks like.
    name: "zocdoc-sandbox-reader",
    service: "zocdoc/sandbox",
    clientId: "zocdoc-sandbox-reader-client",
    clientSecret: "fake-zocdoc-sandbox-reader-secret",
    scopes: ["external.appointment.read"],
  },
  {
    name: "zocdoc-production",
    service: "zocdoc/production",
    clientId: "zocdoc-production-client",
    clientSecret: "fake-zocdoc-production-secret",
    scopes: ZOCDOC_SCOPES,
  },
  qmaticTenant("isb", "1001", "eu-west-1", "book", "reschedule", "cancel"),
  qmaticTenant("riverside", "1002", "eu-west-1", "book", "reschedule", "cancel"),
  qmaticTenant("harbor", "2001", "us-east-1", "book", "cancel"),
];

export const OFFLINE_ACCESS = "offline_access";

/** Zocdoc, Authentication: what an application may ask of a user. */
const USER_SCOPES = [
  "external.appointment.read",
  "external.appointment.write",
  "external.schedulable_entity.read",
  OFFLINE_ACCESS,
];

export const USER_CLIENTS: readonly UserClient[] = [
  {
    name: "zocdoc-sandbox-user",
    service: "zocdoc/sandbox",
    clientId: "zocdoc-sandbox-user-client",
    scopes: USER_SCOPES,
  },
  {
    // So that a code or a refresh token in the wrong hands can be tried.
    name: "zocdoc-sandbox-other",
    service: "zocdoc/sandbox",
    clientId: "zocdoc-sandbox-other-user-client",
    scopes: USER_SCOPES,
  },
  {
    name: "zocdoc-production-user",
    service: "zocdoc/production",
    clientId: "zocdoc-production-user-client",
    scopes: USER_SCOPES,
  },
];

/** The clients of one emulator. */
export interface Clients {
  readonly machines: readonly EmulatedClient[];
  /** The client that a token names, of either sort. */
  find(clientId: string | undefined): KnownClient | undefined;
  /** The machine with this id and secret, in whatever service; undefined when there is none. Compares in constant time. */
  authenticate(clientId: string, clientSecret: string): EmulatedClient | undefined;
}

/** Looks clients up by id, however many there are; ids and names must be unique. */
export function createClients(machines: readonly EmulatedClient[]): Clients {
  const machinesById = new Map(machines.map((client) => [client.clientId, client]));
  const usersById = new Map(USER_CLIENTS.map((client) => [client.clientId, client]));
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return {
    machines,
    find: (clientId = "") => machinesById.get(clientId) ?? usersById.get(clientId),
    authenticate(clientId, clientSecret) {
      const client = machinesById.get(clientId);
      if (client === undefined) return undefined;
      return timingSafeEqual(digest(client.clientSecret), digest(clientSecret)) ? client : undefined;
    },
  };
}
