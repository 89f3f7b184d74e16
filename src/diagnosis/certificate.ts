import type { PeerCertificate } from "node:tls";
import { printable } from "../config/printable.ts";
import { one } from "./one-value.ts";

/** What is worth knowing of a server's certificate. */
export interface CertificateFacts {
  readonly subject: string;
  readonly issuer: string;
  /** Unix milliseconds. */
  readonly expiresAtMs: number;
}

/** From this long before its end a certificate is worth a warning: automatic renewals are over by then. */
export const EXPIRY_WARNING_DAYS = 14;
const DAY_MS = 86_400_000;
const MAX_NAME = 80;

/** undefined: the peer showed none, as in a resumed session. */
export function certificateFacts(certificate: PeerCertificate): CertificateFacts | undefined {
  const expiresAtMs = Date.parse(certificate.valid_to ?? "");
  if (Number.isNaN(expiresAtMs)) return undefined;
  return {
    subject: nameOf(certificate.subject) ?? certificate.subjectaltname ?? "no name",
    issuer: nameOf(certificate.issuer) ?? "no name",
    expiresAtMs,
  };
}

/** Whole days until it ends, rounded down. */
export function daysLeft({ expiresAtMs }: CertificateFacts, wallMs: number): number {
  return Math.floor((expiresAtMs - wallMs) / DAY_MS);
}

/** A common name, else an organization: whatever the server wrote, on one line and short. */
function nameOf(name: PeerCertificate["subject"] | undefined): string | undefined {
  const text = one(name?.CN) ?? one(name?.O);
  return text === undefined ? undefined : printable(text).slice(0, MAX_NAME);
}
