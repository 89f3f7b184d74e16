import type { Answer, Call } from "./exchange.ts";
import { multipartBoundary, readMultipart } from "./multipart.ts";
import type { PathParameters } from "./route-table.ts";
import {
  appointmentNotFound,
  failure,
  result,
  type ZocdocContext,
  type ZocdocEndpoint,
} from "./zocdoc-envelope.ts";

const MAX_ATTACHMENT_BYTES = 100 * 1_024 * 1_024;

const ATTACHMENT_TYPES = [
  "community_care_packet",
  "pcp_patient_referral",
  "patient_front_insurance_card",
  "patient_back_insurance_card",
];

async function attach(call: Call, context: ZocdocContext, parameters: PathParameters): Promise<Answer> {
  const appointment = context.book.find(parameters["id"]);
  if (appointment === undefined) return appointmentNotFound(context);
  const boundary = multipartBoundary(call.request.headers["content-type"] ?? "");
  if (boundary === undefined) {
    return failure(context, 400, { message: "send multipart/form-data with a boundary" });
  }
  const parts = await readMultipart(call.request, boundary);
  if (parts === undefined) return failure(context, 400, { message: "the multipart body is malformed" });
  const file = parts.find(({ name }) => name === "attachment");
  if (file === undefined || file.bytes === 0 || file.bytes >= MAX_ATTACHMENT_BYTES) {
    return failure(context, 400, { field: "attachment", message: "must be a file of less than 100 MB" });
  }
  const type = parts.find(({ name }) => name === "attachment_type")?.text ?? "";
  if (!ATTACHMENT_TYPES.includes(type)) {
    const message = `must be one of ${ATTACHMENT_TYPES.join(", ")}`;
    return failure(context, 400, { field: "attachment_type", message });
  }
  appointment.attachments += 1;
  context.book.keep(appointment);
  const headers = {
    "X-Emulator-Received": `parts=${parts.length}; attachment_bytes=${file.bytes}; attachments=${appointment.attachments}`,
  };
  const data = { appointment_id: appointment.id, attachments: [{ attachment_type: type }] };
  return { ...result(context, data), headers };
}

/** Documents for an appointment: read, judged and counted, never kept. */
export const ATTACHMENT_ENDPOINTS: readonly ZocdocEndpoint[] = [
  {
    method: "POST",
    pattern: "/v1/appointments/{id}/attachments",
    scope: "external.appointment.write",
    handle: attach,
  },
];
