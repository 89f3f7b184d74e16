import type { Config, SecretReference } from "../config/config.ts";
import { printable } from "../config/printable.ts";
import { closestOf } from "../config/suggestion.ts";
import type { ProxyError } from "../core/errors.ts";
import type { Refused, Remedy, StepName } from "./explanation.ts";
import {
  methodRemedy,
  operationRemedy,
  routeRemedy,
  tenantRequiredRemedy,
  tenantUnknownRemedy,
} from "./route-remedy.ts";

/** What would let a refused request in: the key of the configuration, or, where none would help, what the caller can do. */
export function findRemedy(error: ProxyError, step: StepName, refused: Refused): Remedy {
  switch (error.code) {
    case "HOST_NOT_ALLOWED":
      return hostRemedy(refused);
    case "ORIGIN_NOT_ALLOWED":
      return originRemedy(step, refused);
    case "ACCESS_TOKEN_REQUIRED":
      return accessRemedy(refused.config);
    case "ROUTE_NOT_FOUND":
      return step === "endpoint" ? endpointRemedy(refused) : routeRemedy(refused);
    case "METHOD_NOT_ALLOWED":
      return methodRemedy(error, refused);
    case "OPERATION_DENIED":
      return operationRemedy(refused);
    case "TENANT_REQUIRED":
      return tenantRequiredRemedy(refused);
    case "TENANT_UNKNOWN":
      return tenantUnknownRemedy(refused);
    case "HEADERS_TOO_LARGE":
      return {
        // Bytes are counted by the parser, before there is a request.
        at: ["limits", refused.arrived === undefined ? "header_bytes" : "headers"],
        hint: "raise the limit, or send less",
      };
    case "LOGIN_REQUIRED":
      return {
        hint: `sign in first, at ${error.loginUrl ?? "/.pillion/login/"}; then send the session's cookie, or Pillion-Session`,
      };
    case "TARGET_INVALID":
      return { hint: `send the path that is meant${targetAdvice(refused.asked.target)}` };
    case "REQUEST_INVALID":
      return { hint: `send what HTTP/1.1 allows${requestAdvice(refused)}` };
    default:
      return { hint: "send another request" };
  }
}

function hostRemedy({ head, config, state, asked }: Refused): Remedy {
  const host = head?.host ?? "";
  const name = host.replace(/:\d*$/, "");
  const { port } = asked.locality;
  if (port !== undefined && state.isServedHost(name, asked.locality)) {
    return {
      at: ["listen"],
      hint: `this listener has port ${port}: send the request to ${name}:${port}, or change listen (or PILLION_LISTEN)`,
    };
  }
  const { hosts } = config.access;
  const close = closestOf(host.toLowerCase(), hosts);
  const suggestion = close === undefined ? "" : ` (did you mean ${close}?)`;
  return {
    at: ["access", "hosts"],
    hint: `add ${printable(host)} to access.hosts${suggestion}, or send a loopback name`,
  };
}

function originRemedy(step: StepName, { head }: Refused): Remedy {
  const origin = head?.origin;
  if (step === "origin" && origin !== undefined && origin !== "null")
    return {
      at: ["access", "origins"],
      hint: `add ${printable(origin)} to access.origins if its pages may call this proxy`,
    };
  if (step === "origin" && head?.secFetchSite !== undefined && origin === undefined) {
    return {
      at: ["access", "origins"],
      hint: "a page of another site asks: let it send its Origin, and list that; a link may open only routes of credential none, grant user or anonymous",
    };
  }
  return {
    hint: `ask from a page of the proxy's own origin, or send the session as Pillion-Session`,
  };
}

function accessRemedy({ access }: Config): Remedy {
  const { token } = access;
  const source = token === undefined ? "the token" : nameOf(token);
  return { at: ["access", "token"], hint: `send Pillion-Access with the value of ${source}` };
}

function nameOf(reference: SecretReference): string {
  return reference.kind === "env" ? `environment variable ${reference.name}` : `file ${reference.path}`;
}

function endpointRemedy({ state }: Refused): Remedy {
  const users = [...state.visitors.credentials.values()].filter(({ spec }) => spec?.kind === "user");
  return users.length === 0
    ? {
        at: ["credentials"],
        hint: "paths below /.pillion/ are for logins: they need a credential of grant user",
      }
    : {
        at: ["credentials"],
        hint: `users sign in at ${users.map(({ name }) => `/.pillion/login/${name}`).join(", ")}`,
      };
}

const UNPRINTABLE = /[^\x21-\x7e]/;

function targetAdvice(target: string): string {
  if (target.includes("#")) return "; what stands behind a # is for browsers alone";
  if (target.startsWith("/"))
    return UNPRINTABLE.test(target)
      ? "; blanks, control characters and letters outside ASCII are percent-encoded"
      : "";
  return `, such as http://${printable(target)} or /${printable(target)}`;
}

function requestAdvice({ asked, arrived }: Refused): string {
  const { method, target, fields } = asked;
  if (fields.some(([name, value]) => name.toLowerCase() === "host" && value.includes("@")))
    return "; a Host holds no user and no password";
  if (arrived !== undefined) return "";
  if (method !== method.toUpperCase()) return `; methods are upper-case: ${method.toUpperCase()}`;
  if (UNPRINTABLE.test(target))
    return "; in a target, blanks, control characters and letters outside ASCII are percent-encoded";
  return target.startsWith("/") ? "" : `; a target begins with /: did you mean http://${printable(target)}?`;
}
