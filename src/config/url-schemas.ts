/** URLs of a configuration: a zod schema for each kind, with the words for what is wrong. */
import { z } from "zod";
import { customIssue, plainWords } from "./fault-kind.ts";
import { showValue } from "./printable.ts";
import { expectation } from "./validate.ts";
import { parsed } from "./value-schemas.ts";

interface UrlRules {
  /** RFC 6749 §3.2 lets a token endpoint have a query; an upstream has none. */
  readonly query?: boolean;
  readonly path?: boolean;
}

/** An http or https URL without user information and fragment. A URL that could hold a secret is not quoted. */
export function httpUrl({ query = false, path = true }: UrlRules = {}) {
  return parsed("a URL such as https://api.example.com/", (text) => {
    const shown = /[@?]/.test(text) ? "" : `, not ${showValue(text)}`;
    // The URL parser would silently drop blanks and turn backslashes; a person should see what is used.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these are dropped
    if (/[\x00-\x20\x7f\\]/.test(text))
      return { problem: "must not hold blanks, backslashes or control characters" };
    const url = URL.parse(text);
    if (
      url === null ||
      (url.protocol !== "https:" && url.protocol !== "http:") ||
      !/^https?:\/\/[^/]/i.test(text)
    ) {
      const hint = /^[\w.-]+(:\d+)?(\/|$)/.test(text) ? "; begin with https://" : "";
      return { problem: `expected a URL that begins with https:// or http://${shown}${hint}` };
    }
    if (url.username !== "" || url.password !== "" || text.includes("@")) {
      return { problem: "must not hold a user name or password" };
    }
    if (text.includes("#")) return { problem: `must not have a fragment (#…)${shown}` };
    if (!query && text.includes("?")) return { problem: "must not have a query (?…)" };
    if (!path && url.pathname !== "/") return { problem: `must not have a path${shown}` };
    return { value: url };
  }).meta({ format: "uri" });
}

/** An issuer's name: a URL without query and fragment (RFC 8414 §2), kept as written, since it is compared so. */
export const issuerIdentifier = z
  .string({ error: ({ input }) => expectation("a URL such as https://id.example.com/", input) })
  .superRefine((text, context) => {
    const result = httpUrl().safeParse(text);
    for (const { message } of result.error?.issues ?? [])
      context.addIssue(customIssue("wrong-form", plainWords(message)));
  })
  .meta({ format: "uri" });
