import type { Answer, Call } from "./exchange.ts";
import {
  DIRECTORY,
  type DirectoryEntry,
  findProviderLocation,
  INSURANCE_PLANS,
  SPECIALTIES,
  VISIT_REASONS,
} from "./zocdoc-directory-data.ts";
import { failure, paged, result, type ZocdocContext, type ZocdocEndpoint } from "./zocdoc-envelope.ts";
import { addDays, localDate, startTimes } from "./zocdoc-timeslots.ts";

/** Zip codes with a fixed meaning in Zocdoc's sandbox. */
const ERROR_ZIP_CODE = "10112";
const EMPTY_ZIP_CODE = "99734";

const MAX_IDS = 50;
const MAX_AVAILABILITY_DAYS = 31;
const REFERENCE_PAGES = { defaultSize: 100, maxSize: 500, maxPage: 200 };

function booking(entry: DirectoryEntry) {
  return {
    provider_location_id: entry.providerLocationId,
    accepts_patient_insurance: "insurance_not_specified",
    booking_requirements: {
      required_fields: [],
      accepts_booking_requests_from: ["in_network", "self_pay"],
    },
  };
}

function providerLocation(entry: DirectoryEntry) {
  const { provider, location, practice } = entry;
  return { ...booking(entry), provider_location_type: "in_person_provider", provider, location, practice };
}

function providers(call: Call, context: ZocdocContext): Answer {
  const npis = (call.query.get("npis") ?? "").split(",").filter((npi) => npi !== "");
  if (npis.length === 0 || npis.length > MAX_IDS) {
    return failure(context, 400, { field: "npis", message: `name 1 to ${MAX_IDS} NPIs` });
  }
  const data = npis.map((npi) => ({
    npi,
    providers: DIRECTORY.filter(({ provider }) => provider.npi === npi).map((entry) => ({
      ...entry.provider,
      locations: [{ ...booking(entry), ...entry.location }],
      virtual_locations: [],
      practice: entry.practice,
    })),
  }));
  return result(context, data);
}

function searchProviderLocations(call: Call, context: ZocdocContext): Answer {
  const zipCode = call.query.get("zip_code") ?? "";
  if (!/^\d{5}$/.test(zipCode)) {
    return failure(context, 400, { field: "zip_code", message: "must be a zip code of 5 digits" });
  }
  const reason = VISIT_REASONS.find(({ id }) => id === call.query.get("visit_reason_id"));
  const specialty = SPECIALTIES.find(
    ({ id }) => id === (call.query.get("specialty_id") ?? reason?.specialty_id),
  );
  if (specialty === undefined || (reason !== undefined && reason.specialty_id !== specialty.id)) {
    const message = "a known specialty_id, or the visit_reason_id of one, is required";
    return failure(context, 400, { field: "specialty_id", message });
  }
  if (zipCode === ERROR_ZIP_CODE) return failure(context, 500, { message: "internal error" });
  const found =
    zipCode === EMPTY_ZIP_CODE ? [] : DIRECTORY.filter(({ specialtyId }) => specialtyId === specialty.id);
  const searchParameters = {
    specialty_id: specialty.id,
    visit_reason_id: reason?.id ?? specialty.default_visit_reason_id,
  };
  return paged(context, call, found, { defaultSize: 10, maxSize: 100, maxPage: 200 }, (items) => ({
    search_parameters: searchParameters,
    provider_locations: items.map(providerLocation),
  }));
}

/** `pr_missing` and `pr_error` are the sandbox's own; any other id must exist. */
function findOrFail(context: ZocdocContext, field: string, id: string): DirectoryEntry | Answer {
  const providerId = id.split("|", 1)[0];
  if (providerId === "pr_error") return failure(context, 500, { message: "internal error" });
  return findProviderLocation(id) ?? failure(context, 404, { field, message: "provider location not found" });
}

function availability(call: Call, context: ZocdocContext): Answer {
  const { query } = call;
  const nowMs = context.emulator.now();
  const ids = (query.get("provider_location_ids") ?? "").split(",").filter((id) => id !== "");
  if (ids.length === 0 || ids.length > MAX_IDS) {
    return failure(context, 400, { field: "provider_location_ids", message: `name 1 to ${MAX_IDS} ids` });
  }
  const reason = VISIT_REASONS.find(({ id }) => id === query.get("visit_reason_id"));
  if (reason === undefined) {
    return failure(context, 400, { field: "visit_reason_id", message: "must be a known visit reason" });
  }
  if (!["new", "existing"].includes(query.get("patient_type") ?? "")) {
    return failure(context, 400, { field: "patient_type", message: "must be new or existing" });
  }
  const from = query.get("start_date_in_provider_local_time") ?? localDate(nowMs);
  const to = query.get("end_date_in_provider_local_time") ?? addDays(from, 7) ?? "";
  const last = addDays(from, MAX_AVAILABILITY_DAYS);
  if (last === undefined || addDays(to, 0) === undefined || to < from || to > last) {
    const message = `dates are YYYY-MM-DD, the end at most ${MAX_AVAILABILITY_DAYS} days after the start`;
    return failure(context, 400, { field: "end_date_in_provider_local_time", message });
  }
  const data: unknown[] = [];
  for (const id of ids) {
    const entry = findOrFail(context, "provider_location_ids", id);
    if ("status" in entry) return entry;
    const slots = entry.specialtyId === reason.specialty_id ? startTimes(from, to, nowMs) : [];
    const timeslots = slots
      .filter((startTime) => !context.book.isTaken(id, Date.parse(startTime)))
      .map((startTime) => ({ start_time: startTime, visit_reason_id: reason.id }));
    const first = timeslots[0] === undefined ? {} : { first_availability: timeslots[0] };
    data.push({ provider_location_id: id, ...first, timeslots });
  }
  return result(context, data);
}

/** List and lookup of one kind of reference data. */
function reference(path: string, items: readonly { readonly id: string }[], filters: readonly string[]) {
  const list: ZocdocEndpoint = {
    method: "GET",
    pattern: path,
    handle(call, context) {
      const wanted = filters.map((name) => [name, call.query.get(name)] as const);
      const found = items.filter((item) =>
        wanted.every(([name, value]) => value === null || String(Reflect.get(item, name)) === value),
      );
      return paged(context, call, found, REFERENCE_PAGES);
    },
  };
  const lookup: ZocdocEndpoint = {
    method: "GET",
    pattern: `${path}/{id}`,
    handle(_call, context, parameters) {
      const item = items.find(({ id }) => id === parameters["id"]);
      return item === undefined ? failure(context, 404, { message: "not found" }) : result(context, item);
    },
  };
  return [list, lookup];
}

/** Providers, locations, availability and reference data: any valid token will do. */
export const DIRECTORY_ENDPOINTS: readonly ZocdocEndpoint[] = [
  { method: "GET", pattern: "/v1/providers", handle: providers },
  { method: "GET", pattern: "/v1/provider_locations", handle: searchProviderLocations },
  { method: "GET", pattern: "/v1/provider_locations/availability", handle: availability },
  {
    method: "GET",
    pattern: "/v1/provider_locations/{id}",
    handle(_call, context, parameters) {
      const entry = findOrFail(context, "provider_location_id", parameters["id"] ?? "");
      return "status" in entry ? entry : result(context, providerLocation(entry));
    },
  },
  {
    method: "GET",
    pattern: "/v1/reference/npi",
    handle: (call, context) =>
      paged(
        context,
        call,
        DIRECTORY.map(({ provider }) => provider.npi),
        { defaultSize: 1_000, maxSize: 60_000, maxPage: 200 },
        (npis) => ({ npis }),
      ),
  },
  ...reference("/v1/insurance_plans", INSURANCE_PLANS, ["status", "network_type", "program_type"]),
  ...reference("/v1/specialties", SPECIALTIES, ["care_category"]),
  ...reference("/v1/visit_reasons", VISIT_REASONS, ["specialty_id"]),
];
