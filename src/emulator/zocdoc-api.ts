import { hasScope } from "./access-token.ts";
import type { Caller, EmulatorContext } from "./context.ts";
import type { Answer, Call } from "./exchange.ts";
import { reflect } from "./reflection.ts";
import { createRouteTable } from "./route-table.ts";
import type { Service } from "./services.ts";
import { uuid } from "./uuid.ts";
import { ANONYMOUS_ENDPOINTS } from "./zocdoc-anonymous.ts";
import { createAppointmentBooks } from "./zocdoc-appointment-book.ts";
import { APPOINTMENT_ENDPOINTS } from "./zocdoc-appointments.ts";
import { ATTACHMENT_ENDPOINTS } from "./zocdoc-attachments.ts";
import { CREDENTIAL_ENDPOINTS } from "./zocdoc-credentials.ts";
import { DIRECTORY_ENDPOINTS } from "./zocdoc-directory.ts";
import { failure, type ZocdocContext } from "./zocdoc-envelope.ts";

/** Zocdoc's 401 has no body; RFC 6750 §3.1 asks for no error code where no token was sent. */
export function zocdocUnauthorized(tokenSent: boolean): Answer {
  return {
    status: 401,
    headers: { "WWW-Authenticate": tokenSent ? 'Bearer error="invalid_token"' : "Bearer" },
  };
}

/** One environment of Zocdoc's API, for callers whose token was found good. */
export function createZocdocApi(
  service: Service,
  emulator: EmulatorContext,
): (call: Call, caller: Caller) => Promise<Answer> {
  const match = createRouteTable([
    ...DIRECTORY_ENDPOINTS,
    ...APPOINTMENT_ENDPOINTS,
    ...ATTACHMENT_ENDPOINTS,
    ...CREDENTIAL_ENDPOINTS,
    ...ANONYMOUS_ENDPOINTS,
  ]);
  const books = createAppointmentBooks(emulator.records, `appointment/${service.name}/`);

  return async (call, caller) => {
    const reflected = await reflect(call, caller, Number.POSITIVE_INFINITY);
    if (reflected !== undefined) return reflected;
    const { subject } = caller.claims;
    const book =
      subject.kind === "user" ? books.ofUser(subject.user) : books.ofClient(caller.client.clientId);
    const context: ZocdocContext = { caller, book, emulator, requestId: uuid(emulator.randomBytes) };
    const route = match(call.method, call.path);
    switch (route.kind) {
      case "not_found":
        return failure(context, 404, { message: "no such endpoint" });
      case "malformed":
        return failure(context, 400, { message: "the path is malformed" });
      case "method_not_allowed":
        return {
          ...failure(context, 405, { message: "method not allowed" }),
          headers: { Allow: route.allow },
        };
      case "found": {
        const { scope, handle } = route.endpoint;
        if (scope !== undefined && !hasScope(caller.claims, scope)) {
          return failure(context, 403, { message: `the token lacks the scope ${scope}` });
        }
        return handle(call, context, route.parameters);
      }
    }
  };
}
