import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Bench, send, startBench } from "./harness.ts";

const LOCATION_ID = "pr_emu001-sample_avocet|lo_emu001-office_1";
const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.emulator.stop());

const get = (path: string) => bench.call("zocdoc-sandbox", path);

describe("Zocdoc's directory", () => {
  it("finds providers by NPI, with the ids of their locations", async () => {
    const { status, json } = await get("v1/providers?npis=9000000001,9999999999");
    expect(status).toBe(200);
    expect(json.request_id).toMatch(UUID);
    expect(json.data.map((entry: { npi: string }) => entry.npi)).toEqual(["9000000001", "9999999999"]);
    expect(json.data[0].providers[0].locations[0].provider_location_id).toBe(LOCATION_ID);
    expect(json.data[1].providers).toEqual([]);
  });

  it.each([
    ["v1/provider_locations?zip_code=10001&specialty_id=sp_901&page_size=3", 8, 3],
    ["v1/provider_locations?zip_code=10001&visit_reason_id=pc_emulator-902-1&page_size=8", 8, 8],
    ["v1/reference/npi?page_size=7", 24, 7],
    ["v1/insurance_plans?page_size=5", 12, 5],
    ["v1/insurance_plans?network_type=hmo&page_size=2", 3, 2],
    ["v1/specialties?page_size=1", 4, 1],
    ["v1/visit_reasons?specialty_id=sp_901&page_size=2", 3, 2],
  ])("pages through %s by absolute next_url", async (path, total, pageSize) => {
    const token = await bench.token("zocdoc-sandbox");
    const { apiUrl } = bench.emulator.endpoints["zocdoc/sandbox"];
    const seen = new Set<string>();
    let url = apiUrl + path;
    for (let page = 0; url !== ""; page += 1) {
      const { status, json } = await send(url, { headers: { Authorization: `Bearer ${token}` } });
      expect([status, json.page, json.page_size, json.total_count]).toEqual([200, page, pageSize, total]);
      const items = json.data.provider_locations ?? json.data.npis ?? json.data;
      for (const item of items) seen.add(JSON.stringify(item));
      expect(json.next_url === "" || json.next_url.startsWith(apiUrl)).toBe(true);
      url = json.next_url;
    }
    expect(seen.size).toBe(total);
  });

  it("writes next_url with the Host of the request", async () => {
    const reply = await bench.call("zocdoc-sandbox", "v1/specialties?page_size=1", {
      headers: { Host: "zocdoc.example:8443" },
    });
    expect(reply.json.next_url).toBe(
      "http://zocdoc.example:8443/zocdoc/sandbox/v1/specialties?page_size=1&page=1",
    );
  });

  it.each([
    ["v1/specialties/sp_901", "sp_901"],
    ["v1/visit_reasons/pc_emulator-901-2", "pc_emulator-901-2"],
    ["v1/insurance_plans/ip_9000", "ip_9000"],
  ])("looks %s up", async (path, id) => {
    expect((await get(path)).json.data.id).toBe(id);
  });

  it.each([
    ["encoded", "%7C"],
    ["raw", "|"],
  ])("finds a location whose bar is %s, and says what arrived", async (_name, bar) => {
    const path = `v1/provider_locations/${LOCATION_ID.replace("|", bar)}`;
    const reply = await get(path);
    expect(reply.json.data.provider_location_id).toBe(LOCATION_ID);
    expect(reply.headers["x-emulator-target"]).toBe(`/zocdoc/sandbox/${path}`);
  });

  it("offers the timeslots of working days to come", async () => {
    const query = `provider_location_ids=${encodeURIComponent(LOCATION_ID)}&visit_reason_id=pc_emulator-901-1`;
    const { json } = await get(`v1/provider_locations/availability?${query}&patient_type=new`);
    const [{ provider_location_id, first_availability, timeslots }] = json.data;
    expect(provider_location_id).toBe(LOCATION_ID);
    expect(first_availability).toEqual(timeslots[0]);
    // Friday 03:00 in New York: four slots that day, none at the weekend, twenty in the next week.
    expect(timeslots.length).toBe(24);
    expect(timeslots[0].start_time).toBe("2027-01-15T09:00:00-05:00");
  });

  const availability = (change: string) =>
    `v1/provider_locations/availability?${new URLSearchParams({
      provider_location_ids: LOCATION_ID,
      visit_reason_id: "pc_emulator-901-1",
      patient_type: "new",
      ...Object.fromEntries(new URLSearchParams(change)),
    })}`;

  it.each([
    ["v1/providers", 400],
    [`v1/providers?npis=${Array(51).fill("9000000001").join(",")}`, 400],
    ["v1/provider_locations?specialty_id=sp_901", 400],
    ["v1/provider_locations?zip_code=1234&specialty_id=sp_901", 400],
    ["v1/provider_locations?zip_code=10001", 400],
    ["v1/provider_locations?zip_code=10001&specialty_id=sp_902&visit_reason_id=pc_emulator-901-1", 400],
    ["v1/provider_locations?zip_code=10001&specialty_id=sp_901&page=-1", 400],
    ["v1/provider_locations?zip_code=10001&specialty_id=sp_901&page_size=0", 400],
    ["v1/provider_locations?zip_code=10112&specialty_id=sp_901", 500],
    ["v1/provider_locations/pr_missing%7Clo_any", 404],
    ["v1/provider_locations/pr_error%7Clo_any", 500],
    ["v1/provider_locations/%zz", 400],
    [availability("provider_location_ids=pr_missing|lo_any"), 404],
    [availability("provider_location_ids=pr_error|lo_any"), 500],
    [availability("provider_location_ids="), 400],
    [availability("visit_reason_id=pc_unknown"), 400],
    [availability("patient_type=old"), 400],
    [availability("start_date_in_provider_local_time=15-01-2027"), 400],
    [
      availability("start_date_in_provider_local_time=2027-02-01&end_date_in_provider_local_time=2027-03-15"),
      400,
    ],
    ["v1/specialties/sp_0", 404],
    ["v1/no-such-endpoint", 404],
  ])("answers %s with %i and the error envelope", async (path, status) => {
    const reply = await get(path);
    expect(reply.status).toBe(status);
    expect(reply.json).toEqual({
      request_id: expect.stringMatching(UUID),
      error_type: status === 500 ? "api_error" : "invalid_request",
      errors: [expect.objectContaining({ message: expect.any(String) })],
    });
  });

  it("finds nothing at zip code 99734", async () => {
    const { status, json } = await get("v1/provider_locations?zip_code=99734&specialty_id=sp_901");
    expect([status, json.total_count, json.next_url, json.data.provider_locations]).toEqual([200, 0, "", []]);
  });

  it("answers HEAD like GET, without the body", async () => {
    const reply = await bench.call("zocdoc-sandbox", "v1/specialties", { method: "HEAD" });
    expect([reply.status, reply.text]).toEqual([200, ""]);
    expect(Number(reply.headers["content-length"])).toBeGreaterThan(100);
  });

  it("names the methods of a path", async () => {
    const reply = await bench.call("zocdoc-sandbox", "v1/appointments", { method: "DELETE" });
    expect([reply.status, reply.headers.allow]).toEqual([405, "POST, GET"]);
  });

  it("compresses for those who ask for gzip, and for nobody else", async () => {
    const plain = await get("v1/reference/npi");
    const squeezed = await bench.call("zocdoc-sandbox", "v1/reference/npi", {
      headers: { "Accept-Encoding": "br, gzip;q=0.8" },
    });
    const declined = await bench.call("zocdoc-sandbox", "v1/reference/npi", {
      headers: { "Accept-Encoding": "gzip;q=0" },
    });
    expect(squeezed.headers["content-encoding"]).toBe("gzip");
    expect(squeezed.json.data).toEqual(plain.json.data);
    expect(squeezed.bytes).toBeLessThan(plain.bytes);
    expect(plain.headers["content-encoding"]).toBeUndefined();
    expect(declined.headers["content-encoding"]).toBeUndefined();
  });
});
