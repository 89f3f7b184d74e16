import { consentPage, loginPage, type PageFrame, problemPage } from "./authorization-pages.ts";
import {
  type AuthorizationRequest,
  type AuthorizationVerdict,
  judgeAuthorizationRequest,
  visitorOf,
} from "./authorization-request.ts";
import type { EmulatorContext } from "./context.ts";
import { type Answer, type Call, mediaType, readBody } from "./exchange.ts";
import type { Service } from "./services.ts";
import { parseForm } from "./token-request.ts";
import { authenticateUser } from "./users.ts";

const MAX_FORM_BYTES = 16 * 1_024;

/**
 * `/authorize`: sign in, agree, go back with a code (RFC 6749 §4.1). Nothing of a request is kept meanwhile: the forms
 * post to the very address that the request came with, and it is judged anew.
 */
export async function authorize(call: Call, service: Service, context: EmulatorContext): Promise<Answer> {
  const frame: PageFrame = { service, nonce: context.randomBytes(16).toString("base64url") };
  if (!["GET", "HEAD", "POST"].includes(call.method)) {
    const page = problemPage(frame, 405, "Only GET and POST are answered here.");
    return { ...page, headers: { ...page.headers, Allow: "GET, HEAD, POST" } };
  }
  const verdict = judgeAuthorizationRequest(call.query, service, context.redirectUris);
  if (verdict.kind === "page") return problemPage(frame, verdict.status, verdict.message);
  if (verdict.kind === "redirect") {
    context.stats.user(service.name, "authorization_errors");
    return redirectError(call, verdict);
  }
  const { request } = verdict;
  const visit: Visit = {
    call,
    service,
    context,
    frame,
    request,
    browser: context.logins.browserOf(call.request),
  };
  return call.method === "POST" ? submit(visit) : show(visit);
}

interface Visit {
  readonly call: Call;
  readonly service: Service;
  readonly context: EmulatorContext;
  readonly frame: PageFrame;
  readonly request: AuthorizationRequest;
  /** The id in the browser's cookie. */
  readonly browser: string;
}

function formOf({ call, context, frame, request, browser }: Visit) {
  return { ...frame, request, csrfToken: context.logins.csrfToken(browser, call.target) };
}

/** The consent page to whoever is signed in, the login page to everybody else. */
function show(visit: Visit): Answer {
  const { service, context, request, browser } = visit;
  const user = context.logins.userOf(browser);
  if (user === undefined) {
    return withCookie(visit, loginPage(formOf(visit), { email: request.loginHint ?? "", failed: false }));
  }
  const { anonymousToken } = request;
  const linked = anonymousToken !== undefined && visitorOf(anonymousToken, service, context) !== undefined;
  return consentPage(formOf(visit), user, linked);
}

async function submit(visit: Visit): Promise<Answer> {
  const { call, service, context, frame, request, browser } = visit;
  const body = await readBody(call.request, MAX_FORM_BYTES);
  const isForm = mediaType(call.request) === "application/x-www-form-urlencoded";
  const fields = isForm && body !== undefined ? parseForm(body.toString()) : undefined;
  if (fields === undefined) return problemPage(frame, 400, "This is not the form of this page.");
  if (!context.logins.isCsrfToken(fields.get("csrf_token") ?? null, browser, call.target)) {
    const message = "The form is not one that this browser was given, or cookies are switched off.";
    return problemPage(frame, 403, message);
  }
  const step = fields.get("step");
  if (step === "login") {
    const email = fields.get("email") ?? "";
    const user = authenticateUser(email, fields.get("password") ?? "");
    context.stats.user(service.name, user === undefined ? "login_failures" : "logins");
    if (user === undefined) return loginPage(formOf(visit), { email, failed: true });
    return withCookie({ ...visit, browser: context.logins.signIn(user) }, seeOther(call.target));
  }
  const user = context.logins.userOf(browser);
  if (user === undefined) return seeOther(call.target);
  if (step === "switch") {
    context.logins.signOut(browser);
    return seeOther(call.target);
  }
  const { redirectUri, state } = request;
  if (step !== "allow") {
    context.stats.user(service.name, "consents_denied");
    const description = "User did not authorize the request";
    return redirectError(call, { kind: "redirect", redirectUri, state, error: "access_denied", description });
  }
  const code = context.grants.issueCode({
    service: service.name,
    clientId: request.client.clientId,
    user: user.id,
    scopes: request.scopes,
    redirectUri,
    codeChallenge: request.codeChallenge,
    visitor: link(visit),
  });
  context.stats.user(service.name, "codes_issued");
  return redirectBack(call, redirectUri, { code, state });
}

/** Zocdoc, Anonymous User Flow: an invalid token is no reason to refuse the login. */
function link({ service, context, request: { anonymousToken } }: Visit): string | undefined {
  if (anonymousToken === undefined) return undefined;
  const visitor = visitorOf(anonymousToken, service, context);
  context.stats.user(service.name, visitor === undefined ? "anonymous_tokens_ignored" : "visitors_linked");
  return visitor;
}

function redirectError(call: Call, verdict: Extract<AuthorizationVerdict, { kind: "redirect" }>): Answer {
  const { redirectUri, state, error, description } = verdict;
  return redirectBack(call, redirectUri, { error, error_description: description, state });
}

/**
 * RFC 6749 §4.1.2, with `iss` (RFC 9207). Auth0 sends its issuer there; the emulator sends its own origin, since a client
 * compares it with the address that it sent the browser to.
 */
function redirectBack(
  { baseUrl }: Call,
  redirectUri: string,
  parameters: Readonly<Record<string, string | undefined>>,
): Answer {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.set(name, value);
  query.set("iss", `${new URL(baseUrl).origin}/`);
  return seeOther(`${redirectUri}${redirectUri.includes("?") ? "&" : "?"}${query}`);
}

function seeOther(location: string): Answer {
  return {
    status: 303,
    headers: { Location: location, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer" },
  };
}

function withCookie({ service, context, browser }: Visit, answer: Answer): Answer {
  const cookie = context.logins.cookie(browser, `/${service.name}/`);
  return { ...answer, headers: { ...answer.headers, "Set-Cookie": cookie } };
}
