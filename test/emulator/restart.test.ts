import { describe, expect, it } from "vitest";
import type { Records } from "../../src/emulator/records.ts";
import { START_MS } from "./harness.ts";
import { booking, startUserBench } from "./user-harness.ts";

/** What a disk would do, as JSON text. */
function createRecords(): Records {
  const values = new Map<string, string>();
  return {
    list: (prefix) =>
      [...values].filter(([name]) => name.startsWith(prefix)).map(([, text]): unknown => JSON.parse(text)),
    put: (name, value) => void values.set(name, JSON.stringify(value)),
    remove: (name) => void values.delete(name),
  };
}

describe("an emulator started again over the same records", () => {
  it("takes the access and refresh tokens that it gave, and none that it had consumed", async () => {
    const records = createRecords();
    const before = await startUserBench({ records });
    const first = await before.tokens();
    const second = (await before.refresh(first.refresh_token)).json;
    const machine = await before.token("zocdoc-sandbox");
    await before.emulator.stop();

    await using after = await startUserBench({ records });
    expect((await after.api("v1/appointments", second.access_token)).status).toBe(200);
    expect((await after.api("v1/specialties", machine)).status).toBe(200);
    expect((await after.refresh(second.refresh_token)).status).toBe(200);
    expect((await after.refresh(first.refresh_token)).status).toBe(403);
    expect(after.counts()).toMatchObject({ refreshes: 1, consumed_tokens_resent: 1 });
  });

  it("remembers what was revoked", async () => {
    const records = createRecords();
    const before = await startUserBench({ records });
    const code = await before.code();
    const tokens = (await before.exchange(code)).json;
    await before.exchange(code);
    await before.emulator.stop();

    await using after = await startUserBench({ records });
    expect((await after.api("v1/appointments", tokens.access_token)).status).toBe(401);
    expect((await after.refresh(tokens.refresh_token)).status).toBe(403);
  });

  it("throws away what has outlived its longest life", async () => {
    const records = createRecords();
    const before = await startUserBench({ records, refreshLifetimeSeconds: 60 });
    await before.tokens();
    await before.emulator.stop();
    expect(records.list("grant/")).toHaveLength(1);
    const laterMs = START_MS + 60_000;
    await using _after = await startUserBench({ records, refreshLifetimeSeconds: 60, now: () => laterMs });
    expect(records.list("grant/")).toEqual([]);
  });

  it("has the users' appointments as they were left", async () => {
    const records = createRecords();
    const before = await startUserBench({ records });
    const { access_token: token } = await before.tokens();
    const booked = await before.api("v1/appointments", token, booking("2027-01-18T09:00:00-05:00"));
    const id = booked.json.data.appointment_id;
    await before.api("v1/appointments/confirm", token, { appointment_id: id });
    const left = (await before.api(`v1/appointments/${id}`, token)).json.data;
    await before.emulator.stop();

    await using after = await startUserBench({ records });
    expect((await after.api(`v1/appointments/${id}`, token)).json.data).toEqual(left);
    expect(left.appointment_status).toBe("confirmed");
  });

  it("without records knows nothing of before", async () => {
    const before = await startUserBench();
    const tokens = await before.tokens();
    await before.emulator.stop();
    await using after = await startUserBench();
    expect((await after.api("v1/appointments", tokens.access_token)).status).toBe(401);
    expect((await after.refresh(tokens.refresh_token)).status).toBe(403);
  });
});
