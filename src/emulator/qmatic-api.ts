import { hasScope } from "./access-token.ts";
import type { Caller, EmulatorContext } from "./context.ts";
import { type Answer, type Call, readBody, soleHeader } from "./exchange.ts";
import { createQmaticAppointmentBook, type QmaticAppointmentBook } from "./qmatic-appointment-book.ts";
import { MAX_QMATIC_BODY_BYTES, QMATIC_ENDPOINTS, qmaticError } from "./qmatic-endpoints.ts";
import { reflect } from "./reflection.ts";
import { createRouteTable } from "./route-table.ts";

const MINUTE_MS = 60_000;

/** Neither the shape of the answers nor that of the errors is published. */
const ASSUMPTION = { "X-Emulator-Assumption": "response shape" };

export function qmaticUnauthorized(tokenSent: boolean): Answer {
  return {
    ...qmaticError(401, "Unauthorized"),
    headers: { ...ASSUMPTION, "WWW-Authenticate": tokenSent ? 'Bearer error="invalid_token"' : "Bearer" },
  };
}

/**
 * One region of Qmatic's API, for callers whose token was found good. `X-TENANT-ID` is required and must be the id of
 * a system that belongs to the token's account.
 *
 * @param requestsPerMinute per account, 429 beyond; undefined: no limit. The real one is 100.
 */
export function createQmaticApi(
  emulator: EmulatorContext,
  requestsPerMinute: number | undefined,
): (call: Call, caller: Caller) => Promise<Answer> {
  const match = createRouteTable(QMATIC_ENDPOINTS, { caseSensitive: false });
  const books = new Map<string, QmaticAppointmentBook>();
  const limit = createMinuteLimit(requestsPerMinute, emulator.now);

  function bookOf(account: string, tenantId: string): QmaticAppointmentBook {
    let book = books.get(account);
    if (book === undefined) {
      book = createQmaticAppointmentBook(account, tenantId, emulator.now);
      books.set(account, book);
    }
    return book;
  }

  async function answer(call: Call, caller: Caller): Promise<Answer> {
    const { client, claims } = caller;
    const { account = "", tenantId = "" } = client;
    if (!limit(account)) return qmaticError(429, "Too many requests");
    const given = soleHeader(call.request, "x-tenant-id");
    if (given === undefined) return qmaticError(400, "X-TENANT-ID is required");
    if (given !== tenantId) return qmaticError(403, "X-TENANT-ID does not belong to the token's account");
    if (Number(call.request.headers["content-length"] ?? 0) > MAX_QMATIC_BODY_BYTES) {
      await readBody(call.request, 0);
      return qmaticError(413, "Request entity too large");
    }
    const reflected = await reflect(call, caller, MAX_QMATIC_BODY_BYTES);
    if (reflected !== undefined) return reflected;
    const route = match(call.method, call.path);
    switch (route.kind) {
      case "not_found":
        return qmaticError(404, "No such endpoint");
      case "malformed":
        return qmaticError(400, "The path is malformed");
      case "method_not_allowed":
        return { ...qmaticError(405, "Method not allowed"), headers: { Allow: route.allow } };
      case "found": {
        const { scope, handle } = route.endpoint;
        if (scope !== undefined && !hasScope(claims, scope)) {
          return qmaticError(403, `The token lacks the scope ${scope}`);
        }
        return handle(call, { book: bookOf(account, tenantId), emulator }, route.parameters);
      }
    }
  }

  return async (call, caller) => {
    const given = await answer(call, caller);
    return { ...given, headers: { ...ASSUMPTION, ...given.headers } };
  };
}

/** So many requests per key in each minute that starts with a key's first request. */
function createMinuteLimit(requestsPerMinute: number | undefined, now: () => number) {
  const windows = new Map<string, { startMs: number; requests: number }>();
  return (key: string): boolean => {
    if (requestsPerMinute === undefined) return true;
    const nowMs = now();
    let window = windows.get(key);
    if (window === undefined || nowMs - window.startMs >= MINUTE_MS) {
      window = { startMs: nowMs, requests: 0 };
      windows.set(key, window);
    }
    window.requests += 1;
    return window.requests <= requestsPerMinute;
  };
}
