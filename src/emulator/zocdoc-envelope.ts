import type { Caller, EmulatorContext } from "./context.ts";
import { type Answer, type Call, parseJsonObject, readBody } from "./exchange.ts";
import type { Endpoint } from "./route-table.ts";
import type { AppointmentBook } from "./zocdoc-appointment-book.ts";

/** What Zocdoc's endpoints are handed for one request. */
export interface ZocdocContext {
  readonly caller: Caller;
  readonly requestId: string;
  readonly book: AppointmentBook;
  readonly emulator: EmulatorContext;
}

export interface ZocdocEndpoint extends Endpoint<ZocdocContext> {
  /** The scope that the token must hold; undefined: any valid token. */
  readonly scope?: string;
}

export interface FieldError {
  readonly field?: string;
  readonly message: string;
}

/** `{request_id, data}` (Zocdoc API, BaseResult). */
export function result({ requestId }: Pick<ZocdocContext, "requestId">, data: unknown): Answer {
  return { status: 200, json: { request_id: requestId, data } };
}

/** `{request_id, error_type, errors}` (Zocdoc API, ErrorResult). */
export function failure(
  { requestId }: Pick<ZocdocContext, "requestId">,
  status: number,
  ...errors: readonly FieldError[]
): Answer {
  const errorType = status >= 500 ? "api_error" : "invalid_request";
  return { status, json: { request_id: requestId, error_type: errorType, errors } };
}

/** 404 for an appointment that the caller does not have. */
export function appointmentNotFound(context: ZocdocContext): Answer {
  return failure(context, 404, { field: "appointment_id", message: "appointment not found" });
}

const MAX_JSON_BYTES = 1_024 * 1_024;

export type Fields = Readonly<Record<string, unknown>>;

/** Reads a JSON body and hands it on, or answers what is wrong with it. */
export function withJson(
  handle: (body: Fields, context: ZocdocContext) => Answer,
): (call: Call, context: ZocdocContext) => Promise<Answer> {
  return async (call, context) => {
    const body = await readBody(call.request, MAX_JSON_BYTES);
    if (body === undefined) return failure(context, 413, { message: "the body is too large" });
    const fields = parseJsonObject(body);
    if (fields === undefined) return failure(context, 400, { message: "the body must be a JSON object" });
    return handle(fields, context);
  };
}

export interface PagingLimits {
  readonly defaultSize: number;
  readonly maxSize: number;
  readonly maxPage: number;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** `page`, `page_size`, `total_count` and `next_url`, which is absolute, and "" on the last page. */
  readonly fields: {
    readonly page: number;
    readonly page_size: number;
    readonly total_count: number;
    readonly next_url: string;
  };
}

/** The page that the query asks for, or what is wrong with the query. Pages count from 0. */
export function paginate<Item>(
  call: Call,
  items: readonly Item[],
  limits: PagingLimits,
): Page<Item> | FieldError {
  const page = integer(call.query.get("page"), 0, 0, limits.maxPage);
  if (page === undefined) return { field: "page", message: `must be an integer from 0 to ${limits.maxPage}` };
  const pageSize = integer(call.query.get("page_size"), limits.defaultSize, 1, limits.maxSize);
  if (pageSize === undefined) {
    return { field: "page_size", message: `must be an integer from 1 to ${limits.maxSize}` };
  }
  const end = (page + 1) * pageSize;
  let nextUrl = "";
  if (end < items.length) {
    const query = new URLSearchParams(call.query);
    query.set("page", String(page + 1));
    query.set("page_size", String(pageSize));
    nextUrl = `${call.baseUrl}${call.path}?${query}`;
  }
  const fields = { page, page_size: pageSize, total_count: items.length, next_url: nextUrl };
  return { items: items.slice(page * pageSize, end), fields };
}

/** The paged envelope; `data` makes the `data` field of the page's items, which are a plain list by default. */
export function paged<Item>(
  context: ZocdocContext,
  call: Call,
  items: readonly Item[],
  limits: PagingLimits,
  data: (items: readonly Item[]) => unknown = (list) => list,
): Answer {
  const page = paginate(call, items, limits);
  if ("message" in page) return failure(context, 400, page);
  return { status: 200, json: { request_id: context.requestId, ...page.fields, data: data(page.items) } };
}

function integer(text: string | null, fallback: number, min: number, max: number): number | undefined {
  if (text === null) return fallback;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}
