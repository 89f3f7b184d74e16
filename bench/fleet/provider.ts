/** The emulator, as strict as it is for everybody, with a client for each tenant and a record of what its token endpoint is asked. */
import { performance } from "node:perf_hooks";
import { type EmulatedClient, qmaticScope } from "../../src/emulator/clients.ts";
import type { EmulatorEvent } from "../../src/emulator/context.ts";
import { createEmulator } from "../../src/emulator/emulator.ts";
import type { ServiceName } from "../../src/emulator/services.ts";

export interface IssuedToken {
  readonly tenant: string;
  /** Monotonic: when its answer was sent. */
  readonly issuedMs: number;
}

/** Zocdoc takes token requests as they come; Qmatic one a second, and answers 429 to the others. */
export type ProviderName = "zocdoc" | "qmatic";

export interface Provider extends AsyncDisposable {
  /** Of a credential with all tenants, in YAML, for a configuration that has their secret in `SECRET`. */
  readonly credential: string;
  readonly apiUrl: string;
  /** Monotonic moments of all token requests, in order. */
  arrivalsMs(): readonly number[];
  /** Of those that were granted. */
  arrivalsByTenant(): ReadonlyMap<string, readonly number[]>;
  /** Token requests that were not. */
  refused(): number;
  /** Requests to the API with a token that was expired or another's, or without one. */
  wrongTokens(): number;
  /** By the token's digest, as the API's `/echo` tells it. */
  find(tokenDigest: string): IssuedToken | undefined;
  /** Until `release`, token requests are granted and not answered. */
  hold(): void;
  release(): void;
  /** Resolves once so many token requests were granted. */
  granted(count: number): Promise<void>;
}

export interface ProviderOptions {
  readonly name: ProviderName;
  readonly tenants: readonly string[];
  readonly lifetimeSeconds: number;
}

/** What a token request takes at the provider's. */
export const ANSWER_MS = 100;
/** Each process has connections of its own for each tenant: kept for long, a thousand tenants are more than one process may have. */
const KEEP_ALIVE_MS = 5_000;
/** Of all tenants, plainly fake. */
export const SECRET = "not-a-secret";

const SERVICE: Readonly<Record<ProviderName, ServiceName>> = {
  zocdoc: "zocdoc/sandbox",
  qmatic: "qmatic/eu-west-1",
};

export async function startProvider({ name, tenants, lifetimeSeconds }: ProviderOptions): Promise<Provider> {
  const service = SERVICE[name];
  const issued = new Map<string, IssuedToken>();
  const arrivalsMs: number[] = [];
  const arrivalsByTenant = new Map<string, number[]>();
  let grants = 0;
  let granted = Promise.withResolvers<void>();

  const onEvent = (event: EmulatorEvent): void => {
    if (event.event !== "token_issued" && event.event !== "token_refused") return;
    const receivedMs = event.receivedMs - performance.timeOrigin;
    arrivalsMs.push(receivedMs);
    if (event.event === "token_refused") return;
    const { client: tenant, tokenDigest } = event;
    arrivalsByTenant.set(tenant, [...(arrivalsByTenant.get(tenant) ?? []), receivedMs]);
    issued.set(tokenDigest, { tenant, issuedMs: performance.now() });
    grants += 1;
    granted.resolve();
    granted = Promise.withResolvers();
  };
  const emulator = createEmulator({
    clients: tenants.map((tenant) => clientOf(tenant, name)),
    expiresInSeconds: lifetimeSeconds,
    tokenAnswerMs: ANSWER_MS,
    keepAliveMs: KEEP_ALIVE_MS,
    now: () => performance.timeOrigin + performance.now(),
    onEvent,
  });
  await emulator.start();
  const { tokenUrl, apiUrl } = emulator.endpoints[service];
  const inOrder = (moments: readonly number[]): readonly number[] => moments.toSorted((a, b) => a - b);

  return {
    credential: credentialOf(name, tenants, tokenUrl),
    apiUrl,
    arrivalsMs: () => inOrder(arrivalsMs),
    arrivalsByTenant: () =>
      new Map([...arrivalsByTenant].map(([tenant, moments]) => [tenant, inOrder(moments)])),
    refused: () => emulator.stats().tokenEndpoints[service].refused,
    wrongTokens() {
      const { total, valid } = emulator.stats().apis[service];
      return total - valid;
    },
    find: (tokenDigest) => issued.get(tokenDigest),
    hold: () => emulator.setFaults({ token_endpoint: "hold_answer" }),
    release: () => emulator.setFaults({ token_endpoint: "ok" }),
    async granted(count) {
      while (grants < count) await granted.promise;
    },
    [Symbol.asyncDispose]: () => emulator.stop(),
  };
}

function clientOf(tenant: string, name: ProviderName): EmulatedClient {
  const common = { name: tenant, service: SERVICE[name], clientId: tenant, clientSecret: SECRET };
  return name === "zocdoc"
    ? { ...common, scopes: ["external.appointment.read"] }
    : { ...common, scopes: [qmaticScope("book")], account: tenant, tenantId: tenant };
}

function credentialOf(name: ProviderName, tenants: readonly string[], tokenUrl: string): string {
  const place = name === "zocdoc" ? "environment: sandbox" : "region: eu-west-1\n    scopes: [book]";
  const tenantId = (tenant: string): string => (name === "zocdoc" ? "" : `tenant_id: ${tenant}, `);
  return `    provider: ${name}
    ${place}
    token_url: "${tokenUrl}"
    tenants:
${tenants.map((tenant) => `      ${tenant}: { ${tenantId(tenant)}client_id: ${tenant}, client_secret: { env: SECRET } }`).join("\n")}
`;
}
