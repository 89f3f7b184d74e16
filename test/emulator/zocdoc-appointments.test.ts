import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Bench, startBench } from "./harness.ts";

const LOCATION_ID = "pr_emu001-sample_avocet|lo_emu001-office_1";
const MONDAY_9 = "2027-01-18T09:00:00-05:00";
const MONDAY_14 = "2027-01-18T14:00:00-05:00";

const PATIENT = {
  first_name: "Sample",
  last_name: "Patient",
  date_of_birth: "1990-01-01",
  sex_at_birth: "female",
  phone_number: "2125550100",
  email_address: "patient@zocdoc.example",
  patient_address: { address1: "1 Example Street", city: "New York", state: "NY", zip_code: "10001" },
};

const booking = (data: Record<string, unknown> = {}) => ({
  appointment_type: "providers",
  data: {
    start_time: MONDAY_9,
    visit_reason_id: "pc_emulator-901-1",
    provider_location_id: LOCATION_ID,
    patient: PATIENT,
    patient_type: "new",
    ...data,
  },
});

let bench: Bench;
beforeEach(async () => {
  bench = await startBench();
});
afterEach(() => bench.emulator.stop());

const post = (path: string, body: unknown, clientName = "zocdoc-sandbox") =>
  bench.call(clientName, path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
const get = (path: string, clientName = "zocdoc-sandbox") => bench.call(clientName, path);

async function book(data?: Record<string, unknown>): Promise<string> {
  const reply = await post("v1/appointments", booking(data));
  expect(reply.status).toBe(200);
  return reply.json.data.appointment_id;
}

describe("Zocdoc's appointments", () => {
  it("go from pending by confirmed and rescheduled to cancelled", async () => {
    const id = await book();
    const seen = [(await get(`v1/appointments/${id}`)).json.data.appointment_status];
    for (const [operation, more] of [
      ["confirm", {}],
      ["reschedule", { start_time: MONDAY_14 }],
      ["cancel", { cancellation_reason_type: "patient_no_longer_available" }],
    ] as const) {
      const reply = await post(`v1/appointments/${operation}`, { appointment_id: id, ...more });
      expect(reply.json.data.appointment_id).toBe(id);
      seen.push(reply.json.data.appointment_status);
    }
    expect(seen).toEqual(["pending_booking", "confirmed", "rescheduled", "cancelled"]);
    expect((await get(`v1/appointments/${id}`)).json.data.start_time).toBe(MONDAY_14);
  });

  it("cannot be confirmed or cancelled twice: 409", async () => {
    const id = await book();
    const statuses: number[] = [];
    for (const operation of ["confirm", "confirm", "cancel", "cancel", "confirm"]) {
      statuses.push((await post(`v1/appointments/${operation}`, { appointment_id: id })).status);
    }
    expect(statuses).toEqual([200, 409, 200, 409, 409]);
  });

  it("hold their slot until they are cancelled", async () => {
    const id = await book();
    const again = await post("v1/appointments", booking());
    expect([again.status, again.json.errors[0].field]).toEqual([400, "data.start_time"]);
    await post("v1/appointments/cancel", { appointment_id: id });
    expect((await post("v1/appointments", booking())).status).toBe(200);
  });

  it("are listed latest first, by page and status", async () => {
    const early = await book();
    const late = await book({ start_time: MONDAY_14 });
    await post("v1/appointments/confirm", { appointment_id: early });
    const ids = (reply: Awaited<ReturnType<typeof get>>) =>
      reply.json.data.map((appointment: { appointment_id: string }) => appointment.appointment_id);
    expect(ids(await get("v1/appointments"))).toEqual([late, early]);
    expect(ids(await get("v1/appointments?page_size=1&page=1"))).toEqual([early]);
    expect(ids(await get("v1/appointments?statuses=confirmed"))).toEqual([early]);
  });

  it("are another client's business alone", async () => {
    const id = await book();
    expect((await get(`v1/appointments/${id}`, "zocdoc-sandbox-reader")).status).toBe(404);
    expect((await get("v1/appointments", "zocdoc-sandbox-reader")).json.total_count).toBe(0);
    expect((await post("v1/appointments/cancel", { appointment_id: id }, "zocdoc-production")).status).toBe(
      404,
    );
  });

  it.each([
    ["an unknown location", { provider_location_id: "pr_x|lo_x" }, "data.provider_location_id"],
    ["another specialty's reason", { visit_reason_id: "pc_emulator-902-1" }, "data.visit_reason_id"],
    ["a slot that nobody offers", { start_time: "2027-01-18T09:15:00-05:00" }, "data.start_time"],
    ["a Sunday", { start_time: "2027-01-17T09:00:00-05:00" }, "data.start_time"],
    ["yesterday", { start_time: "2027-01-14T09:00:00-05:00" }, "data.start_time"],
    ["a time without an offset", { start_time: "2027-01-18T09:00:00" }, "data.start_time"],
    ["a strange patient type", { patient_type: "old" }, "data.patient_type"],
    ["too long a note", { notes: "x".repeat(101) }, "data.notes"],
    [
      "a patient without a name",
      { patient: { ...PATIENT, first_name: undefined } },
      "data.patient.first_name",
    ],
  ])("are not booked with %s", async (_name, data, field) => {
    const reply = await post("v1/appointments", booking(data));
    expect(reply.status).toBe(400);
    expect(reply.json.errors).toEqual([{ field, message: expect.any(String) }]);
  });

  it("take the same slot written in another offset", async () => {
    await book({ start_time: "2027-01-18T14:00:00Z" });
    expect((await post("v1/appointments", booking())).status).toBe(400);
  });

  it.each(["", "[]", "{"])("are not booked by the body %j", async (body) => {
    const reply = await bench.call("zocdoc-sandbox", "v1/appointments", { method: "POST", body });
    expect([reply.status, reply.json.error_type]).toEqual([400, "invalid_request"]);
  });

  it.each([
    ["POST", "v1/appointments"],
    ["POST", "v1/appointments/cancel"],
    ["POST", "v1/appointments/confirm"],
    ["POST", "v1/appointments/reschedule"],
    ["POST", "v1/appointments/any/attachments"],
    ["POST", "v1/credentials/rotate"],
  ])("%s %s asks for a scope: 403 with the envelope", async (method, path) => {
    const reply = await bench.call("zocdoc-sandbox-reader", path, { method, body: "{}" });
    expect(reply.status).toBe(403);
    expect(reply.json).toMatchObject({ error_type: "invalid_request", errors: [{ message: /scope/ }] });
  });
});

describe("POST /v1/credentials/rotate", () => {
  it("answers with a secret: what a proxy has to keep from its callers", async () => {
    const reply = await post("v1/credentials/rotate", { application_client_id: "zocdoc-sandbox-client" });
    expect(reply.json.data).toEqual({
      application_client_id: "zocdoc-sandbox-client",
      client_secret: expect.stringMatching(/^fake-rotated-/),
    });
  });

  it("knows the caller's own client alone", async () => {
    const reply = await post("v1/credentials/rotate", { application_client_id: "zocdoc-production-client" });
    expect(reply.status).toBe(404);
  });
});

describe("attachments", () => {
  const boundary = "----example-boundary";
  const part = (name: string, content: string, more = "") =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${content}\r\n`;
  const attach = (id: string, body: string, type = `multipart/form-data; boundary=${boundary}`) =>
    bench.call("zocdoc-sandbox", `v1/appointments/${id}/attachments`, {
      method: "POST",
      headers: { "Content-Type": type },
      body,
    });
  const file = part("attachment", "x".repeat(300_000), '; filename="card.png"\r\nContent-Type: image/png');
  const type = part("attachment_type", "pcp_patient_referral");
  const end = `--${boundary}--\r\n`;

  it("are taken and counted", async () => {
    const id = await book();
    await attach(id, file + type + end);
    const reply = await attach(id, type + file + end);
    expect(reply.status).toBe(200);
    expect(reply.json.data).toEqual({
      appointment_id: id,
      attachments: [{ attachment_type: "pcp_patient_referral" }],
    });
    expect(reply.headers["x-emulator-received"]).toBe("parts=2; attachment_bytes=300000; attachments=2");
  });

  it.each([
    ["no boundary", file + type + end, "multipart/form-data"],
    ["JSON", "{}", "application/json"],
    ["no last boundary", file + type, undefined],
    ["no file", type + end, undefined],
    ["an unknown type", file + part("attachment_type", "selfie") + end, undefined],
  ])("are refused with %s", async (_name, body, contentType) => {
    expect((await attach(await book(), body, contentType)).status).toBe(400);
  });

  it("need an appointment", async () => {
    expect((await attach("none", file + type + end)).status).toBe(404);
  });
});
