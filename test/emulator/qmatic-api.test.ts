import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { qmaticScope } from "../../src/emulator/clients.ts";
import { type Bench, startBench } from "./harness.ts";

let bench: Bench;
beforeEach(async () => {
  bench = await startBench({ apiRequestsPerMinute: 100 });
});
afterEach(() => bench.emulator.stop());

const JSON_TYPE = { "Content-Type": "application/json" };
const withBody = (method: string, path: string, body: unknown, clientName = "qmatic-isb") =>
  bench.call(clientName, path, { method, headers: JSON_TYPE, body: JSON.stringify(body) });

describe("Qmatic's API", () => {
  it("lists each tenant's own services, labelled as an assumption", async () => {
    const names: string[][] = [];
    for (const clientName of ["qmatic-isb", "qmatic-riverside", "qmatic-harbor"]) {
      const reply = await bench.call(clientName, "services");
      expect([reply.status, reply.headers["x-emulator-assumption"]]).toEqual([200, "response shape"]);
      names.push(reply.json.map((service: { name: string }) => service.name));
    }
    expect(new Set(names.flat()).size).toBe(names.flat().length);
    expect(names.map((list) => list.length)).toEqual([3, 4, 2]);
  });

  it.each([
    ["none", [], 400],
    ["two", ["1001", "1001"], 400],
    ["another tenant's", "1002", 403],
    ["an unknown", "9999", 403],
    ["its own", "1001", 200],
  ])("with %s X-TENANT-ID answers as it should", async (_name, tenantId, status) => {
    const reply = await bench.call("qmatic-isb", "services", { headers: { "X-TENANT-ID": tenantId } });
    expect(reply.status).toBe(status);
  });

  it("finds an appointment by a POST and by a GET with a body, and never without one", async () => {
    const question = { customer: { personalIdentifier: "SAMPLE1001CUSTOMER" } };
    const path = "external/v1/serviceCombination/appointments/search";
    const byPost = await withBody("POST", "appointments/search", question);
    const byGet = await withBody("GET", path, question);
    expect(byPost.json).toHaveLength(1);
    expect(byGet.json).toEqual(byPost.json);
    expect((await bench.call("qmatic-isb", path)).status).toBe(400);
    expect((await withBody("POST", "appointments/search", question, "qmatic-riverside")).json).toEqual([]);
  });

  it("reserves a free slot, confirms it, takes the customer's details, and cancels", async () => {
    const [branch] = (await bench.call("qmatic-isb", "external/v1/serviceCombination/branch")).json;
    const [service] = branch.services;
    const slotsPath = `external/v1/serviceCombination/branch/${service.id}/timeslots?branchId=${branch.id}`;
    const slots = (await bench.call("qmatic-isb", slotsPath)).json;
    const wish = { serviceId: service.id, branchId: branch.id, timeSlot: slots[0] };

    const reserved = await withBody("POST", "appointments/reserve", wish);
    const id = reserved.json.appointmentId;
    expect([reserved.status, reserved.headers.location, reserved.json.status]).toEqual([
      201,
      `${bench.emulator.origin}/qmatic/eu-west-1/appointments/${id}`,
      "RESERVED",
    ]);
    expect((await bench.call("qmatic-isb", slotsPath)).json).toHaveLength(slots.length - 1);
    expect((await withBody("POST", "appointments/reserve", wish)).status).toBe(409);

    const customer = { personalIdentifier: "SAMPLEOTHERCUSTOMER", firstName: "Sample", lastName: "Other" };
    const confirmed = await withBody("POST", `appointments/${id}/confirm`, { customer });
    expect([confirmed.status, confirmed.json.status]).toEqual([201, "CONFIRMED"]);
    expect((await withBody("POST", `appointments/${id}/confirm`, { customer })).status).toBe(409);

    const put = await withBody("PUT", `Appointments/${id}/customer`, { email: "other@isb.example" });
    expect([put.status, put.text]).toEqual([204, ""]);
    const [found] = (await withBody("POST", "appointments/search", { customer })).json;
    expect(found.customer).toEqual({ ...customer, email: "other@isb.example" });

    expect((await bench.call("qmatic-riverside", `appointments/${id}`, { method: "DELETE" })).status).toBe(
      404,
    );
    const deleted = await bench.call("qmatic-isb", `appointments/${id}`, { method: "DELETE" });
    expect([deleted.status, deleted.text]).toEqual([204, ""]);
    expect((await bench.call("qmatic-isb", `appointments/${id}`, { method: "DELETE" })).status).toBe(404);
  });

  it("lets a reservation lapse that nobody confirms", async () => {
    const [branch] = (await bench.call("qmatic-isb", "external/v1/serviceCombination/branch")).json;
    const [, slot] = (
      await bench.call(
        "qmatic-isb",
        `external/v1/serviceCombination/branch/${branch.services[1].id}/timeslots`,
      )
    ).json;
    const wish = { serviceId: branch.services[1].id, branchId: branch.id, timeSlot: slot };
    const { json } = await withBody("POST", "appointments/reserve", wish);
    bench.advance(5 * 60_000);
    expect(
      (await withBody("POST", `appointments/${json.appointmentId}/confirm`, { customer: {} })).status,
    ).toBe(404);
  });

  it.each([
    ["POST", "appointments/reserve", "cancel", 403],
    ["POST", "appointments/any/confirm", "cancel", 403],
    ["PUT", "Appointments/any/customer", "cancel", 403],
    ["DELETE", "appointments/any", "book", 403],
    ["DELETE", "appointments/any", "cancel", 404],
    ["GET", "services", "cancel", 200],
  ])("%s %s with the scope %s alone answers %i", async (method, path, scope, status) => {
    const token = await bench.token("qmatic-isb", [qmaticScope(scope)]);
    const reply = await bench.call("qmatic-isb", path, {
      method,
      headers: { Authorization: `Bearer ${token}` },
      ...(method === "GET" ? {} : { body: "{}" }),
    });
    expect(reply.status).toBe(status);
  });

  const LIMIT = 2 * 1_024 * 1_024;
  it.each([
    ["of 2 MB", "appointments/search", LIMIT, false, 400],
    ["of 2 MB in chunks", "appointments/search", LIMIT, true, 400],
    ["over 2 MB", "appointments/search", LIMIT + 1, false, 413],
    ["over 2 MB in chunks", "appointments/search", LIMIT + 1, true, 413],
    ["far over 2 MB", "appointments/search", 8 * LIMIT, true, 413],
    ["over 2 MB to the echo, in chunks,", "echo", LIMIT + 1, true, 413],
  ])("judges a body %s", async (_name, path, bytes, chunked, status) => {
    const body = Buffer.alloc(bytes, " ");
    const reply = await bench.call("qmatic-isb", path, { method: "POST", body, chunked });
    expect(reply.status).toBe(status);
  });

  it("takes so many requests per minute and account", async () => {
    const token = await bench.token("qmatic-isb");
    const headers = { Authorization: `Bearer ${token}` };
    const statuses: number[] = [];
    for (let count = 0; count < 101; count += 1) {
      statuses.push((await bench.call("qmatic-isb", "services", { headers })).status);
    }
    expect(statuses.filter((status) => status === 200)).toHaveLength(100);
    expect(statuses.at(-1)).toBe(429);
    expect((await bench.call("qmatic-riverside", "services")).status).toBe(200);
    bench.advance(60_000);
    expect((await bench.call("qmatic-isb", "services", { headers })).status).toBe(200);
  });
});
