import type { AnonymousSpec, ClientCredentialsSpec, Config, CredentialSpec } from "../config/config.ts";
import type { ProviderDefinition } from "../config/provider-definition.ts";
import type { SecretSource } from "../config/secret-source.ts";
import type { Random } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import { createPacer } from "../token/pacer.ts";
import { type ClockSample, judgeClock } from "./clock-skew.ts";
import type { Examination, Surroundings } from "./examination.ts";
import { type Finding, failure, type Subject, type Verdict } from "./finding.ts";
import { examineStaticHeader, type Fetched, fetchMachineToken } from "./machine-credential.ts";
import { createReaches } from "./reaches.ts";
import { examineStore } from "./store-round-trip.ts";
import { examineUpstream, groupUpstreams } from "./upstream.ts";
import { examineAnonymousCredential, examineUserCredential } from "./visitor-credential.ts";

/** What a diagnosis needs of the world; built in cmd/, replaced in tests. */
export interface DiagnosisDeps {
  readonly clock: Clock;
  readonly random: Random;
  randomBytes(size: number): Buffer;
  readonly secrets: SecretSource;
  readonly providers: readonly ProviderDefinition[];
  /** For each answer. A token exchange as a whole has 10 s at most, as requests give it. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** How far a diagnosis has come. */
export interface DiagnosisObserver {
  /** Told once, first: everything that will be examined, in the order of the configuration; the findings come in it. */
  planned(subjects: readonly Subject[]): void;
  finished(finding: Finding): void;
}

/**
 * Examines everything that a configuration needs of its surroundings: the store, each credential and tenant, each upstream,
 * the clock. All side by side but for what the pacer spaces; what several need is asked once. The listeners' own
 * addresses are left alone, so that it can run beside a process that serves. Findings in the order of the configuration.
 */
export async function diagnose(
  config: Config,
  deps: DiagnosisDeps,
  observer: DiagnosisObserver,
): Promise<readonly Finding[]> {
  const samples: ClockSample[] = [];
  const definition = (provider: string): ProviderDefinition | undefined =>
    deps.providers.find(({ name, grant }) => name === provider && (grant ?? MACHINE) === MACHINE);
  const surroundings: Surroundings = {
    ...deps,
    pacer: createPacer(deps.clock),
    reaches: createReaches(deps.clock),
    heardTime: (sample) => void samples.push(sample),
    advice: (provider) => definition(provider)?.advice,
    choosesClientAuth: (provider) => Object.hasOwn(definition(provider)?.keys ?? {}, "client_auth"),
  };
  const examinations = plan(config, surroundings);
  const clock: Subject = { kind: "clock" };
  observer.planned([...examinations.map(({ subject }) => subject), clock]);
  const findings = await Promise.all(
    examinations.map(async ({ subject, examine }) => {
      const finding = { subject, ...(await examine().catch(unexpected)) };
      observer.finished(finding);
      return finding;
    }),
  );
  const ofClock = { subject: clock, ...judgeClock(samples) };
  observer.finished(ofClock);
  return [...findings, ofClock];
}

const MACHINE = "client_credentials";

function plan(config: Config, surroundings: Surroundings): readonly Examination[] {
  /** A token that mints visitors' tokens is fetched once for both. */
  const fetched = new Map<ClientCredentialsSpec, Promise<Fetched>>();
  const fetchOnce = (spec: ClientCredentialsSpec): Promise<Fetched> => {
    const known = fetched.get(spec) ?? fetchMachineToken(spec, surroundings);
    fetched.set(spec, known);
    return known;
  };
  const appToken = ({ app }: AnonymousSpec): Promise<Fetched> =>
    fetchOnce(machineSpec(config, app.credential) ?? app.spec);
  const examineCredential = (name: string, spec: CredentialSpec): Promise<Verdict> => {
    switch (spec.kind) {
      case "client_credentials":
        return fetchOnce(spec).then(({ verdict }) => verdict);
      case "static":
        return examineStaticHeader(spec, surroundings);
      case "user":
        return examineUserCredential(spec, surroundings);
      case "anonymous":
        return examineAnonymousCredential(name, spec, appToken(spec), surroundings);
    }
  };

  const credentials = [...config.credentials.values()].flatMap((credential): readonly Examination[] => {
    const { name: credentialName, spec, tenants } = credential;
    const ways = spec === undefined ? [...(tenants ?? [])] : [[undefined, spec] as const];
    return ways.map(([tenant, way]) => ({
      subject: { kind: "credential", credential: credentialName, tenant },
      examine: () => examineCredential(credentialName, way),
    }));
  });
  const upstreams = groupUpstreams(config.routes).map((group): Examination => {
    const routes = group.routes.map(({ name }) => name);
    return {
      subject: { kind: "upstream", upstream: group.url.origin, routes },
      examine: () => examineUpstream(group, surroundings),
    };
  });
  return [
    { subject: { kind: "store" }, examine: () => examineStore(config.store, surroundings) },
    ...credentials,
    ...upstreams,
  ];
}

/** The very object of the credential's own line. */
function machineSpec(config: Config, credential: string): ClientCredentialsSpec | undefined {
  const spec = config.credentials.get(credential)?.spec;
  return spec?.kind === "client_credentials" ? spec : undefined;
}

function unexpected(error: unknown): Verdict {
  const reason = error instanceof Error ? error.name : "unknown";
  return failure({ reason: `could not be examined (${reason})`, hint: "this is a fault of Pillion" });
}
