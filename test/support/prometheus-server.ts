/** A real Prometheus with real rules, and the end of the line: what an Alertmanager would be told. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { z } from "zod";

export interface PrometheusServer extends AsyncDisposable {
  /** Resolves to the alert's labels and annotations when it next fires, or is told of again, for this target. */
  fires(alert: string, target: string): Promise<Alert>;
  /** Resolves when Prometheus next says that the alert is over. */
  resolves(alert: string, target: string): Promise<Alert>;
  /** Names of the alerts that ever fired for this target. */
  fired(target: string): readonly string[];
  stop(): Promise<void>;
}

export interface PrometheusOptions {
  /** `host:port`s to scrape; each is its own `instance`. */
  readonly targets: readonly string[];
  /** Text of a rules file. */
  readonly rules: string;
  /** Of scrapes and evaluations, as `500ms`. */
  readonly interval: string;
}

const alert = z.object({
  labels: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()),
  endsAt: z.coerce.date(),
});
export type Alert = z.infer<typeof alert>;

/** Far beyond what any alert here takes. */
const PATIENCE_MS = 30_000;

/** A test that fails must not leave its servers behind. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export async function startPrometheus(options: PrometheusOptions): Promise<PrometheusServer> {
  const history: string[] = [];
  const listeners = new Set<(received: Alert, over: boolean) => void>();
  const alertmanager = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      response.end();
      for (const received of z.array(alert).parse(JSON.parse(Buffer.concat(chunks).toString()))) {
        const { alertname, instance } = received.labels;
        // An alert that goes on is told of with an end in the future.
        const over = received.endsAt.getTime() <= Date.now();
        if (!over) history.push(`${instance} ${alertname}`);
        for (const listener of [...listeners]) listener(received, over);
      }
    });
  });
  alertmanager.listen(0, "127.0.0.1");
  await once(alertmanager, "listening");

  const directory = mkdtempSync(join(tmpdir(), "pillion-prometheus-"));
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const configuration = file("prometheus.yml", prometheusYml(options, alertmanager.address() as AddressInfo));
  file("rules.yaml", options.rules);
  const child = spawn(
    "prometheus",
    [
      `--config.file=${configuration}`,
      `--storage.tsdb.path=${join(directory, "data")}`,
      "--web.listen-address=127.0.0.1:0",
      "--rules.alert.resend-delay=1s",
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  running.add(child);
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const ended = new Promise<void>((resolve) => {
    child.once("error", (error) => {
      stderr += String(error);
      resolve();
    });
    child.once("close", () => resolve());
  });

  const told = async (name: string, target: string, wantedOver: boolean): Promise<Alert> => {
    const { promise, resolve, reject } = Promise.withResolvers<Alert>();
    const what = `${name} ${wantedOver ? "is over" : "fires"} for ${target}`;
    const fail = (why: string): void =>
      reject(new Error(`${what}: ${why}\n${history.join("\n")}\n${stderr}`));
    const timer = setTimeout(() => fail(`not within ${PATIENCE_MS} ms`), PATIENCE_MS);
    const listener = (received: Alert, over: boolean): void => {
      const { alertname, instance } = received.labels;
      if (alertname === name && instance === target && over === wantedOver) resolve(received);
    };
    listeners.add(listener);
    void ended.then(() => fail("Prometheus has ended"));
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      listeners.delete(listener);
    }
  };

  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
    running.delete(child);
    const closed = once(alertmanager, "close");
    alertmanager.close();
    alertmanager.closeAllConnections();
    await closed;
    rmSync(directory, { recursive: true, force: true });
  };
  return {
    fires: (name, target) => told(name, target, false),
    resolves: (name, target) => told(name, target, true),
    fired: (target) =>
      [...new Set(history)].flatMap((line) =>
        line.startsWith(`${target} `) ? [line.split(" ")[1] ?? ""] : [],
      ),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function prometheusYml({ targets, interval }: PrometheusOptions, alertmanager: AddressInfo): string {
  return stringify({
    global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
    rule_files: ["rules.yaml"],
    alerting: {
      alertmanagers: [
        { api_version: "v2", static_configs: [{ targets: [`127.0.0.1:${alertmanager.port}`] }] },
      ],
    },
    scrape_configs: [{ job_name: "pillion", static_configs: [{ targets }] }],
  });
}
