/**
 * The real process with a route for every kind of visitor, each with a recorder for an upstream. The provider is a
 * scripted token endpoint; what its login page would do, the tests do.
 */
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { type Serving, serve } from "../e2e/support/serve.ts";
import { createWorkspace } from "../e2e/support/workspace.ts";
import { createCertificates } from "../support/certificates.ts";
import { startHttp2Recorder } from "../support/http2-recorder.ts";
import { type Answer, connectRaw, fieldValues, head } from "../support/raw-client.ts";
import { type Recorder, startRecorder } from "../support/recorder.ts";
import {
  type AnswerTo,
  granted,
  type ReceivedRequest,
  refused,
  type ScriptedTokenEndpoint,
  startTokenEndpoint,
} from "../support/token-endpoint.ts";

/** Where the browser is sent to sign in. Nothing listens there. */
export const AUTHORIZE_ORIGIN = "https://login.provider.example";
export const AUTHORIZE_URL = `${AUTHORIZE_ORIGIN}/authorize`;

/** Whose token a route carries. */
export type Kind = "user" | "user over HTTP/2" | "anonymous" | "machine" | "none";
export const KINDS: readonly Kind[] = ["user", "user over HTTP/2", "anonymous", "machine", "none"];

export interface SessionLabOptions {
  /** Top-level keys. Default: plain http at `http://localhost` and the listener's port. */
  readonly extra?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Further keys of the credential `user`. */
  readonly user?: string;
  readonly args?: readonly string[];
  /** Files that stand in the configuration's folder. */
  readonly files?: Readonly<Record<string, string>>;
}

/** A begun login, as the browser that began it knows it. */
export interface Begun {
  readonly authorize: URL;
  readonly state: string;
  /** `name=value` of the login cookie. */
  readonly cookie: string;
}

export interface SessionLab extends AsyncDisposable {
  readonly pillion: Serving;
  readonly port: number;
  readonly adminPort: number;
  /** Token endpoint, mint of anonymous tokens, revocation: by path and grant. */
  readonly provider: ScriptedTokenEndpoint;
  prefix(kind: Kind): string;
  recorder(kind: Kind): Recorder;
  /** All messages at all upstreams. */
  messages(): readonly { readonly target: string; readonly headers: readonly string[] }[];
  /** Requests to the token endpoint with this grant. */
  grants(grant: string): readonly ReceivedRequest[];
  ask(line: string, ...fields: readonly string[]): Promise<Answer>;
  post(path: string, body: string, ...fields: readonly string[]): Promise<Answer>;
  begin(query?: string, ...fields: readonly string[]): Promise<Begun>;
  callback(query: string, ...fields: readonly string[]): Promise<Answer>;
  /** A whole login: the new session's id. */
  signIn(...fields: readonly string[]): Promise<string>;
  /** Something harmless is served: the process has outlived whatever there was. */
  canary(): Promise<void>;
}

const BODY_TYPE = "Content-Type: application/json";

export async function startSessionLab(options: SessionLabOptions = {}): Promise<SessionLab> {
  const provider = await startTokenEndpoint();
  provider.answer(provide());
  const recorders = await Promise.all([startRecorder(), startRecorder(), startRecorder(), startRecorder()]);
  const [user, anonymous, machine, none] = recorders;
  if (!user || !anonymous || !machine || !none) throw new Error("a recorder is missing");
  const workspace = createWorkspace();
  for (const [name, text] of Object.entries(options.files ?? {})) workspace.write(name, text);
  const { caFile, server } = createCertificates(workspace.path("tls"));
  const h2 = await startHttp2Recorder({
    cert: readFileSync(server.certFile),
    key: readFileSync(server.keyFile),
  });
  const lanes: Readonly<Record<Kind, { readonly prefix: string; readonly recorder: Recorder }>> = {
    user: { prefix: "/user/", recorder: user },
    "user over HTTP/2": { prefix: "/h2/", recorder: h2 },
    anonymous: { prefix: "/anonymous/", recorder: anonymous },
    machine: { prefix: "/machine/", recorder: machine },
    none: { prefix: "/none/", recorder: none },
  };
  const at = `environment: sandbox, token_url: "${provider.url}"`;
  const pillion = await serve(
    `${options.extra ?? ""}
admin_lifecycle: true
credentials:
  machine: { provider: zocdoc, ${at}, client_id: machine, client_secret: { env: SECRET } }
  user: { provider: zocdoc, grant: user, ${at}, authorize_url: "${AUTHORIZE_URL}", revocation_url: "${new URL("/revoke", provider.url)}", client_id: spa, scopes: [external.appointment.read, offline_access], anonymous: anonymous, ${options.user ?? ""} }
  anonymous: { provider: zocdoc, grant: anonymous, environment: sandbox, api_url: "${new URL("/", provider.url)}", app: machine, app_client_id: spa }
routes:
  - { name: user, path: /user/, credential: user, upstream: "${user.origin}", upgrade: true }
  - { name: page, path: /page/, credential: user, upstream: "${user.origin}", login: redirect }
  - { name: h2, path: /h2/, credential: user, upstream: "${h2.origin}", http2: true, tls: { ca: "${caFile}" } }
  - { name: anonymous, path: /anonymous/, credential: anonymous, upstream: "${anonymous.origin}", upgrade: true }
  - { name: machine, path: /machine/, credential: machine, upstream: "${machine.origin}", upgrade: true }
  - { name: none, path: /none/, credential: none, upstream: "${none.origin}", upgrade: true }
  - { name: rest, path: /, credential: none, upstream: "${none.origin}rest/" }
`,
    {
      env: { SECRET: "fake-secret", ...options.env },
      workspace,
      args: options.args ?? [],
    },
  );
  const port = Number(new URL(pillion.origin).port);

  /** One connection for whatever comes one after another, as a browser keeps it. */
  let kept: Awaited<ReturnType<typeof connectRaw>> | undefined;
  const exchange = async (text: string): Promise<Answer> => {
    const client = kept ?? (await connectRaw(port));
    kept = undefined;
    client.send(text);
    const answer = await client.answer();
    if (kept !== undefined || answer.field("connection") === "close") client.socket.destroy();
    else kept = client;
    return answer;
  };

  const lab: SessionLab = {
    pillion,
    port,
    adminPort: Number(new URL(pillion.adminOrigin).port),
    provider,
    prefix: (kind) => lanes[kind].prefix,
    recorder: (kind) => lanes[kind].recorder,
    messages: () => [...recorders, h2].flatMap(({ messages }) => messages),
    grants: (grant) => provider.requests.filter(({ body }) => body.includes(`"grant_type":"${grant}"`)),
    ask: (line, ...fields) => exchange(head(line, ...fields)),
    post: (path, body, ...fields) =>
      exchange(
        head(
          `POST ${path}`,
          ...(fields.some((field) => /^content-type:/i.test(field)) ? [] : [BODY_TYPE]),
          `Content-Length: ${Buffer.byteLength(body)}`,
          ...fields,
        ) + Buffer.from(body).toString("latin1"),
      ),
    async begin(query = "", ...fields) {
      const answer = await lab.ask(`GET /.pillion/login/user${query}`, ...fields);
      expect(answer.status).toBe(303);
      const authorize = new URL(answer.field("location") ?? "");
      return {
        authorize,
        state: authorize.searchParams.get("state") ?? "",
        cookie: cookiesOf(answer),
      };
    },
    callback: (query, ...fields) => lab.ask(`GET /.pillion/callback?${query}`, ...fields),
    async signIn(...fields) {
      const { state, cookie } = await lab.begin("", ...fields);
      const cookies = [cookie, ...fields.flatMap((field) => /^cookie: *(.*)$/i.exec(field)?.[1] ?? [])];
      const answer = await lab.callback(`code=good&state=${state}`, `Cookie: ${cookies.join("; ")}`);
      expect(answer.status).toBe(303);
      return sessionOf(answer);
    },
    async canary() {
      expect(pillion.child.exitCode).toBeNull();
      const before = none.messages.length;
      const name = `/none/canary-${before}`;
      expect(await lab.ask(`GET ${name}`)).toMatchObject({ status: 200, body: "ok" });
      expect(none.messages.slice(before)).toMatchObject([{ target: name.slice(5), complete: true }]);
    },
    async [Symbol.asyncDispose]() {
      kept?.socket.destroy();
      await pillion.stop();
      await provider.close();
      for (const recorder of [...recorders, h2]) await recorder[Symbol.asyncDispose]();
    },
  };
  return lab;
}

/**
 * The provider: every token a new one, with a refresh token that rotates. `members` of user tokens; the code `bad` and
 * refresh tokens in `dead` are refused.
 */
export function provide(
  members: Readonly<Record<string, unknown>> = {},
  dead: ReadonlySet<string> = new Set(),
): AnswerTo {
  const used = new Set<string>();
  return (request, count) => {
    if (request.path === "/revoke") return { status: 200 };
    if (request.path.endsWith("/token/anonymous-user"))
      return granted({ access_token: `visitor-${count}` })(request, count);
    const { grant_type, code, refresh_token } = JSON.parse(request.body) as Record<string, string>;
    if (grant_type === "client_credentials") return granted({ access_token: "app-token" })(request, count);
    const spent = code ?? refresh_token ?? "";
    if (spent === "bad" || dead.has(spent) || (refresh_token !== undefined && used.has(refresh_token)))
      return refused(400, "invalid_grant", "is not good");
    if (refresh_token !== undefined) used.add(refresh_token);
    return granted({
      access_token: `user-${count}`,
      refresh_token: `refresh-${count}`,
      scope: "external.appointment.read offline_access",
      ...members,
    })(request, count);
  };
}

/** The cookies that an answer set and did not clear, as a browser would send them. */
export function cookiesOf({ headers }: Answer): string {
  return fieldValues(headers, "set-cookie")
    .filter((cookie) => !cookie.includes("Max-Age=0"))
    .map((cookie) => cookie.split(";", 1)[0])
    .join("; ");
}

/** The id of the session that an answer made. */
export function sessionOf(answer: Answer): string {
  const id = /(?:^|; )(?:__Host-)?pillion=([\w-]{43})(?:;|$)/.exec(cookiesOf(answer))?.[1];
  if (id === undefined) throw new Error("no session was made");
  return id;
}

/** Status and code of a problem or of a page. */
export function outcome(answer: Answer): string {
  const code = /details="([A-Z_]+)"/.exec(answer.field("proxy-status") ?? "")?.[1];
  return code === undefined ? String(answer.status) : `${answer.status} ${code}`;
}

/** What a browser's own page sends along. */
export const SAME_ORIGIN = "Sec-Fetch-Site: same-origin";
