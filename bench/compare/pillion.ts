/** Pillion as it is shipped: the built bundle with the image's Node flags, environment and compile cache. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { imageSettings } from "../image.ts";
import { type Contender, originOf, type Setting } from "./setting.ts";

const project = join(import.meta.dirname, "..", "..");

export interface ShippedPillion {
  readonly version: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Builds the bundle into `directory`, or takes one that is there, and fills the compile cache as the image's build does.
 *
 * @throws what the build complained of
 */
export function shipPillion(directory: string, bundle: string | undefined): ShippedPillion {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, "pillion.js");
  if (bundle === undefined) {
    const built = spawnSync(process.execPath, ["esbuild.config.ts", "--outdir", directory], {
      cwd: project,
      encoding: "utf8",
    });
    if (built.status !== 0) throw new Error(`Pillion's bundle is not built:\n${built.stderr}`);
  } else {
    copyFileSync(bundle, file);
  }
  copyFileSync(join(project, "package.json"), join(directory, "package.json"));
  const { flags, environment } = imageSettings();
  const env = { ...environment, NODE_COMPILE_CACHE: join(directory, "compile-cache") };
  const argv = [process.execPath, ...flags, file];
  const { stdout, status, stderr } = spawnSync(argv[0] ?? "", [...argv.slice(1), "version"], {
    env: { ...env, PATH: process.env["PATH"] },
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`the bundle does not start:\n${stderr}`);
  return { version: stdout.trim(), argv, env };
}

export interface Size {
  readonly routes: number;
  readonly tenants: number;
}

/** What to ask for on that route for that tenant, where there are tenants. */
export function tenantPath(route: number, tenant: number): string {
  return `/r${route}/t${tenant}/json`;
}

const CREDENTIAL = `    provider: oauth2
    client_id: bench
    client_secret: { env: BENCH_CLIENT_SECRET }`;

function tenantBlock(tenants: number): string {
  const lines = Array.from(
    { length: tenants },
    (_, index) => `      t${index}: { client_id: c${index}, client_secret: { env: BENCH_CLIENT_SECRET } }`,
  );
  return ["    tenants:", ...lines].join("\n");
}

/** `size`: of the measurement of routing; without it one route and a credential without tenants, at `/api/`. */
export function pillionConfiguration(setting: Setting, accessLog: boolean, size?: Size): string {
  const upstream = `    upstream: ${originOf(setting)}/api/
    credential: bench
${setting.scheme === "https" ? `    tls: { ca: ${JSON.stringify(setting.caFile)} }\n` : ""}`;
  const routes =
    size === undefined
      ? [`  - name: bench\n    path: /api/\n${upstream}`]
      : Array.from(
          { length: size.routes },
          (_, index) => `  - name: r${index}\n    path: /r${index}/{tenant}/\n${upstream}`,
        );
  return `listen: 127.0.0.1:${setting.port}
admin: 127.0.0.1:0
log: { format: json, access: ${accessLog} }
credentials:
  bench:
${CREDENTIAL}
    token_url: ${setting.tokenUrl}
${size === undefined ? "" : tenantBlock(size.tenants)}
routes:
${routes.join("")}`;
}

/** Where `name` is given: another one of the same bundle. */
export function pillionContender(
  name: string,
  shipped: ShippedPillion,
  options: { readonly accessLog?: boolean; readonly size?: Size } = {},
): Contender {
  return {
    name,
    find: () => ({
      version: shipped.version,
      command(setting) {
        const file = join(setting.directory, "pillion.yaml");
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, pillionConfiguration(setting, options.accessLog ?? false, options.size));
        return {
          argv: [...shipped.argv, "run", "--config", file],
          env: { ...shipped.env, BENCH_CLIENT_SECRET: "not-a-secret" },
        };
      },
    }),
  };
}
