import { request } from "node:http";
import { findAdminAddress } from "../src/config/admin-address.ts";
import type { ListenAddress } from "../src/config/config.ts";
import { systemFiles } from "../src/config/files.ts";
import { configFile, environment } from "./config-file.ts";
import { CommandError } from "./exit-code.ts";
import type { ConfigOptions } from "./program.ts";

const TIMEOUT_MS = 3_000;

/** Asks the admin listener for readiness; throws with the failed checks. For containers without a shell. */
export async function healthcheck(options: ConfigOptions): Promise<void> {
  const admin = findAdminAddress(configFile(options.config), {
    env: environment(options.logLevel),
    files: systemFiles,
    cwd: process.cwd(),
  });
  await ask(admin ?? (await adminOfWhole(options)));
}

/** Where the address alone cannot be had, the whole file says what is wrong with it. */
async function adminOfWhole(options: ConfigOptions): Promise<ListenAddress> {
  const { loadFromFile } = await import("./load.ts");
  return loadFromFile({ ...options, checkOnly: true }).config.admin;
}

function ask(admin: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = request(
      { ...target(admin), path: "/readyz", timeout: TIMEOUT_MS, headers: { host: "localhost" } },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          body += chunk;
        });
        response.on("end", () => {
          if (response.statusCode === 200) resolve();
          else reject(new CommandError(`not ready: ${failedChecks(body)}`));
        });
      },
    );
    probe.on("timeout", () => probe.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    probe.on("error", (error) =>
      reject(new CommandError(`the admin listener cannot be asked: ${error.message}`)),
    );
    probe.end();
  });
}

function target(admin: ListenAddress): { socketPath: string } | { host: string; port: number } {
  if (admin.kind === "unix") return { socketPath: admin.path };
  const wildcard = admin.host === "0.0.0.0" ? "127.0.0.1" : admin.host === "::" ? "::1" : admin.host;
  return { host: wildcard, port: admin.port };
}

function failedChecks(body: string): string {
  try {
    const { checks } = JSON.parse(body) as { checks: { name: string; ok: boolean; detail?: string }[] };
    const failed = checks.filter((check) => !check.ok);
    return failed.map(({ name, detail }) => (detail === undefined ? name : `${name} (${detail})`)).join(", ");
  } catch {
    return "the answer is not Pillion's";
  }
}
