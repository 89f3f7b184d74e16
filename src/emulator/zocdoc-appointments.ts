import type { Answer, Call } from "./exchange.ts";
import { uuid } from "./uuid.ts";
import type { Appointment } from "./zocdoc-appointment-book.ts";
import { findProviderLocation } from "./zocdoc-directory-data.ts";
import {
  appointmentNotFound,
  type FieldError,
  type Fields,
  failure,
  paged,
  result,
  withJson,
  type ZocdocContext,
  type ZocdocEndpoint,
} from "./zocdoc-envelope.ts";
import { startTimeMs } from "./zocdoc-timeslots.ts";

const READ = "external.appointment.read";
const WRITE = "external.appointment.write";

const MAX_NOTES_CHARACTERS = 100;

const PATIENT_FIELDS = [
  "first_name",
  "last_name",
  "date_of_birth",
  "sex_at_birth",
  "phone_number",
  "email_address",
  "patient_address",
];

/** Reads a JSON body that names an appointment of the caller's own, and hands both on. */
function withAppointment(
  handle: (appointment: Appointment, body: Fields, context: ZocdocContext) => Answer,
): (call: Call, context: ZocdocContext) => Promise<Answer> {
  return withJson((body, context) => {
    const id = body["appointment_id"];
    if (typeof id !== "string" || id === "") {
      return failure(context, 400, { field: "appointment_id", message: "is required" });
    }
    const appointment = context.book.find(id);
    return appointment === undefined ? appointmentNotFound(context) : handle(appointment, body, context);
  });
}

function objectOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function book(body: Fields, context: ZocdocContext): Answer {
  const nowMs = context.emulator.now();
  const data = objectOf(body["data"]);
  const patient = objectOf(data["patient"]);
  const errors: FieldError[] = [];
  if (body["appointment_type"] !== "providers") {
    errors.push({ field: "appointment_type", message: "must be providers" });
  }
  for (const name of PATIENT_FIELDS) {
    if (patient[name] === undefined) errors.push({ field: `data.patient.${name}`, message: "is required" });
  }
  if (data["patient_type"] !== "new" && data["patient_type"] !== "existing") {
    errors.push({ field: "data.patient_type", message: "must be new or existing" });
  }
  const location = findProviderLocation(String(data["provider_location_id"]));
  const reasons = location?.provider["visit_reason_ids"] as readonly unknown[] | undefined;
  if (location === undefined) errors.push({ field: "data.provider_location_id", message: "is unknown" });
  else if (reasons?.includes(data["visit_reason_id"]) !== true) {
    errors.push({ field: "data.visit_reason_id", message: "is not accepted by the provider" });
  }
  const notes = data["notes"];
  if (notes !== undefined && (typeof notes !== "string" || notes.length > MAX_NOTES_CHARACTERS)) {
    errors.push({
      field: "data.notes",
      message: `must be text of at most ${MAX_NOTES_CHARACTERS} characters`,
    });
  }
  const startMs = startTimeMs(data["start_time"], nowMs);
  const locationId = location?.providerLocationId ?? "";
  if (startMs === undefined || context.book.isTaken(locationId, startMs)) {
    errors.push({ field: "data.start_time", message: "is not an available timeslot" });
  }
  if (errors.length > 0 || startMs === undefined) return failure(context, 400, ...errors);

  const patientId = patient["developer_patient_id"];
  const appointment: Appointment = {
    id: uuid(context.emulator.randomBytes),
    status: "pending_booking",
    startTime: String(data["start_time"]),
    startMs,
    providerLocationId: locationId,
    visitReasonId: String(data["visit_reason_id"]),
    developerPatientId: typeof patientId === "string" ? patientId : undefined,
    notes: typeof notes === "string" ? notes : undefined,
    createdMs: nowMs,
    modifiedMs: nowMs,
    attachments: 0,
  };
  context.book.keep(appointment);
  return result(context, { ...shared(appointment), visit_type: "in_person", notes: appointment.notes });
}

/** Zocdoc API, AppointmentBaseResponseData. */
function base(appointment: Appointment) {
  return {
    appointment_id: appointment.id,
    appointment_status: appointment.status,
    developer_patient_id: appointment.developerPatientId ?? null,
  };
}

/** Zocdoc API, SharedAppointmentResponseData. */
function shared(appointment: Appointment) {
  const location = findProviderLocation(appointment.providerLocationId)?.location;
  return {
    ...base(appointment),
    is_provider_resource: false,
    location_phone_number: location?.["phone_number"],
    confirmation_type: "manual",
  };
}

/** Zocdoc API, AppointmentStatusResponseData. */
function status(appointment: Appointment) {
  return {
    ...shared(appointment),
    start_time: appointment.startTime,
    provider_location_id: appointment.providerLocationId,
    visit_reason_id: appointment.visitReasonId,
    created_time_utc: new Date(appointment.createdMs).toISOString(),
    last_modified_time_utc: new Date(appointment.modifiedMs).toISOString(),
  };
}

function list(call: Call, context: ZocdocContext): Answer {
  const statuses = call.query.get("statuses")?.split(",");
  const patientId = call.query.get("developer_patient_id");
  const found = context.book
    .list()
    .filter((appointment) => statuses === undefined || statuses.includes(appointment.status))
    .filter((appointment) => patientId === null || appointment.developerPatientId === patientId);
  const limits = { defaultSize: 20, maxSize: 100, maxPage: 10 };
  return paged(context, call, found, limits, (items) => items.map(status));
}

/** Moves an appointment to another state; 409 from a state that does not allow it. */
function change(
  allowedFrom: readonly Appointment["status"][],
  to: Appointment["status"],
  appointment: Appointment,
  context: ZocdocContext,
): Answer | undefined {
  if (!allowedFrom.includes(appointment.status)) {
    return failure(context, 409, { message: `the appointment is ${appointment.status}` });
  }
  appointment.status = to;
  appointment.modifiedMs = context.emulator.now();
  context.book.keep(appointment);
  return undefined;
}

function reschedule(appointment: Appointment, body: Fields, context: ZocdocContext): Answer {
  const startMs = startTimeMs(body["start_time"], context.emulator.now());
  if (startMs === undefined || context.book.isTaken(appointment.providerLocationId, startMs)) {
    return failure(context, 400, { field: "start_time", message: "is not an available timeslot" });
  }
  const allowed = ["pending_booking", "confirmed", "rescheduled"] as const;
  const conflict = change(allowed, "rescheduled", appointment, context);
  if (conflict !== undefined) return conflict;
  appointment.startTime = String(body["start_time"]);
  appointment.startMs = startMs;
  context.book.keep(appointment);
  return result(context, { ...shared(appointment), visit_type: "in_person", notes: appointment.notes });
}

/** Booking and everything after it, on the caller's own appointments. */
export const APPOINTMENT_ENDPOINTS: readonly ZocdocEndpoint[] = [
  { method: "POST", pattern: "/v1/appointments", scope: WRITE, handle: withJson(book) },
  { method: "GET", pattern: "/v1/appointments", scope: READ, handle: list },
  {
    method: "POST",
    pattern: "/v1/appointments/cancel",
    scope: WRITE,
    handle: withAppointment((appointment, _body, context) => {
      const active = ["pending_booking", "confirmed", "rescheduled"] as const;
      return change(active, "cancelled", appointment, context) ?? result(context, base(appointment));
    }),
  },
  {
    method: "POST",
    pattern: "/v1/appointments/confirm",
    scope: WRITE,
    handle: withAppointment(
      (appointment, _body, context) =>
        change(["pending_booking"], "confirmed", appointment, context) ?? result(context, base(appointment)),
    ),
  },
  {
    method: "POST",
    pattern: "/v1/appointments/reschedule",
    scope: WRITE,
    handle: withAppointment(reschedule),
  },
  {
    method: "GET",
    pattern: "/v1/appointments/{id}",
    scope: READ,
    handle(_call, context, parameters) {
      const appointment = context.book.find(parameters["id"]);
      return appointment === undefined ? appointmentNotFound(context) : result(context, status(appointment));
    },
  },
];
