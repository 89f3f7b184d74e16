import { createHash } from "node:crypto";
import type { Clock } from "../../src/core/clock.ts";
import type { TokenEndpoint } from "../../src/token/token-endpoint.ts";
import { type TransientFailure, transient } from "../../src/token/token-outcome.ts";
import type { TokenRequest } from "../../src/token/token-request.ts";
import type { TokenAnswer } from "../../src/token/token-response.ts";

export type Reply = TokenAnswer | TransientFailure;

/** An authorization server without sockets: codes, rotation with reuse detection, anonymous tokens, revocation. */
export interface ScriptedProvider {
  /** One process's way to it. `step` runs at each moment of an exchange; what it awaits holds it up. */
  endpoint(step?: (moment: string) => Promise<void>): TokenEndpoint;
  readonly requests: { readonly request: TokenRequest; readonly body: Readonly<Record<string, string>> }[];
  /** Requests of one grant, or of a path for what is no grant. */
  count(what: string): number;
  /** Refresh tokens that came after they had been used up. */
  readonly resent: string[];
  readonly revoked: string[];
  /** A login page that agrees at once: the redirect's query. */
  agree(authorizeUrl: string): URLSearchParams;
  expiresIn: unknown;
  rotates: boolean;
  anonymousBody: (count: number) => unknown;
  /** Answers instead of the server, which hears nothing then; undefined: the server answers. */
  intercept:
    | ((body: Readonly<Record<string, string>>, request: TokenRequest) => Reply | Promise<Reply> | undefined)
    | undefined;
  /** Refresh tokens die. */
  forgetUsers(): void;
}

export const CLIENT_ID = "spa-1";

export function answer(status: number, body: unknown, headers: Record<string, string> = {}): TokenAnswer {
  return { status, headers, body: typeof body === "string" ? body : JSON.stringify(body), tooLarge: false };
}

export function createScriptedProvider(clock: Clock): ScriptedProvider {
  const codes = new Map<string, { readonly challenge: string; readonly redirectUri: string }>();
  const valid = new Set<string>();
  const consumed = new Set<string>();
  let serial = 0;

  const grant = (refreshToken: string | undefined): TokenAnswer => {
    serial += 1;
    return answer(200, {
      access_token: `at-${serial}`,
      token_type: "Bearer",
      expires_in: provider.expiresIn,
      scope: "a b",
      ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
    });
  };
  const newRefreshToken = (): string => {
    const token = `rt-${serial + 1}`;
    valid.add(token);
    return token;
  };
  const invalidGrant = (): TokenAnswer => answer(400, { error: "invalid_grant" });

  const serve = (request: TokenRequest, body: Readonly<Record<string, string>>): TokenAnswer => {
    if (request.url.pathname === "/anonymous") {
      serial += 1;
      return answer(200, provider.anonymousBody(serial));
    }
    if (request.url.pathname === "/revoke") {
      provider.revoked.push(body["token"] ?? "");
      valid.delete(body["token"] ?? "");
      return answer(200, "");
    }
    if (body["grant_type"] === "authorization_code") {
      const code = codes.get(body["code"] ?? "");
      codes.delete(body["code"] ?? "");
      const challenge = createHash("sha256")
        .update(body["code_verifier"] ?? "")
        .digest("base64url");
      if (code?.challenge !== challenge || code.redirectUri !== body["redirect_uri"]) return invalidGrant();
      return grant(newRefreshToken());
    }
    const refreshToken = body["refresh_token"] ?? "";
    if (consumed.has(refreshToken)) {
      provider.resent.push(refreshToken);
      return invalidGrant();
    }
    if (!valid.has(refreshToken)) return invalidGrant();
    if (!provider.rotates) return grant(undefined);
    valid.delete(refreshToken);
    consumed.add(refreshToken);
    return grant(newRefreshToken());
  };

  const provider: ScriptedProvider = {
    requests: [],
    resent: [],
    revoked: [],
    expiresIn: 3_600,
    rotates: true,
    anonymousBody: (count) => ({ access_token: `anon-${count}`, expires_in: 600 }),
    intercept: undefined,
    count: (what) =>
      provider.requests.filter(
        ({ request, body }) => body["grant_type"] === what || request.url.pathname === what,
      ).length,
    forgetUsers: () => valid.clear(),
    agree(authorizeUrl) {
      const query = new URL(authorizeUrl).searchParams;
      const code = `code-${codes.size + 1}-${serial}`;
      codes.set(code, {
        challenge: query.get("code_challenge") ?? "",
        redirectUri: query.get("redirect_uri") ?? "",
      });
      return new URLSearchParams({ code, state: query.get("state") ?? "" });
    },
    endpoint: (step) => ({
      async exchange(request, _connection, signal, beforeSend) {
        if (signal.aborted) return transient("closed", "was not asked: shutting down");
        await step?.("connected");
        try {
          await beforeSend?.();
        } catch {
          return transient("internal", "was not asked: it was called off");
        }
        await step?.("about to send");
        const body = parse(request);
        provider.requests.push({ request, body });
        const reply = provider.intercept?.(body, request) ?? serve(request, body);
        await step?.("sent");
        return within(reply, clock, signal);
      },
    }),
  };
  return provider;
}

function parse({ headers, body }: TokenRequest): Readonly<Record<string, string>> {
  const json = headers.includes("application/json") && body.startsWith("{");
  return json ? JSON.parse(body) : Object.fromEntries(new URLSearchParams(body));
}

/** As the real one does: gives up after 10 s, or when everything ends. */
function within(reply: Reply | Promise<Reply>, clock: Clock, signal: AbortSignal): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const timer = clock.schedule(10_000, () => resolve(transient("timeout", "did not answer within 10 s")));
    signal.addEventListener("abort", () => resolve(transient("closed", "was not asked")), { once: true });
    Promise.resolve(reply)
      .then(resolve, reject)
      .finally(() => timer.cancel());
  });
}
