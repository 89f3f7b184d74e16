/** The targets, and whether a run met them. Pure. Upstream over TLS, everything on but the access log. */
import type { Details } from "./details.ts";
import type { Metric, Result } from "./figures.ts";
import type { Table } from "./table.ts";

export interface Judgement {
  readonly target: string;
  readonly limit: number;
  /** undefined: not measured. */
  readonly measured: number | undefined;
  readonly atLeast: boolean;
}

/** The peers that a target is a share of; http-proxy as it comes, and with an agent, which is much harder to beat. */
const SHARES = [
  { peer: "http-proxy", of: "http-proxy's, as it comes", most: 0.3 },
  { peer: "http-proxy+agent", of: "http-proxy's, with an agent", most: 0.3 },
  { peer: "go", of: "Go's", most: 0.7 },
  { peer: "nginx", of: "nginx's", most: 2.2 },
  { peer: "envoy", of: "Envoy's", most: 1 },
] as const;

const OWN: readonly { readonly target: string; readonly metric: Metric; readonly most: number }[] = [
  { target: "p99 added at a fixed rate, ms", metric: "addedP99Ms", most: 1 },
  { target: "resident memory idle, MiB", metric: "idleMiB", most: 60 },
  { target: "resident memory under load, MiB", metric: "loadedMiB", most: 85 },
  { target: "from exec to the first proxied request, ms", metric: "startMs", most: 200 },
];
const BODY_PEER = "http-proxy-3";
const ROUTING_MOST = 1.05;
const TOKEN_MOST_MICROSECONDS = 1;

function share(own: number | undefined, other: number | undefined): number | undefined {
  return own === undefined || other === undefined ? undefined : own / other;
}

export function judge(results: readonly Result[], details: Details | undefined): readonly Judgement[] {
  const median = (name: string, metric: Metric): number | undefined =>
    results.find((each) => each.scheme === "https" && each.name === name)?.figures[metric]?.median;
  const own = (metric: Metric): number | undefined => median("pillion", metric);
  return [
    ...SHARES.map(({ peer, of, most }) => ({
      target: `CPU per request as a share of ${of}`,
      limit: most,
      measured: share(own("cpuMicroseconds"), median(peer, "cpuMicroseconds")),
      atLeast: false,
    })),
    ...OWN.map(({ target, metric, most }) => ({
      target,
      limit: most,
      measured: own(metric),
      atLeast: false,
    })),
    {
      target: `throughput of large bodies as a share of ${BODY_PEER}'s`,
      limit: 1,
      measured: share(own("bodyMiBPerSecond"), median(BODY_PEER, "bodyMiBPerSecond")),
      atLeast: true,
    },
    {
      target: "a fresh token, µs a request",
      limit: TOKEN_MOST_MICROSECONDS,
      measured: details?.tokenMicroseconds.median,
      atLeast: false,
    },
    {
      target: `routing among ${details?.routes ?? "many"} routes and ${details?.tenants ?? "many"} tenants, as a multiple of one of each`,
      limit: ROUTING_MOST,
      measured: details?.routing.median,
      atLeast: false,
    },
  ];
}

/** undefined: not measured. */
export function isMet({ measured, limit, atLeast }: Judgement): boolean | undefined {
  if (measured === undefined || Number.isNaN(measured)) return undefined;
  return atLeast ? measured >= limit : measured <= limit;
}

export function verdictTable(judgements: readonly Judgement[]): Table {
  const words = (judgement: Judgement): string => {
    const met = isMet(judgement);
    return met === undefined ? "not measured" : met ? "yes" : "no";
  };
  return [
    ["target", "limit", "measured", "met"],
    ...judgements.map((each) => [
      each.target,
      `${each.atLeast ? "≥" : "≤"} ${each.limit}`,
      isMet(each) === undefined ? "" : (each.measured ?? 0).toFixed(2),
      words(each),
    ]),
  ];
}
