import { send } from "./http-client.ts";

/** One line of the Prometheus text format. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Metrics {
  readonly samples: readonly Sample[];
  /** Names that have a `# TYPE` line, with the type. */
  readonly types: ReadonlyMap<string, string>;
  /** The sum of all samples with this name and at least these labels; 0 when there is none. */
  total(name: string, labels?: Readonly<Record<string, string>>): number;
}

/** Scrapes `/metrics`. */
export async function scrape(adminOrigin: string): Promise<Metrics> {
  const { status, text } = await send(`${adminOrigin}/metrics`);
  if (status !== 200) throw new Error(`/metrics answers ${status}`);
  return parseMetrics(text);
}

export function parseMetrics(text: string): Metrics {
  const samples: Sample[] = [];
  const types = new Map<string, string>();
  for (const line of text.split("\n")) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (type !== null) types.set(type[1] ?? "", type[2] ?? "");
    if (line === "" || line.startsWith("#")) continue;
    const sample = /^([\w:]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (sample === null) throw new Error(`not a sample: ${line}`);
    const [, name = "", labelText = "", value] = sample;
    const labels: Record<string, string> = {};
    for (const [, label = "", text = ""] of labelText.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g))
      labels[label] = text;
    samples.push({ name, labels, value: Number(value) });
  }
  return {
    samples,
    types,
    total: (name, labels = {}) =>
      samples
        .filter((sample) => sample.name === name)
        .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
        .reduce((sum, { value }) => sum + value, 0),
  };
}
