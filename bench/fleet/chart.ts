/** Draws the modelled fleets as SVG: four strips over the number of sidecars, both axes logarithmic. Pure. */
import { escapeText, round, STYLE } from "../svg.ts";
import { kneeOf, type Modelled, type ModelResults } from "./model.ts";
import type { FleetFigures } from "./modelled-fleet.ts";
import { REDIS } from "./modelled-redis.ts";
import { count } from "./tables.ts";

interface Series {
  readonly className: string;
  readonly label: string;
  /** Sidecars and figure. */
  readonly points: readonly (readonly [number, number])[];
}

interface Strip {
  readonly title: string;
  readonly series: readonly Series[];
}

const WIDTH = 880;
const LEFT = 72;
const RIGHT = 40;
const TOP = 64;
const STRIP_HEIGHT = 120;
const GAP = 52;
/** What is less is drawn as this: a logarithm has no zero. */
const LEAST = 0.1;

export function drawFleet(results: ModelResults): string {
  const strips = stripsOf(results);
  const sidecars = results.burst.map((one) => one.sidecars);
  const from = Math.min(...sidecars);
  const to = Math.max(from * 10, ...sidecars);
  const x = (value: number): number => LEFT + share(value, from, to) * (WIDTH - LEFT - RIGHT);
  const height = TOP + strips.length * (STRIP_HEIGHT + GAP) + 8;
  const drawn = strips.map((strip, index) => drawStrip(strip, TOP + 24 + index * (STRIP_HEIGHT + GAP), x));
  const bottom = TOP + 24 + (strips.length - 1) * (STRIP_HEIGHT + GAP) + STRIP_HEIGHT + 18;
  const ticks = powers(from, to).map(
    (tick) =>
      `<text class="muted" x="${round(x(tick))}" y="${bottom}" text-anchor="middle">${count(tick)}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Pillion, a fleet that shares its tokens">
<style>${STYLE}
</style>
<rect class="ground" width="${WIDTH}" height="${height}" fill="#fff"/>
<text class="title" x="${LEFT}" y="24">Pillion, a fleet that shares its tokens</text>
<text class="muted" x="${LEFT}" y="44">${escapeText(subtitle(results))}</text>
${drawn.join("\n")}
${ticks.join("\n")}
<text class="muted" x="${WIDTH - RIGHT}" y="${bottom + 18}" text-anchor="end">sidecars</text>
</svg>
`;
}

function subtitle({ hours, tenants, burst }: ModelResults): string {
  const knee = kneeOf(burst);
  const bend = knee === undefined ? "" : `; the knee of a cold start lies before ${count(knee)} sidecars`;
  return `modelled: ${tenants.hours} tenants over ${hours} h; ${tenants.coldStart} at a cold start within a second${bend}`;
}

function stripsOf({ hours, shared, alone, burst, burstAlone, spaced }: ModelResults): readonly Strip[] {
  const line = (
    className: string,
    label: string,
    of: readonly Modelled[],
    value: (figures: FleetFigures) => number,
  ): Series => ({
    className,
    label,
    points: of.map(({ sidecars, figures }) => [sidecars, value(figures)] as const),
  });
  const capacity = 1_000 / REDIS.commandMs;
  return [
    {
      title: "token requests per hour",
      series: [
        line("b", "each for itself", alone, ({ tokenRequests }) => tokenRequests / hours),
        line("a", "shared", shared, ({ tokenRequests }) => tokenRequests / hours),
      ],
    },
    {
      title: "token requests, worst second",
      series: [
        line("b", "each for itself", burstAlone, ({ worstSecond }) => worstSecond),
        line("a", "shared", burst, ({ worstSecond }) => worstSecond),
        line("bad", "at 1 request/s", spaced, ({ worstSecond }) => worstSecond),
      ],
    },
    {
      title: "Redis commands a second",
      series: [
        line("b", "worst, cold start", burst, ({ redis }) => redis.worstSecond),
        line("a", "over the hours", shared, ({ redis }) => redis.steadyPerSecond),
        line("bad", "what it manages", burst, () => capacity),
      ],
    },
    {
      title: "wait for another's token, ms",
      series: [
        line("b", "greatest", burst, ({ lockWaits }) => lockWaits.maxMs),
        line("a", "99th percentile", burst, ({ lockWaits }) => lockWaits.p99Ms),
        line("bad", "99 %, 1 request/s", spaced, ({ lockWaits }) => lockWaits.p99Ms),
      ],
    },
  ];
}

function drawStrip({ title, series }: Strip, top: number, x: (value: number) => number): string {
  const figures = series.flatMap(({ points }) => points.map(([, figure]) => Math.max(LEAST, figure)));
  const least = 10 ** Math.floor(Math.log10(Math.min(...figures)));
  const most = Math.max(least * 10, 10 ** Math.ceil(Math.log10(Math.max(...figures))));
  const y = (value: number): number => top + STRIP_HEIGHT * (1 - share(Math.max(LEAST, value), least, most));
  const parts = [`<text x="${LEFT}" y="${top - 10}">${escapeText(title)}</text>`];
  for (const tick of powers(least, most)) {
    parts.push(
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(y(tick))}" y2="${round(y(tick))}"/>`,
      `<text class="muted" x="${LEFT - 8}" y="${round(y(tick) + 4)}" text-anchor="end">${tick < 1 ? tick : count(tick)}</text>`,
    );
  }
  series.forEach(({ className, label, points }, index) => {
    const keyX = LEFT + 250 + index * 175;
    const drawn = points.map(([sidecars, figure]) => `${round(x(sidecars))},${round(y(figure))}`);
    parts.push(
      `<polyline class="line ${className}" points="${drawn.join(" ")}"/>`,
      `<line class="line ${className}" x1="${keyX}" x2="${keyX + 20}" y1="${top - 14}" y2="${top - 14}"/>`,
      `<text class="muted" x="${keyX + 26}" y="${top - 10}">${escapeText(label)}</text>`,
    );
  });
  return parts.join("\n");
}

/** 0 at `from`, 1 at `to`. */
function share(value: number, from: number, to: number): number {
  return (Math.log10(value) - Math.log10(from)) / (Math.log10(to) - Math.log10(from));
}

/** Powers of ten, every other one where there are many. */
function powers(from: number, to: number): readonly number[] {
  const first = Math.ceil(Math.log10(from));
  const all = Array.from({ length: Math.floor(Math.log10(to)) - first + 1 }, (_, index) => first + index);
  const step = all.length > 5 ? 2 : 1;
  return all.filter((_, index) => index % step === 0).map((exponent) => 10 ** exponent);
}
