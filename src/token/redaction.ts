import { formEncode } from "./client-authentication.ts";

const PRINTABLE = /^[\x20-\x7e]+$/;
const MAX_LENGTH = 200;

/** Every form in which a token request carries a secret; what must not come back out of an answer. */
export function sensitiveForms(clientId: string, clientSecret: string): readonly string[] {
  const base64 = (text: string): string => Buffer.from(text).toString("base64").replace(/=+$/, "");
  return [
    clientSecret,
    formEncode(clientSecret),
    encodeURIComponent(clientSecret),
    JSON.stringify(clientSecret).slice(1, -1),
    base64(clientSecret),
    base64(`${clientId}:${clientSecret}`),
    base64(`${formEncode(clientId)}:${formEncode(clientSecret)}`),
  ];
}

/**
 * Text of a server that may be shown: short printable ASCII without a trace of the secret. Undefined for anything else:
 * with a part cut out, what is left would still say where and how long the secret is.
 */
export function presentable(
  text: unknown,
  sensitive: readonly string[],
  maxLength = MAX_LENGTH,
): string | undefined {
  if (typeof text !== "string" || text.length > maxLength || !PRINTABLE.test(text)) return undefined;
  const lower = text.toLowerCase();
  return sensitive.some((form) => form !== "" && lower.includes(form.toLowerCase())) ? undefined : text;
}
