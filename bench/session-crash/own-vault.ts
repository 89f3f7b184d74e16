import { randomBytes } from "node:crypto";
import { createSystemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/log.ts";
import { Secret } from "../../src/core/secret.ts";
import { openVault } from "../../src/store/open-vault.ts";
import type { Vault } from "../../src/store/vault.ts";
import { type Fleet, type FleetStore, STORE_FILE } from "../../test/e2e/support/fleet.ts";

/** Looks into the processes' store beside them. */
export function openOwnVault({ workspace, key }: Fleet, store: FleetStore): Promise<Vault> {
  const encryptionKeys = [{ kind: "env", name: "KEY" }] as const;
  const values: Readonly<Record<string, Secret>> = {
    KEY: new Secret(key),
    URL: new Secret(store.kind === "redis" ? store.url : "none"),
  };
  const config =
    store.kind === "redis"
      ? ({
          kind: "redis",
          url: { kind: "env", name: "URL" },
          prefix: "pillion:",
          tls: undefined,
          encryptionKeys,
        } as const)
      : ({ kind: "sqlite", file: workspace.path(STORE_FILE), encryptionKeys } as const);
  return openVault(config, {
    clock: createSystemClock(),
    secrets: {
      read: (reference) => values[reference.kind === "env" ? reference.name : ""] ?? new Secret("none"),
    },
    log: silentLogger,
    observer: { operated() {} },
    randomBytes,
  });
}
