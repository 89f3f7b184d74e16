import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { StoreConfig } from "../../src/config/config.ts";
import { createSystemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/log.ts";
import { createSessions } from "../../src/session/create-sessions.ts";
import type { Sessions } from "../../src/session/sessions.ts";
import { openVault } from "../../src/store/open-vault.ts";
import { createPacer } from "../../src/token/pacer.ts";
import { createSecrets } from "../token/engine.ts";
import { createLab, had, type Lab } from "./lab.ts";

let directory = "";
const opened: { close(): Promise<void> }[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "pillion-sessions-"));
});
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
  rmSync(directory, { recursive: true, force: true });
});

/** A process as the sidecar builds it, but for the provider. */
async function start(lab: Lab, store: StoreConfig): Promise<Sessions> {
  const clock = createSystemClock();
  const secrets = createSecrets({ KEY: Buffer.alloc(32, 7).toString("base64") });
  const vault = await openVault(store, {
    clock,
    secrets,
    log: silentLogger,
    randomBytes,
    observer: { operated() {} },
  });
  const sessions = createSessions({
    pacer: createPacer(clock),
    clock,
    random: Math.random,
    log: silentLogger,
    secrets,
    vault,
    endpoint: lab.provider.endpoint(),
    observer: { credential: () => ({ requested() {}, expiry() {}, served() {}, unavailable() {} }) },
    randomBytes,
    appSource: () => {
      throw new Error("not asked for");
    },
    settings: () => ({
      credentials: lab.credentials,
      session: lab.settings,
      publicUrl: new URL("http://localhost:8080"),
    }),
  });
  opened.push({
    async close() {
      await sessions.close();
      await vault.close();
    },
  });
  return sessions;
}

async function signIn(lab: Lab, sessions: Sessions): Promise<string> {
  const { authorizeUrl, browser } = await sessions.beginLogin({
    credential: lab.user,
    returnTo: "/",
    loginHint: undefined,
    sessionId: undefined,
    browser: undefined,
  });
  const { sessionId } = await sessions.completeLogin(lab.provider.agree(authorizeUrl), browser, undefined);
  return sessionId ?? "";
}

describe("sessions over a store that seals them", () => {
  it("in memory: a login, a refresh, a logout", async () => {
    const lab = createLab();
    const sessions = await start(lab, { kind: "memory" });
    lab.provider.expiresIn = 0.05;
    const id = await signIn(lab, sessions);
    lab.provider.expiresIn = 3_600;
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(await had(sessions.source(lab.user, id))).toBe("at-2");
    await sessions.logout(id);
    expect(await had(sessions.source(lab.user, id))).toBe("LOGIN_REQUIRED");
  });

  it("in SQLite: 50 + 50 requests of two processes make one refresh, and a session outlives both", async () => {
    const lab = createLab();
    const store: StoreConfig = {
      kind: "sqlite",
      file: join(directory, "sessions.db"),
      encryptionKeys: [{ kind: "env", name: "KEY" }],
    };
    const [first, second] = await Promise.all([start(lab, store), start(lab, store)]);
    lab.provider.expiresIn = 0.05;
    const id = await signIn(lab, first);
    lab.provider.expiresIn = 3_600;
    await new Promise((resolve) => setTimeout(resolve, 60));
    const asked = Array.from({ length: 100 }, (_, n) =>
      had((n % 2 === 0 ? first : second).source(lab.user, id)),
    );
    expect(new Set(await Promise.all(asked))).toEqual(new Set(["at-2"]));
    expect(lab.provider.count("refresh_token")).toBe(1);
    for (const each of opened.splice(0)) await each.close();
    const third = await start(lab, store);
    expect(await had(third.source(lab.user, id))).toBe("at-2");
    expect(await third.counts()).toEqual(new Map([["user", 1]]));
  });
});
