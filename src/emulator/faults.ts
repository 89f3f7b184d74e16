import { SERVICES, type ServiceName } from "./services.ts";

const TOKEN_FAULTS = [
  "ok",
  "unavailable",
  "refuse",
  "hang",
  "rate_limited",
  "malformed",
  /** The request is processed, and the connection cut in place of the answer: a rotated token is lost so. */
  "lose_answer",
  /** The same, but the connection stays open without a word. */
  "hold_answer",
] as const;
const API_FAULTS = ["ok", "unavailable", "refuse", "hang", "unauthorized_once"] as const;

export type TokenEndpointFault = (typeof TOKEN_FAULTS)[number];
export type ApiFault = (typeof API_FAULTS)[number];

/** What `POST /_emulator/faults` takes. Fields that are left out stay as they are. */
export interface FaultSwitch {
  readonly token_endpoint?: TokenEndpointFault;
  readonly api?: ApiFault;
  /** Back to `ok` after so many seconds; without it the fault stays. */
  readonly for_seconds?: number;
  /** `zocdoc`, `qmatic`, or one service such as `zocdoc/sandbox`; without it all of them. */
  readonly provider?: string;
}

export interface Faults {
  set(change: FaultSwitch): void;
  tokenEndpoint(service: ServiceName): TokenEndpointFault;
  api(service: ServiceName): ApiFault;
  /** A request met `unauthorized_once`: the next one is served again. */
  unauthorizedOnceServed(service: ServiceName): void;
  /** What holds now, per service, for people. */
  list(): Record<string, { token_endpoint: TokenEndpointFault; api: ApiFault }>;
}

interface Held<Fault> {
  readonly fault: Fault;
  /** Unix milliseconds. */
  readonly untilMs: number;
}

/** Switches that make the emulated services fail on purpose. `now` is Unix milliseconds. */
export function createFaults(now: () => number): Faults {
  const tokenEndpoint = new Map<ServiceName, Held<TokenEndpointFault>>();
  const api = new Map<ServiceName, Held<ApiFault>>();

  function held<Fault>(map: Map<ServiceName, Held<Fault>>, service: ServiceName): Fault | "ok" {
    const entry = map.get(service);
    if (entry === undefined) return "ok";
    if (entry.untilMs > now()) return entry.fault;
    map.delete(service);
    return "ok";
  }

  return {
    set(change) {
      const untilMs =
        change.for_seconds === undefined ? Number.POSITIVE_INFINITY : now() + change.for_seconds * 1_000;
      for (const { name, provider } of SERVICES) {
        if (change.provider !== undefined && change.provider !== name && change.provider !== provider)
          continue;
        if (change.token_endpoint !== undefined) {
          tokenEndpoint.set(name, { fault: change.token_endpoint, untilMs });
        }
        if (change.api !== undefined) api.set(name, { fault: change.api, untilMs });
      }
    },
    tokenEndpoint: (service) => held(tokenEndpoint, service),
    api: (service) => held(api, service),
    unauthorizedOnceServed: (service) => void api.delete(service),
    list: () =>
      Object.fromEntries(
        SERVICES.map(({ name }) => [
          name,
          { token_endpoint: held(tokenEndpoint, name), api: held(api, name) },
        ]),
      ),
  };
}

/** Judges the JSON of `POST /_emulator/faults`: the switch, or one sentence on what is wrong with it. */
export function parseFaultSwitch(value: unknown): FaultSwitch | string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "send a JSON object";
  for (const [key, given] of Object.entries(value)) {
    if (!Object.hasOwn(FIELDS, key)) return `${key} is unknown`;
    const fault = FIELDS[key as keyof FaultSwitch](given);
    if (fault !== undefined) return `${key} ${fault}`;
  }
  const change = value as FaultSwitch;
  if (change.token_endpoint === undefined && change.api === undefined) return "name token_endpoint or api";
  return change;
}

const FIELDS: Record<keyof FaultSwitch, (given: unknown) => string | undefined> = {
  token_endpoint: (given) => oneOf(TOKEN_FAULTS, given),
  api: (given) => oneOf(API_FAULTS, given),
  for_seconds: (given) =>
    typeof given === "number" && Number.isFinite(given) && given > 0
      ? undefined
      : "must be a positive number",
  provider: (given) => oneOf([...SERVICES.flatMap(({ provider, name }) => [provider, name])], given),
};

function oneOf(allowed: readonly string[], given: unknown): string | undefined {
  return allowed.includes(given as string) ? undefined : `must be one of ${[...new Set(allowed)].join(", ")}`;
}
