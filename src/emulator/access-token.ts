import { createHmac, timingSafeEqual } from "node:crypto";
import type { KnownClient } from "./clients.ts";
import type { Service } from "./services.ts";

/** What a token says. Names are those of RFC 7519 and RFC 9068; `account` is Qmatic's. */
export interface AccessTokenClaims {
  readonly iss: string;
  readonly aud: string;
  readonly client_id: string;
  readonly scope: string;
  readonly account?: string;
  readonly subject: Subject;
  /** Unix seconds, with a fraction: a token of two seconds shall live two seconds, not one and a bit. */
  readonly iat: number;
  readonly exp: number;
}

/** Whom a token stands for: a client of its own right, a user that signed in, or a visitor that did not. */
export type Subject =
  | { readonly kind: "machine" }
  | {
      readonly kind: "user";
      readonly user: string;
      /** What the user agreed to once; revoking it ends the token. */
      readonly grant: string;
      /** The visitor that the user was before signing in. */
      readonly visitor?: string;
    }
  | { readonly kind: "anonymous"; readonly visitor: string };

/** `foreign`: well signed, yet for another service, or not signed by this process at all. */
export type TokenState = "valid" | "expired" | "foreign" | "absent";

export type TokenCheck =
  | { readonly state: "valid"; readonly claims: AccessTokenClaims }
  | { readonly state: Exclude<TokenState, "valid"> };

export interface AccessTokens {
  /** A signed token of about 800 bytes, like the real ones. For the client itself, unless a subject is given. */
  issue(service: Service, client: KnownClient, scopes: readonly string[], subject?: Subject): string;
  /** What Auth0 hands out when no audience is asked for: looks like a token, opens nothing. */
  issueOpaque(): string;
  /** Judges by signature, then issuer and audience, then this process's clock. */
  check(service: Service, token: string): TokenCheck;
}

export interface AccessTokenOptions {
  readonly expiresInSeconds: number;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly randomBytes: (size: number) => Buffer;
  /** 32 bytes. A token outlives the emulator where its key does. */
  readonly key: Buffer;
}

/** The length to which the payload is padded, so that the whole token has the size of a real one. */
const PAYLOAD_BYTES = 530;

/** Tokens that carry their own facts, signed. */
export function createAccessTokens({
  expiresInSeconds,
  now,
  randomBytes,
  key,
}: AccessTokenOptions): AccessTokens {
  const header = encode({ alg: "HS256", typ: "JWT", kid: "pillion-emulator" });
  const sign = (input: string) => createHmac("sha256", key).update(input).digest();

  return {
    issue(service, client, scopes, subject = { kind: "machine" }) {
      const issuedAt = now() / 1_000;
      const claims: AccessTokenClaims = {
        iss: service.issuer,
        aud: audienceOf(service, subject),
        client_id: client.clientId,
        scope: scopes.join(" "),
        ...(client.account === undefined ? {} : { account: client.account }),
        subject,
        iat: issuedAt,
        exp: issuedAt + expiresInSeconds,
      };
      const missing = Math.max(16, PAYLOAD_BYTES - JSON.stringify(claims).length);
      const payload = encode({
        ...claims,
        jti: randomBytes(missing).toString("base64url").slice(0, missing),
      });
      const input = `${header}.${payload}`;
      return `${input}.${sign(input).toString("base64url")}`;
    },

    issueOpaque: () => randomBytes(24).toString("base64url"),

    check(service, token) {
      const end = token.lastIndexOf(".");
      const signature = Buffer.from(token.slice(end + 1), "base64url");
      const expected = sign(token.slice(0, Math.max(0, end)));
      if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
        return { state: "foreign" };
      }
      const payload = token.slice(token.indexOf(".") + 1, end);
      const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as AccessTokenClaims;
      if (claims.iss !== service.issuer || claims.aud !== audienceOf(service, claims.subject)) {
        return { state: "foreign" };
      }
      return claims.exp * 1_000 <= now() ? { state: "expired" } : { state: "valid", claims };
    },
  };
}

function audienceOf(service: Service, { kind }: Subject): string {
  return kind === "user" ? service.userAudience : service.audience;
}

/** The token of an `Authorization: Bearer …` field (RFC 6750 §2.1), undefined where the field is none. */
export function bearerToken(authorization: string | undefined): string | undefined {
  return authorization === undefined ? undefined : /^bearer +([\w.~+/-]+=*)$/i.exec(authorization)?.[1];
}

/** True where the token holds the scope. */
export function hasScope(claims: AccessTokenClaims, scope: string): boolean {
  return claims.scope.split(" ").includes(scope);
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
