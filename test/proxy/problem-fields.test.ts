import { describe, expect, it } from "vitest";
import { ERROR_TABLE, type ErrorCode, ProxyError } from "../../src/core/errors.ts";
import { createProblem } from "../../src/proxy/respond.ts";
import { readProjectFile } from "../support/project.ts";

/** Codes, their status, and the fields that the contract promises with them. */
const CONTRACT: Readonly<Record<ErrorCode, readonly [status: number, field?: "allow" | "retry-after"]>> = {
  ROUTE_NOT_FOUND: [404],
  METHOD_NOT_ALLOWED: [405, "allow"],
  OPERATION_DENIED: [403],
  TENANT_REQUIRED: [400],
  TENANT_UNKNOWN: [404],
  TARGET_INVALID: [400],
  REQUEST_INVALID: [400],
  HEADERS_TOO_LARGE: [431],
  HOST_NOT_ALLOWED: [403],
  ORIGIN_NOT_ALLOWED: [403],
  ACCESS_TOKEN_REQUIRED: [403],
  EXPECTATION_FAILED: [417],
  LOGIN_FAILED: [400],
  TOKEN_UNAVAILABLE: [503, "retry-after"],
  TOKEN_REJECTED: [502],
  UPSTREAM_UNREACHABLE: [502],
  UPSTREAM_PROTOCOL_ERROR: [502],
  UPSTREAM_TIMEOUT: [504],
  OVERLOADED: [503, "retry-after"],
  SHUTTING_DOWN: [503],
  LOGIN_REQUIRED: [401],
  STORE_UNAVAILABLE: [503, "retry-after"],
  INTERNAL: [500],
};
const cases = Object.entries(CONTRACT) as [ErrorCode, (typeof CONTRACT)[ErrorCode]][];

/** RFC 9209 §2.3: the registered error types; which status an intermediary should send with them is a recommendation. */
const ERROR_TYPES = new Set(
  `dns_timeout dns_error destination_not_found destination_unavailable destination_ip_prohibited destination_ip_unroutable
  connection_refused connection_terminated connection_timeout connection_read_timeout connection_write_timeout
  connection_limit_reached tls_protocol_error tls_certificate_error tls_alert_received http_request_error
  http_request_denied http_response_incomplete http_response_header_section_size http_response_header_size
  http_response_body_size http_response_trailer_section_size http_response_trailer_size http_response_transfer_coding
  http_response_content_coding http_response_timeout http_upgrade_failed http_protocol_error proxy_internal_response
  proxy_internal_error proxy_configuration_error proxy_loop_detected`.split(/\s+/),
);

/** One item of a list with its parameters, of tokens and strings only (RFC 8941 §4.2); undefined: it is not one. */
function parseItem(
  text: string,
): { readonly item: string; readonly parameters: Map<string, string> } | undefined {
  const token = "[A-Za-z*][!#$%&'*+\\-.^_`|~\\w:/]*";
  const parameter = `; *([a-z*][a-z0-9_\\-.*]*)=(${token}|"(?:[ !#-\\[\\]-~]|\\\\["\\\\])*")`;
  const match = new RegExp(`^(${token})((?:${parameter})*)$`).exec(text);
  if (match?.[1] === undefined) return undefined;
  const parameters = new Map<string, string>();
  for (const [, name = "", value = ""] of (match[2] ?? "").matchAll(new RegExp(parameter, "g")))
    parameters.set(name, value);
  return { item: match[1], parameters };
}

function fieldsOf(error: ProxyError): ReadonlyMap<string, string> {
  const { headers } = createProblem(error, "the-id");
  const fields = new Map<string, string>();
  for (let index = 0; index < headers.length; index += 2) {
    expect(fields.has(headers[index] ?? "")).toBe(false);
    fields.set(headers[index] ?? "", headers[index + 1] ?? "");
  }
  return fields;
}

describe("a problem", () => {
  it("has a code for each of the contract, and no other", () => {
    expect(Object.keys(ERROR_TABLE).sort()).toEqual(Object.keys(CONTRACT).sort());
  });

  it.each(cases)("%s has the contract's status and fields", (code, [status, field]) => {
    const allow = field === "allow" ? { allow: "GET" } : {};
    const error = new ProxyError(code, "x", allow);
    expect(createProblem(error, "the-id").status).toBe(status);
    if (field !== undefined) expect(fieldsOf(error).get(field)).toMatch(/\S/);
  });

  it.each(cases)("%s has a Proxy-Status that parses, with a registered error type", (code) => {
    const parsed = parseItem(fieldsOf(new ProxyError(code, "x")).get("proxy-status") ?? "");
    expect(parsed?.item).toBe("pillion");
    expect([...(parsed?.parameters.keys() ?? [])]).toEqual(["error", "details"]);
    expect(ERROR_TYPES).toContain(parsed?.parameters.get("error"));
    expect(parsed?.parameters.get("details")).toBe(`"${code}"`);
  });

  it.each([
    [undefined, "1"],
    [0, "1"],
    [0.2, "1"],
    [1.2, "2"],
    [300, "300"],
  ])("is repeated after whole seconds, one at least: %s → %s", (retryAfterSeconds, expected) => {
    const options = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
    expect(fieldsOf(new ProxyError("TOKEN_UNAVAILABLE", "x", options)).get("retry-after")).toBe(expected);
  });

  it("has in the reference the same status and error type", () => {
    const reference = readProjectFile("docs/reference/errors.md");
    for (const [code, [status]] of cases) {
      const anchor = code.toLowerCase().replaceAll("_", "-");
      const { proxyStatus } = ERROR_TABLE[code];
      expect(reference).toContain(`| [${code}](#${anchor}) | ${status} | \`${proxyStatus}\` |`);
    }
  });

  it("names no error type that is not registered where more is known", () => {
    for (const file of ["src/proxy/upstream-error.ts", "src/proxy/exchange.ts", "src/proxy/destination.ts"]) {
      const named = [
        ...readProjectFile(file).matchAll(/\b((?:dns|tls|connection|destination|http|proxy)_[a-z_]+)"/g),
      ];
      for (const [, type] of named) expect(ERROR_TYPES, file).toContain(type);
    }
  });
});
