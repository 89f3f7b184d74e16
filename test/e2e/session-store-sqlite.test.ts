import { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import { eventually } from "./support/eventually.ts";
import { ask, openSession, outcome, STORE_FILE, startFleet } from "./support/fleet.ts";
import { send } from "./support/http-client.ts";

/** What an outage may add to a request that needs no session. */
const MACHINE_LIMIT_MS = 50;

it("T19: a SQLite file that another process writes to for seconds costs refreshes and logins, and nobody else anything", async () => {
  await using fleet = await startFleet({ kind: "sqlite" });
  const [member, other] = await Promise.all([fleet.start(), fleet.start()]);
  const known = await openSession(member);
  const unknown = await openSession(other);
  fleet.provider.expiresInSeconds = 1;
  const expired = await openSession(member);
  fleet.provider.expiresInSeconds = 3_600;
  await delay(1_050);
  const machineMs = async (): Promise<number> => {
    const tookMs: number[] = [];
    for (let count = 0; count < 15; count += 1) {
      const startMs = performance.now();
      expect((await send(`${member.origin}/machine/x`)).status).toBe(200);
      tookMs.push(performance.now() - startMs);
    }
    return tookMs.sort((a, b) => a - b)[7] ?? 0;
  };
  const before = await machineMs();
  const database = new DatabaseSync(fleet.workspace.path(STORE_FILE));
  database.exec("BEGIN IMMEDIATE");
  try {
    const logout = { method: "POST", headers: { "Pillion-Session": known } };
    const waiting = [
      ask(member, expired),
      send(`${member.origin}/.pillion/logout`, logout),
      send(`${member.origin}/.pillion/login/user`),
    ];
    expect(await machineMs()).toBeLessThan(before + MACHINE_LIMIT_MS);
    for (const reply of await Promise.all(waiting)) expect(outcome(reply)).toBe("503 STORE_UNAVAILABLE");
    expect(fleet.provider.refreshes()).toBe(0);
    expect(outcome(await ask(member, known))).toBe("200");
    // Reading goes on, but for the moment in which the store counts as unavailable.
    await eventually("a session that is not in memory is read", async () => {
      const said = outcome(await ask(member, unknown));
      expect(["200", "503 STORE_UNAVAILABLE"]).toContain(said);
      return said === "200";
    });
    expect(await machineMs()).toBeLessThan(before + MACHINE_LIMIT_MS);
  } finally {
    database.exec("ROLLBACK");
    database.close();
  }
  await eventually("it is made up for", async () => {
    const said = outcome(await ask(member, expired));
    expect(["200", "503 STORE_UNAVAILABLE"]).toContain(said);
    return said === "200";
  });
  expect(fleet.provider.refreshes()).toBe(1);
});
