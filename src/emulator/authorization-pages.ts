import type { AuthorizationRequest } from "./authorization-request.ts";
import type { Answer } from "./exchange.ts";
import { html, nothing, pageAnswer } from "./html.ts";
import type { Service } from "./services.ts";
import { PASSWORD, USERS, type User } from "./users.ts";

/** What every page of one authorization request has. */
export interface PageFrame {
  readonly service: Service;
  readonly nonce: string;
}

/** What a page with a form has. */
export interface FormFrame extends PageFrame {
  readonly request: AuthorizationRequest;
  readonly csrfToken: string;
}

/** Zocdoc, Authentication: what the authorization page says; the words but the last are the emulator's. */
const SCOPE_WORDS: Readonly<Record<string, string>> = {
  "external.appointment.read": "See your appointments",
  "external.appointment.write": "Book, change and cancel appointments for you",
  "external.schedulable_entity.read": "See who can be booked, and when",
  offline_access: "Allow offline access",
};

export interface LoginAttempt {
  readonly email: string;
  readonly failed: boolean;
}

/** The form has no `action`: it posts to the address that it was got from, with the request in its query. */
export function loginPage({ request, csrfToken, ...frame }: FormFrame, attempt: LoginAttempt): Answer {
  const { email, failed } = attempt;
  const invalid = failed ? html` aria-invalid="true" aria-describedby="error users"` : USERS_HINT;
  const focus = html` autofocus`;
  const main = html`<h1>Sign in</h1>
<p>to continue to <strong>${request.client.name}</strong></p>
${failed ? html`<p id="error" class="error" role="alert">Wrong email address or password. Nobody was signed in.</p>` : nothing}
<form method="post">
<input type="hidden" name="csrf_token" value="${csrfToken}">
<input type="hidden" name="step" value="login">
<label for="email">Email address</label>
<input id="email" name="email" type="email" autocomplete="username" required value="${email}"${invalid}${email === "" ? focus : nothing}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required${invalid}${email === "" ? nothing : focus}>
<p id="users">Fake users: ${USERS.map(({ email: address }) => address).join(", ")}. Everybody&rsquo;s fake password: <code>${PASSWORD}</code></p>
<button class="main">Sign in</button>
</form>`;
  return form(failed ? "Error: sign in" : "Sign in", failed ? 400 : 200, main, request, frame);
}

const USERS_HINT = html` aria-describedby="users"`;

export function consentPage(
  { request, csrfToken, ...frame }: FormFrame,
  user: User,
  linked: boolean,
): Answer {
  const words = request.scopes.map((scope) => html`<li>${SCOPE_WORDS[scope] ?? scope}</li>\n`);
  const main = html`<h1>Allow ${request.client.name} to act for you?</h1>
<p>You are signed in as <strong>${user.email}</strong>. The application wants to:</p>
<ul>
${words}</ul>
${linked ? html`<p>What you did before signing in will be linked to your account.</p>` : nothing}
<form method="post">
<input type="hidden" name="csrf_token" value="${csrfToken}">
<button class="main" name="step" value="allow">Allow</button>
<button name="step" value="deny">Deny</button>
<button name="step" value="switch">Use another account</button>
</form>`;
  return form("Allow access", 200, main, request, frame);
}

/** Where nobody can be sent back to, or the form is not one that this browser was given. */
export function problemPage(frame: PageFrame, status: number, message: string): Answer {
  const main = html`<h1>This sign-in cannot go on</h1>
<p class="error">${message}</p>
<p>Go back to the application that sent you here and start again. If that does not help, its developers have to look at the request that it makes.</p>`;
  return pageAnswer({ ...frame, status, title: "Error", place: placeOf(frame.service), main });
}

function form(
  title: string,
  status: number,
  main: ReturnType<typeof html>,
  { redirectUri }: AuthorizationRequest,
  { service, nonce }: PageFrame,
): Answer {
  return pageAnswer({
    status,
    title,
    place: placeOf(service),
    main,
    nonce,
    formAction: sourceOf(redirectUri),
  });
}

function placeOf({ environment }: Service): string {
  return `Emulator of Zocdoc, ${environment}`;
}

/** A source expression of Content Security Policy, whose grammar has no IPv6 addresses. */
function sourceOf(redirectUri: string): string {
  const { protocol, hostname, origin } = new URL(redirectUri);
  return hostname.startsWith("[") || origin === "null" ? protocol : origin;
}
