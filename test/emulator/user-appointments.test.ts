import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { booking, LOCATION_ID, startUserBench, type UserBench } from "./user-harness.ts";

let bench: UserBench;
let patient: string;
let parent: string;
let machine: string;
beforeEach(async () => {
  bench = await startUserBench();
  patient = (await bench.tokens()).access_token;
  parent = (await bench.tokens({}, { email: "parent@example.com" })).access_token;
  machine = await bench.token("zocdoc-sandbox");
});
afterEach(() => bench.emulator.stop());

async function book(token: string, startTime = "2027-01-18T09:00:00-05:00"): Promise<string> {
  const reply = await bench.api("v1/appointments", token, booking(startTime));
  expect([reply.status, reply.text]).toEqual([200, expect.any(String)]);
  return reply.json.data.appointment_id;
}

describe("an appointment that a user booked", () => {
  it("is visible to that user alone: not to another user, nor to the application's own token", async () => {
    const id = await book(patient);
    const statuses = await Promise.all(
      [patient, parent, machine].map(
        async (token) => (await bench.api(`v1/appointments/${id}`, token)).status,
      ),
    );
    expect(statuses).toEqual([200, 404, 404]);
    const lists = await Promise.all(
      [patient, parent, machine].map(
        async (token) => (await bench.api("v1/appointments", token)).json.total_count,
      ),
    );
    expect(lists).toEqual([1, 0, 0]);
    expect((await bench.api("v1/appointments/cancel", machine, { appointment_id: id })).status).toBe(404);
  });

  it("is there at the same user's next login", async () => {
    const id = await book(patient);
    const { access_token: again } = await bench.tokens({}, { email: "PATIENT@example.com" });
    expect((await bench.api(`v1/appointments/${id}`, again)).status).toBe(200);
  });

  it("takes the slot from everybody, until it is cancelled", async () => {
    const id = await book(patient);
    const free = async () => {
      const path = `v1/provider_locations/availability?provider_location_ids=${encodeURIComponent(LOCATION_ID)}&visit_reason_id=pc_emulator-901-1&patient_type=new`;
      const { data } = (await bench.api(path, machine)).json;
      return data[0].timeslots.some(
        ({ start_time: startTime }: { start_time: string }) => startTime === "2027-01-18T09:00:00-05:00",
      );
    };
    expect(await free()).toBe(false);
    for (const token of [parent, machine]) {
      const reply = await bench.api("v1/appointments", token, booking("2027-01-18T09:00:00-05:00"));
      expect(reply.json.errors).toEqual([{ field: "data.start_time", message: expect.any(String) }]);
    }
    await bench.api("v1/appointments/cancel", patient, { appointment_id: id });
    expect(await free()).toBe(true);
    await book(parent);
  });
});

describe("an appointment that a machine booked", () => {
  it("is not visible to users", async () => {
    const id = await book(machine);
    expect((await bench.api(`v1/appointments/${id}`, patient)).status).toBe(404);
  });
});

describe("a user's token", () => {
  it("opens what its scopes say", async () => {
    const { access_token: reader } = await bench.tokens({ scope: "external.appointment.read" });
    expect((await bench.api("v1/appointments", reader)).status).toBe(200);
    expect((await bench.api("v1/appointments", reader, booking("2027-01-18T09:00:00-05:00"))).status).toBe(
      403,
    );
    expect((await bench.api("v1/credentials/rotate", patient, {})).status).toBe(403);
  });

  it("is nothing in the other environment", async () => {
    const { apiUrl } = bench.emulator.endpoints["zocdoc/production"];
    const response = await fetch(`${apiUrl}v1/specialties`, {
      headers: { Authorization: `Bearer ${patient}` },
    });
    expect(response.status).toBe(401);
  });

  it("ends with its hour", async () => {
    bench.advance(3_600_000);
    expect((await bench.api("v1/appointments", patient)).status).toBe(401);
  });
});
