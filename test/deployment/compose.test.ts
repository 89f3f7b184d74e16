import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { formatFault } from "../../src/config/fault.ts";
import { systemFiles } from "../../src/config/files.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { secretReferences } from "../../src/config/secret-references.ts";
import { parseDuration } from "../../src/core/units.ts";
import { providers } from "../../src/provider/index.ts";
import { readProjectFile } from "../support/project.ts";

/** Of the Compose specification, what the file uses: an unknown key is a fault there, too. */
const service = z.strictObject({
  image: z.string(),
  build: z.string().optional(),
  command: z.array(z.string()).optional(),
  restart: z.enum(["no", "always", "on-failure", "unless-stopped"]).optional(),
  stop_grace_period: z.string().optional(),
  network_mode: z.string().optional(),
  depends_on: z
    .record(
      z.string(),
      z.strictObject({
        condition: z.enum(["service_started", "service_healthy", "service_completed_successfully"]),
        restart: z.boolean().optional(),
      }),
    )
    .optional(),
  configs: z.array(z.strictObject({ source: z.string(), target: z.string() })).optional(),
  secrets: z.array(z.string()).optional(),
  healthcheck: z
    .strictObject({
      test: z.array(z.string()),
      interval: z.string(),
      timeout: z.string(),
      start_period: z.string(),
      start_interval: z.string(),
      retries: z.int(),
    })
    .optional(),
  read_only: z.boolean().optional(),
  cap_drop: z.array(z.string()).optional(),
  security_opt: z.array(z.string()).optional(),
  mem_limit: z.string().optional(),
  pids_limit: z.int().optional(),
});
const files = z.record(z.string(), z.strictObject({ file: z.string() }));
const compose = z
  .strictObject({
    name: z.string(),
    services: z.strictObject({ pillion: service, app: service }),
    configs: files,
    secrets: files,
  })
  .parse(parse(readProjectFile("config/compose/compose.yaml")));
const { pillion, app } = compose.services;

const { config, faults, warnings } = parseConfig(readProjectFile("config/compose/pillion.yaml"), {
  file: "pillion.yaml",
  directory: "/etc/pillion",
  providers,
  env: {},
  files: systemFiles,
});

describe("the Compose file", () => {
  it("mounts a configuration that check accepts", () => {
    expect([...faults, ...warnings].map(formatFault)).toEqual([]);
    expect(pillion.configs).toEqual([{ source: "pillion", target: "/etc/pillion/pillion.yaml" }]);
    expect(compose.configs).toEqual({ pillion: { file: "pillion.yaml" } });
  });

  it("gives Pillion every secret that the configuration names, and nobody else any", () => {
    const named = [...(config === undefined ? [] : secretReferences(config))].map((reference) =>
      reference.kind === "file" ? reference.path : `env ${reference.name}`,
    );
    expect([...new Set(named)].sort()).toEqual(
      (pillion.secrets ?? []).map((name) => `/run/secrets/${name}`).sort(),
    );
    expect(Object.keys(compose.secrets).sort()).toEqual([...(pillion.secrets ?? [])].sort());
    expect(app.secrets).toBeUndefined();
  });

  it("puts both into one network namespace, and the application behind a healthy Pillion", () => {
    expect(app.network_mode).toBe("service:pillion");
    expect(app.depends_on).toEqual({ pillion: { condition: "service_healthy", restart: true } });
    expect(config?.listen).toEqual({ kind: "tcp", host: "127.0.0.1", port: 8080 });
  });

  it("calls a route of that configuration", () => {
    const url = new URL(app.command?.at(-1) ?? "");
    expect(url.origin).toBe("http://localhost:8080");
    expect(config?.routes.some(({ path }) => url.pathname.startsWith(path.pattern))).toBe(true);
  });

  it("takes away what neither needs", () => {
    for (const each of [pillion, app]) {
      expect(each).toMatchObject({
        read_only: true,
        cap_drop: ["ALL"],
        security_opt: ["no-new-privileges:true"],
      });
    }
  });

  it("asks for health as the image does", () => {
    const command = /HEALTHCHECK[^[]*CMD (\[.*\])/s.exec(readProjectFile("Dockerfile"))?.[1] ?? "[]";
    expect(pillion.healthcheck?.test).toEqual(["CMD", ...(JSON.parse(command) as string[])]);
  });

  it("waits longer than a drain takes", () => {
    const grace = parseDuration(pillion.stop_grace_period ?? "") ?? 0;
    expect(grace).toBeGreaterThan((config?.drain.delayMs ?? 0) + (config?.drain.timeoutMs ?? 0));
  });

  it("names the version of the package", () => {
    const { version } = JSON.parse(readProjectFile("package.json")) as { version: string };
    expect(pillion.image).toBe(`pillion:${version}`);
  });
});
