/** The key `store`: where tokens and sessions are kept. */
import { z } from "zod";
import type { StoreConfig } from "./config.ts";
import { type References, tlsOptions } from "./credential-keys.ts";
import { ofKind } from "./fault-kind.ts";
import { redisUrlProblem } from "./redis-url.ts";
import { referenceOr, secretReference } from "./reference-schemas.ts";
import { expectation } from "./validate.ts";
import { storeFile } from "./value-schemas.ts";

/** A Redis URL may be written out, unless it holds what nobody should read. It is never quoted. */
const holdsLogin = (url: string): boolean => /@|[?&]sentinel_(username|password)=/i.test(url);

const redisUrl = referenceOr(
  z.string().refine((text) => redisUrlProblem(text) === undefined && !holdsLogin(text)),
  (input) => {
    const expected = "expected { env: NAME }, { file: PATH } or redis://HOST:PORT";
    if (input === undefined) return { kind: "missing-key", message: `is missing: ${expected}` };
    if (typeof input !== "string") return { kind: "wrong-type", message: expected };
    if (holdsLogin(input)) {
      return {
        kind: "secret-in-file",
        message: "a URL with a user name or password in it is a secret: give { env: NAME } or { file: PATH }",
      };
    }
    return { kind: "wrong-form", message: redisUrlProblem(input) ?? "is not valid" };
  },
);

const MAKE_A_KEY = "give [{ file: PATH }], 32 bytes in base64: openssl rand -base64 32";

const redis = z
  .strictObject({
    url: redisUrl
      .describe(
        "Where it is: redis://HOST:PORT, with /NUMBER for a database; redis+sentinel://HOST:26379,HOST:26379/NAME asks Sentinels for the primary called NAME; redis+cluster://HOST:PORT,HOST:PORT for a cluster. rediss in place of redis for TLS. With a password in it { env: NAME } or { file: PATH }.",
      )
      .meta({
        examples: [
          { env: "REDIS_URL" },
          "redis://127.0.0.1:6379",
          "redis+sentinel://sentinel-0:26379,sentinel-1:26379/mymaster",
          "rediss+cluster://node-0:6379,node-1:6379",
        ],
      }),
    prefix: z
      .string()
      .regex(/^[\x21-\x7e]{0,64}$/, {
        error: "must consist of at most 64 printable ASCII characters without blanks",
      })
      .prefault("pillion:")
      .describe("Begins the name of every key, so that several can share one server.")
      .meta({ examples: ["appointments:"] }),
    tls: tlsOptions
      .optional()
      .describe(
        "TLS towards every server, for a rediss: URL. It is verified, always. Default: the system's trust.",
      ),
  })
  .refine(({ url, tls }) => tls === undefined || typeof url !== "string" || /^rediss[:+]/i.test(url), {
    path: ["tls"],
    error: ofKind(
      "conflict",
      "needs a URL that begins with rediss:// (or rediss+sentinel://, rediss+cluster://)",
    ),
  });

export const store = z
  .strictObject({
    sqlite: storeFile
      .optional()
      .describe(
        "File of an SQLite database, made when it is not there: sessions outlive a restart. Default: none; see `redis`.",
      )
      .meta({ examples: ["/var/lib/pillion/sessions.sqlite"] }),
    redis: redis
      .optional()
      .describe(
        "Redis or Valkey: replicas share sessions and tokens; one refreshes, the others read. Default: none; see `sqlite`.",
      ),
    encryption_keys: z
      .array(secretReference, {
        error: ({ input }) =>
          input === undefined
            ? ofKind("no-store-key", `is missing: what is stored is always encrypted; ${MAKE_A_KEY}`)
            : expectation("a list", input),
      })
      .min(1, { error: ofKind("no-store-key", `must not be an empty list; ${MAKE_A_KEY}`) })
      .describe(
        "Keys of 32 bytes in base64: the first encrypts, all decrypt. To rotate, put the new one first and drop the old one once `session.absolute` has passed.",
      )
      .meta({ examples: [[{ file: "secrets/store-key" }]] }),
  })
  .refine(({ sqlite, redis: server }) => (sqlite === undefined) !== (server === undefined), {
    error: ofKind(
      "conflict",
      "give exactly one of sqlite and redis; leave store out to keep everything in memory",
    ),
  })
  .meta({ oneOf: [{ required: ["sqlite"] }, { required: ["redis"] }] });

/** Paths are made absolute, as `references` does. */
export function readStore(values: z.output<typeof store> | undefined, references: References): StoreConfig {
  if (values === undefined) return { kind: "memory" };
  const encryptionKeys = values.encryption_keys.map((key) => references.secret(key));
  if (values.redis !== undefined) {
    const { url, prefix, tls } = values.redis;
    const connection = references.connection({ tls });
    return { kind: "redis", url: references.value(url), prefix, tls: connection.tls, encryptionKeys };
  }
  return { kind: "sqlite", file: references.path(values.sqlite ?? ""), encryptionKeys };
}
