import type { ErrorCode } from "../../src/core/errors.ts";

/** What `docs/reference/errors.md` says of one code, by hand. Markdown. */
export interface ErrorText {
  /** What happened, in one or two sentences. */
  readonly happened: string;
  /** What it can come from, the most frequent first. */
  readonly causes: readonly string[];
  /** What to do. */
  readonly remedy: string;
  /** What the log has of it. */
  readonly log: string;
}

const REFUSED = "`request_refused` at level debug, with `code` and `detail`.";
const ACCESS_LINE =
  "`request` with `route`, `status`, `duration_ms` and `request_id`, when `log: { access: true }` is set.";
const CLOSED = `${REFUSED} The connection is closed.`;

/** One for each code: the compiler misses none, and the page keeps this order. */
export const ERROR_TEXTS: Readonly<Record<ErrorCode, ErrorText>> = {
  ROUTE_NOT_FOUND: {
    happened:
      "No route's `path` is a prefix of the request's path. Nothing is forwarded that no route names.",
    causes: [
      "a typing error in the path, or a missing prefix: `/v1/…` instead of `/zocdoc/v1/…`",
      "a route's `path` with a slash at its end matches only what is below it",
      "an endpoint below `/.pillion/` that does not exist, or a login for a credential that is not of grant `user`",
      "on the admin listener: anything but the addresses that `detail` lists",
    ],
    remedy: "`pillion explain GET /the/path` shows which route it would be. Add a route, or mend the path.",
    log: REFUSED,
  },
  METHOD_NOT_ALLOWED: {
    happened: "The route's `methods` does not list the request's method. `Allow` names those that it takes.",
    causes: [
      "the route is meant for reading only",
      "`CONNECT`: Pillion is no forward proxy; call it as if it were the API, not as an `http_proxy`",
    ],
    remedy: "Add the method to the route's `methods`, or leave `methods` out for all.",
    log: REFUSED,
  },
  OPERATION_DENIED: {
    happened: "The route's `allow` does not name this operation, or its `deny` does; a denial wins.",
    causes: [
      "`POST /v1/credentials/rotate` at Zocdoc: it answers with a new secret, so it is denied unless `allow` names it to the letter",
      "a pattern that is judged on the decoded path below the upstream's own: an encoding changes nothing",
      "on the admin listener: `/-/reload` and `/-/quit` need `admin_lifecycle: true`",
    ],
    remedy:
      "`pillion explain` names the pattern. Change `allow` or `deny` if the application should be able to do this.",
    log: REFUSED,
  },
  TENANT_REQUIRED: {
    happened:
      "The route chooses the tenant by a header field or by the host, and the request names none, or more than one. There is never a default tenant.",
    causes: [
      "the header field that `tenant: { header: … }` names is missing, empty or repeated",
      "the `Host` does not fit `tenant: { host: … }`",
    ],
    remedy: "Send the tenant as `detail` says, once.",
    log: REFUSED,
  },
  TENANT_UNKNOWN: {
    happened:
      "The request names a tenant that the credential does not have. Names are compared exactly, case kept; by host without regard to case.",
    causes: [
      "a typing error, or a tenant that is not configured yet",
      "with `tenants_directory`, its folder is missing or lacks a file",
    ],
    remedy:
      "Add the tenant below `tenants`, or as a folder; it is taken up without a restart. The answer does not repeat the name, which came from the caller.",
    log: REFUSED,
  },
  TARGET_INVALID: {
    happened:
      "The request's target could be read in two ways, and what is judged here must be what the upstream sees.",
    causes: [
      "`.` or `..` segments, plain or encoded; `%2f`, `%5c`, a backslash, `//` at the start, `#`, `%00`, control bytes",
      "an absolute URL in the request line, as clients send it to a forward proxy",
      "a client that puts what a person typed into a path without encoding it",
    ],
    remedy: "Resolve and encode the path in the client. What remains is forwarded byte for byte.",
    log: CLOSED,
  },
  REQUEST_INVALID: {
    happened:
      "The request is not HTTP/1.1 as RFC 9112 has it, or the body of one of Pillion's own endpoints cannot be used; `detail` says what is wrong.",
    causes: [
      "both `Content-Length` and `Transfer-Encoding`, a repeated `Host` or `Content-Length`, an unknown transfer coding",
      "the head did not arrive within `limits.header_timeout`, or the body stood still for `limits.body_idle`",
      "TLS spoken to a listener of plain HTTP: use `http://`",
      "`POST /.pillion/sessions`: no JSON object, or a `redirect_uri` that is no absolute URL",
    ],
    remedy: "Mend the client. Nothing is forwarded of a request whose framing is in doubt.",
    log: `${REFUSED} The connection is closed where its framing cannot be relied on.`,
  },
  HEADERS_TOO_LARGE: {
    happened:
      "The request's head is larger than `limits.header_bytes` (16 KiB), or has more fields than `limits.headers` (100).",
    causes: [
      "cookies that gather on `localhost`, where browsers send every application's cookies to every port",
      "a large token of the application's own in a header field",
    ],
    remedy: "Clear the cookies, or raise the limit that `detail` names.",
    log: CLOSED,
  },
  HOST_NOT_ALLOWED: {
    happened:
      "The `Host` field is neither a loopback name, nor the listener's own address, nor an entry of `access.hosts`. It keeps web pages from reaching Pillion by a name that they control (DNS rebinding).",
    causes: [
      "Pillion is called by a name of its own (`http://pillion:8080` in Compose or Kubernetes)",
      "a load balancer or an ingress passes the outer host's name on",
      "the port is another one than the listener's",
    ],
    remedy:
      "List the name under `access.hosts`, as `NAME` or `NAME:PORT`. The host of `session.public_url` is accepted without being listed.",
    log: REFUSED,
  },
  ORIGIN_NOT_ALLOWED: {
    happened:
      "A browser sent this for a web page of another origin, or a session's cookie came with a change and nothing shows that its own page asked for it.",
    causes: [
      "a page of another origin (another port is one, too) calls Pillion by script",
      "`Origin: null`: a sandboxed frame, or a page from a file",
      "a client that is no browser sends the session's cookie with an unsafe method and neither `Sec-Fetch-Site` nor `Origin`",
    ],
    remedy:
      "List an origin that you trust under `access.origins`; it then gets CORS answers. Outside of a browser send the session as `Pillion-Session`.",
    log: REFUSED,
  },
  ACCESS_TOKEN_REQUIRED: {
    happened: "`access.token` is set, and the request carries none, or another one.",
    causes: ["the application was not given the token", "the token was rotated in one place only"],
    remedy:
      "Send it as `Pillion-Access: …` or `Authorization: Bearer …`; an application with a setting for an API key can send it as that. It never reaches an upstream.",
    log: REFUSED,
  },
  EXPECTATION_FAILED: {
    happened: "`Expect` holds something else than `100-continue`.",
    causes: ["a client with an expectation of its own; no other is in use"],
    remedy: "Leave the field out.",
    log: CLOSED,
  },
  LOGIN_REQUIRED: {
    happened:
      "The route's credential is of grant `user`, and nobody is signed in to it in this session. `login_url` says where to sign in.",
    causes: [
      "the browser has no session yet, or it ended: unused for `session.idle`, older than `session.absolute`, signed out",
      "the provider ended the grant (`invalid_grant`): a password was changed, consent was withdrawn",
      "Pillion was restarted without a `store`: sessions in memory end with it",
      "the cookie did not come along: another host's name, or plain HTTP where `session.public_url` is https",
    ],
    remedy:
      "Send the person to `login_url`, or write `login: redirect` on the route. Its `WWW-Authenticate` makes no browser ask for a password.",
    log: "`session_ended` with its `reason`, when the provider or the person ended it.",
  },
  LOGIN_FAILED: {
    happened: "A login did not come to its end. A browser gets a page that says what to do next.",
    causes: [
      "the person declined, or took longer than ten minutes",
      "the login was begun in another browser, or its answer was used before: the state is for one browser, once",
      "`iss` is not the credential's issuer, or the provider refuses the code: a wrong redirect URI or client",
    ],
    remedy:
      "Begin again at the application. Where it always fails, the redirect URI that is registered at the provider must be `session.public_url` with `/.pillion/callback`, to the letter.",
    log: "`session_login_failed` with `credential` and `reason`.",
  },
  STORE_UNAVAILABLE: {
    happened:
      "The session is not in memory, and the store that has it cannot be reached. Nobody is signed out, and machine tokens go on.",
    causes: ["Redis is down or not reachable", "the disk of the SQLite file is full or read-only"],
    remedy: "Mend the store. The request can be repeated after `Retry-After`.",
    log: "`store_unavailable` and `store_disconnected` with their `reason`, once an outage.",
  },
  TOKEN_UNAVAILABLE: {
    happened:
      "There is no valid token, and the last attempt to get one failed for a reason that may pass. Pillion goes on trying; nothing is ever forwarded without a token.",
    causes: [
      "the token endpoint is down, slow, or answers with something that is no token: `detail` says which, with a hint",
      "DNS, a firewall, `http_proxy`, or a certificate that is not trusted (`tls.ca`)",
      "the token endpoint's rate limit, or more than 10 s of waiting for a turn (`token_requests_per_second`)",
      "the file or the variable of the secret is gone or empty",
    ],
    remedy:
      "`pillion doctor` tries it step by step. Repeat the request after `Retry-After`; a changed secret or configuration is tried at once.",
    log: "`token_request_failed` with `credential`, `tenant`, `reason`, `detail` and `retry_in_ms`, once an attempt.",
  },
  TOKEN_REJECTED: {
    happened:
      "The authorization server refuses the client with an OAuth error (RFC 6749 §5.2), which `detail` names. Repeating the request does not help.",
    causes: [
      "`invalid_client`: the id or the secret is wrong, was rotated, or belongs to the other environment; or `client_auth` is not what the server wants",
      "`invalid_scope`: the client was not given one of the `scopes`",
      "`unauthorized_client`: the client may not use this grant",
      "`access_denied`: the audience, the account or the environment is another one",
    ],
    remedy:
      "`pillion token CREDENTIAL` shows the same answer. Put the right secret in place: it is read again, and tried at once.",
    log: "`token_rejected` at level error, with `credential`, `tenant` and `detail`, once an attempt.",
  },
  UPSTREAM_UNREACHABLE: {
    happened:
      "No connection to the upstream could be made, or it was lost before an answer began; `detail` says how.",
    causes: [
      "its name does not resolve, it refuses connections, or there is no route to it",
      "its certificate is not trusted, has expired, or is for another name: `tls.ca`, `tls.server_name`",
      "`http_proxy` is wrong, or refuses the tunnel",
    ],
    remedy:
      "`pillion doctor` goes through DNS, TCP and TLS. The upstream's certificate is always verified: name its authority in `tls.ca`.",
    log: ACCESS_LINE,
  },
  UPSTREAM_PROTOCOL_ERROR: {
    happened: "What the upstream answered is not valid HTTP.",
    causes: [
      "the upstream's port speaks something else",
      "its header section is larger than Pillion reads",
      "a fault of the upstream",
    ],
    remedy: "Check the port of `upstream`.",
    log: ACCESS_LINE,
  },
  UPSTREAM_TIMEOUT: {
    happened:
      "The upstream did not connect, answer or go on within the route's `timeouts`; `detail` names which.",
    causes: [
      "a slow operation: its answer begins after `timeouts.headers` (30 s)",
      "an event stream that is silent for longer than `timeouts.idle` (60 s)",
      "a firewall that drops packets: `timeouts.connect` (5 s)",
    ],
    remedy:
      "Raise the timeout on that route. A request that is not safe to repeat may have been carried out.",
    log: ACCESS_LINE,
  },
  OVERLOADED: {
    happened: "A bound was reached, and the request was not begun.",
    causes: [
      "the route's `connections` are all in use, and as many requests wait as may: the upstream is slow, or there are too many callers",
      "`limits.connections` callers are connected",
      "on the admin listener: too many status pages are open",
    ],
    remedy: "Repeat after `Retry-After`. Raise the bound that `detail` names, where there is memory for it.",
    log: ACCESS_LINE,
  },
  SHUTTING_DOWN: {
    happened: "Pillion is ending, and takes nothing new on this connection.",
    causes: ["a rollout or a restart: SIGTERM"],
    remedy:
      "Repeat the request; another instance takes it. Where this is seen often, raise `drain.delay`, so that load balancers learn of it first.",
    log: "`shutting_down` with its `reason`.",
  },
  INTERNAL: {
    happened: "A fault of Pillion itself.",
    causes: ["a bug"],
    remedy: "Report it, with the log line of this `request_id`.",
    log: "`request_failed` at level error, with `request_id` and `error`.",
  },
};
