import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { Records } from "./records.ts";
import type { ServiceName } from "./services.ts";

/** What a user agreed to on the consent page. */
export interface Consent {
  readonly service: ServiceName;
  readonly clientId: string;
  readonly user: string;
  readonly scopes: readonly string[];
  readonly redirectUri: string;
  /** base64url of SHA-256 of the verifier (RFC 7636 §4.2). */
  readonly codeChallenge: string;
  /** The anonymous visitor that the user was until now. */
  readonly visitor: string | undefined;
}

/** A redeemed consent: what access tokens and a family of refresh tokens come from. */
export interface Grant {
  readonly id: string;
  readonly service: ServiceName;
  readonly clientId: string;
  readonly user: string;
  readonly scopes: readonly string[];
  readonly visitor?: string;
  /** Unix milliseconds. */
  readonly sinceMs: number;
  usedMs: number;
  /** Of its refresh tokens the one that is good; those below were consumed. */
  generation: number;
  /** No refresh token of it is good any more. */
  ended: boolean;
  /** Its access tokens are not either. */
  accessEnded: boolean;
}

export interface CodeClaim {
  readonly service: ServiceName;
  readonly clientId: string;
  readonly redirectUri: string;
  readonly codeVerifier: string;
}

export type CodeFault = "unknown" | "reused" | "wrong_redirect_uri" | "wrong_verifier";
/** `consumed`: rotated away before; the family ended with it. */
export type RefreshFault = "unknown" | "consumed";

export interface Grants {
  /** A code for 60 seconds and one use. */
  issueCode(consent: Consent): string;
  redeemCode(code: string, claim: CodeClaim): Grant | CodeFault;
  /** The refresh token that is good at present. */
  refreshToken(grant: Grant): string;
  /** Uses a refresh token up. With rotation the grant has another one from here on. */
  refresh(token: string, service: ServiceName, clientId: string): Grant | RefreshFault;
  /** The grant that the token was issued for, however old the token is; undefined: none. */
  find(token: string): Grant | undefined;
  /** Ends the refresh tokens (RFC 7009); access tokens too only where a code was reused. */
  end(grant: Grant): void;
  isAccessEnded(grantId: string): boolean;
}

export interface GrantsOptions {
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly randomBytes: (size: number) => Buffer;
  /** 32 bytes. */
  readonly key: Buffer;
  readonly records: Records;
  readonly rotation: boolean;
  /** A refresh token ends when unused for so long. */
  readonly idleSeconds: number;
  /** A family ends at this age, however busy. */
  readonly lifetimeSeconds: number;
}

const CODE_LIFETIME_MS = 60_000;
/** A code is remembered beyond its life, to be told from one that never was. */
const CODE_MEMORY_MS = 10 * CODE_LIFETIME_MS;

/** The oldest ones beyond are forgotten. */
const MAX_CODES = 10_000;
const MAX_GRANTS = 10_000;

interface Code {
  readonly consent: Consent;
  readonly issuedMs: number;
  /** Set by the first attempt, good or bad. */
  spent: boolean;
  grant: Grant | undefined;
}

/** Codes and refresh tokens: single use, families, and what a stolen one does to its family (RFC 9700 §§2.1.1, 4.14.2). */
export function createGrants(options: GrantsOptions): Grants {
  const { now, randomBytes, records, rotation } = options;
  const key = createHmac("sha256", options.key).update("refresh tokens").digest();
  const codes = new Map<string, Code>();
  const grants = new Map<string, Grant>();
  for (const grant of records.list("grant/") as Grant[]) {
    if (isOld(grant)) records.remove(`grant/${grant.id}`);
    else grants.set(grant.id, grant);
  }

  function isOld({ sinceMs }: Grant): boolean {
    return now() >= sinceMs + options.lifetimeSeconds * 1_000;
  }

  function keep(grant: Grant): void {
    grants.delete(grant.id);
    grants.set(grant.id, grant);
    records.put(`grant/${grant.id}`, grant);
    const [oldest] = grants.keys();
    if (grants.size > MAX_GRANTS && oldest !== undefined) {
      grants.delete(oldest);
      records.remove(`grant/${oldest}`);
    }
  }

  function end(grant: Grant, accessToo: boolean): void {
    grant.ended = true;
    grant.accessEnded ||= accessToo;
    keep(grant);
  }

  /** Grant and generation, sealed: no list of consumed tokens has to be kept to know one. */
  function write(id: string, generation: number): string {
    const head = Buffer.alloc(20);
    Buffer.from(id, "base64url").copy(head);
    head.writeUInt32BE(generation, 16);
    return Buffer.concat([head, createHmac("sha256", key).update(head).digest()]).toString("base64url");
  }

  function read(token: string): { grant: Grant; generation: number } | undefined {
    const head = Buffer.from(token, "base64url").subarray(0, 20);
    if (head.length < 20) return undefined;
    const id = head.subarray(0, 16).toString("base64url");
    const generation = head.readUInt32BE(16);
    const grant = grants.get(id);
    return grant !== undefined && equal(write(id, generation), token) ? { grant, generation } : undefined;
  }

  function isOver(grant: Grant): boolean {
    return grant.ended || now() >= grant.usedMs + options.idleSeconds * 1_000 || isOld(grant);
  }

  function forgetCodes(): void {
    for (const [code, { issuedMs }] of codes) {
      if (codes.size <= MAX_CODES && issuedMs + CODE_MEMORY_MS > now()) return;
      codes.delete(code);
    }
  }

  return {
    issueCode(consent) {
      const code = randomBytes(32).toString("base64url");
      codes.set(code, { consent, issuedMs: now(), spent: false, grant: undefined });
      forgetCodes();
      return code;
    },

    redeemCode(text, { service, clientId, redirectUri, codeVerifier }) {
      const code = codes.get(text);
      if (code === undefined || code.consent.clientId !== clientId || code.consent.service !== service) {
        return "unknown";
      }
      if (code.grant !== undefined) {
        // Two hold the code, and one of them is a thief: what it gave ends (RFC 6749 §4.1.2).
        end(code.grant, true);
        return "reused";
      }
      if (code.spent || now() >= code.issuedMs + CODE_LIFETIME_MS) return "unknown";
      code.spent = true;
      const { consent } = code;
      if (consent.redirectUri !== redirectUri) return "wrong_redirect_uri";
      if (!equal(challengeOf(codeVerifier), consent.codeChallenge)) return "wrong_verifier";
      const nowMs = now();
      const grant: Grant = {
        id: randomBytes(16).toString("base64url"),
        service,
        clientId,
        user: consent.user,
        scopes: consent.scopes,
        ...(consent.visitor === undefined ? {} : { visitor: consent.visitor }),
        sinceMs: nowMs,
        usedMs: nowMs,
        generation: 0,
        ended: false,
        accessEnded: false,
      };
      code.grant = grant;
      keep(grant);
      return grant;
    },

    refreshToken: ({ id, generation }) => write(id, generation),

    refresh(token, service, clientId) {
      const found = read(token);
      if (found === undefined || found.grant.clientId !== clientId || found.grant.service !== service) {
        return "unknown";
      }
      const { grant, generation } = found;
      if (generation < grant.generation) {
        end(grant, false);
        return "consumed";
      }
      if (isOver(grant)) return "unknown";
      grant.usedMs = now();
      if (rotation) grant.generation += 1;
      keep(grant);
      return grant;
    },

    find: (token) => read(token)?.grant,
    end: (grant) => end(grant, false),
    isAccessEnded: (grantId) => grants.get(grantId)?.accessEnded === true,
  };
}

/** RFC 7636 §4.2. */
function challengeOf(verifier: string): string {
  return createHash("sha256").update(verifier).digest("base64url");
}

function equal(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
