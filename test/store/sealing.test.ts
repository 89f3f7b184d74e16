import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encryptionKey } from "../../src/store/encryption-keys.ts";
import { NONCE_BYTES, open, recordName, seal } from "../../src/store/sealing.ts";

const KEYS = [encryptionKey(randomBytes(32)), encryptionKey(randomBytes(32))] as const;
const [KEY, OTHER_KEY] = KEYS;
const SESSION = { kind: "session", key: "A".repeat(43) } as const;
const PLAINTEXT = Buffer.from('{"tokens":"secret-canary"}');
const sealed = (): Uint8Array => seal(PLAINTEXT, SESSION, KEY, randomBytes(NONCE_BYTES));
const opaque = fc.string({ unit: "binary", minLength: 1, maxLength: 3_000 });

describe("a sealed record", () => {
  it("opens to what was sealed, whatever that and its key are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4_000 }), opaque, (plaintext, key) => {
        const identity = { kind: "session", key } as const;
        const record = seal(plaintext, identity, KEY, randomBytes(NONCE_BYTES));
        expect(open(record, identity, [KEY])?.equals(plaintext)).toBe(true);
      }),
    );
  });

  it("does not open once any bit of it is another", () => {
    const record = sealed();
    for (let bit = 0; bit < record.length * 8; bit += 1) {
      const changed = Uint8Array.from(record);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(open(changed, SESSION, KEYS)).toBeUndefined();
    }
  });

  it("does not open when it is cut, at either end, or longer", () => {
    const record = sealed();
    for (let length = 0; length < record.length; length += 1) {
      expect(open(record.subarray(0, length), SESSION, KEYS)).toBeUndefined();
      expect(open(record.subarray(length + 1), SESSION, KEYS)).toBeUndefined();
    }
    expect(open(Buffer.concat([record, Buffer.of(0)]), SESSION, KEYS)).toBeUndefined();
  });

  it("does not open under another record's key, nor as another kind", () => {
    const record = sealed();
    expect(open(record, { kind: "login", key: SESSION.key }, KEYS)).toBeUndefined();
    fc.assert(
      fc.property(opaque, (key) => {
        fc.pre(key !== SESSION.key);
        expect(open(record, { kind: "session", key }, KEYS)).toBeUndefined();
      }),
    );
  });

  it("opens with any of the keys, and with none that did not seal it", () => {
    const record = sealed();
    expect(open(record, SESSION, [OTHER_KEY, KEY])?.toString()).toBe(PLAINTEXT.toString());
    expect(open(record, SESSION, [OTHER_KEY])).toBeUndefined();
    expect(open(record, SESSION, [])).toBeUndefined();
  });

  it("never throws, whatever bytes lie in the store", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, plausible) => {
        const head = plausible ? Buffer.concat([Buffer.of(1), KEY.id]) : Buffer.alloc(0);
        expect(open(Buffer.concat([head, bytes]), SESSION, KEYS)).toBeUndefined();
      }),
    );
  });

  it("has the format of format 1: one that lies in a store still opens after an upgrade", () => {
    const identity = { kind: "session", key: "K".repeat(43) } as const;
    const key = encryptionKey(Buffer.alloc(32, 7));
    const record = Buffer.from(
      "0109bd6d66136207e10909090909090909090909095d055a5fc6d5b410034dba22054c27c195ec",
      "hex",
    );
    expect(recordName(identity)).toBe("session:epeDWwAadki2DvUCvHYPXsMpmR7-A4YwCQDWz5lJfkQ");
    expect(open(record, identity, [key])?.toString()).toBe("{}");
    expect(seal(Buffer.from("{}"), identity, key, Buffer.alloc(NONCE_BYTES, 9))).toEqual(record);
  });

  it("differs at each sealing and shows nothing of what is in it", () => {
    const [first, second] = [Buffer.from(sealed()), Buffer.from(sealed())];
    expect(first.equals(second)).toBe(false);
    expect(first.includes("canary")).toBe(false);
  });
});

describe("a record's name", () => {
  it("is its kind and a hash, which tells records apart", () => {
    expect(recordName(SESSION)).toMatch(/^session:[\w-]{43}$/);
    expect(recordName(SESSION)).not.toContain(SESSION.key);
    expect(recordName({ kind: "login", key: SESSION.key })).not.toBe(recordName(SESSION));
    expect(recordName({ kind: "session", key: "B" })).not.toBe(recordName(SESSION));
  });
});
