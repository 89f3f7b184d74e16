import { qmaticScope } from "./clients.ts";
import type { EmulatorContext } from "./context.ts";
import { type Answer, type Call, parseJsonObject, readBody } from "./exchange.ts";
import { publicAppointment, type QmaticAppointmentBook } from "./qmatic-appointment-book.ts";
import type { Endpoint, PathParameters } from "./route-table.ts";
import { uuid } from "./uuid.ts";

/** Bodies over 2 MB are refused (Qmatic, API limits). */
export const MAX_QMATIC_BODY_BYTES = 2 * 1_024 * 1_024;

export interface QmaticContext {
  readonly book: QmaticAppointmentBook;
  readonly emulator: EmulatorContext;
}

export interface QmaticEndpoint extends Endpoint<QmaticContext> {
  /** The scope that the token must hold; undefined: any valid token. */
  readonly scope?: string;
}

type Fields = Readonly<Record<string, unknown>>;

export function qmaticError(status: number, message: string): Answer {
  return { status, json: { message } };
}

function withJson(
  handle: (body: Fields, context: QmaticContext, parameters: PathParameters, call: Call) => Answer,
): QmaticEndpoint["handle"] {
  return async (call, context, parameters) => {
    const body = await readBody(call.request, MAX_QMATIC_BODY_BYTES);
    if (body === undefined) return qmaticError(413, "Request entity too large");
    const fields = parseJsonObject(body);
    if (fields === undefined) return qmaticError(400, "The body must be a JSON object");
    return handle(fields, context, parameters, call);
  };
}

/** By the customer's personal identifier, which is required. */
const search = withJson((body, { book }) => {
  const customer = body["customer"];
  const wanted =
    typeof customer === "object" && customer !== null
      ? Reflect.get(customer, "personalIdentifier")
      : undefined;
  if (typeof wanted !== "string" || wanted === "") {
    return qmaticError(400, "customer.personalIdentifier is required");
  }
  const found = book.list().filter((appointment) => appointment.customer["personalIdentifier"] === wanted);
  return { status: 200, json: found.map(publicAppointment) };
});

const reserve = withJson((body, { book, emulator }, _parameters, call) => {
  const service = book.services.find(({ id }) => id === body["serviceId"]);
  const branch = book.branches.find(({ id }) => id === body["branchId"]);
  if (service === undefined || branch === undefined) {
    return qmaticError(400, "serviceId and branchId must name a service and a branch");
  }
  const timeSlot = body["timeSlot"];
  const startTime =
    typeof timeSlot === "object" && timeSlot !== null ? Reflect.get(timeSlot, "startTime") : undefined;
  const slot = book.freeSlots(service, branch.id).find((free) => free.startTime === startTime);
  if (slot === undefined) return qmaticError(409, "The time slot is not available");
  const appointment = book.reserve(uuid(emulator.randomBytes), service, branch, slot);
  const location = `${call.baseUrl}/appointments/${appointment.appointmentId}`;
  return { status: 201, headers: { Location: location }, json: publicAppointment(appointment) };
});

const confirm = withJson((body, { book }, parameters, call) => {
  const appointment = book.find(parameters["id"] ?? "");
  if (appointment === undefined) return qmaticError(404, "No such reservation");
  if (appointment.status !== "RESERVED") return qmaticError(409, "The appointment is confirmed already");
  const customer = body["customer"];
  if (typeof customer !== "object" || customer === null) return qmaticError(400, "customer is required");
  appointment.status = "CONFIRMED";
  appointment.lapsesAtMs = Number.POSITIVE_INFINITY;
  appointment.customer = customer as Fields;
  const location = `${call.baseUrl}/appointments/${appointment.appointmentId}`;
  return { status: 201, headers: { Location: location }, json: publicAppointment(appointment) };
});

/**
 * The paths that are published, and two that are not: Qmatic says that booking reserves and then confirms with 201,
 * but not where. Which scope goes with which operation is an assumption where the scope's name does not say it.
 */
export const QMATIC_ENDPOINTS: readonly QmaticEndpoint[] = [
  {
    method: "GET",
    pattern: "/services",
    handle: (_call, { book }) => ({
      status: 200,
      headers: { "Content-Language": "en" },
      json: book.services,
    }),
  },
  { method: "POST", pattern: "/appointments/search", handle: search },
  { method: "POST", pattern: "/appointments/reserve", scope: qmaticScope("book"), handle: reserve },
  { method: "POST", pattern: "/appointments/{id}/confirm", scope: qmaticScope("book"), handle: confirm },
  {
    method: "DELETE",
    pattern: "/appointments/{id}",
    scope: qmaticScope("cancel"),
    handle(_call, { book }, parameters) {
      const appointment = book.find(parameters["id"] ?? "");
      if (appointment === undefined) return qmaticError(404, "No such appointment");
      book.remove(appointment.appointmentId);
      return { status: 204 };
    },
  },
  {
    method: "PUT",
    pattern: "/Appointments/{id}/customer",
    scope: qmaticScope("book"),
    handle: withJson((body, { book }, parameters) => {
      const appointment = book.find(parameters["id"] ?? "");
      if (appointment === undefined) return qmaticError(404, "No such appointment");
      appointment.customer = { ...appointment.customer, ...body };
      return { status: 204 };
    }),
  },
  {
    method: "GET",
    pattern: "/external/v1/serviceCombination/branch",
    handle: (_call, { book }) => ({
      status: 200,
      headers: { "Content-Language": "en" },
      json: book.branches.map((branch) => ({ ...branch, services: book.services })),
    }),
  },
  {
    method: "GET",
    pattern: "/external/v1/serviceCombination/branch/{serviceId}/timeslots",
    handle(call, { book }, parameters) {
      const service = book.services.find(({ id }) => id === parameters["serviceId"]);
      if (service === undefined) return qmaticError(404, "No such service");
      const branchId = call.query.get("branchId") ?? book.branches[0]?.id ?? "";
      return { status: 200, json: book.freeSlots(service, branchId) };
    },
  },
  // A GET whose body is the question: a proxy that drops the body gets a 400 here.
  { method: "GET", pattern: "/external/v1/serviceCombination/appointments/search", handle: search },
];
