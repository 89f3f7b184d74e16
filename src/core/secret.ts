import { createHash, timingSafeEqual } from "node:crypto";

const inspect = Symbol.for("nodejs.util.inspect.custom");

/** A value that must not be printed: `toString`, `toJSON` and `util.inspect` give `[redacted]`. */
export class Secret {
  readonly #value: string;
  #fingerprint: string | undefined;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself. Call it where it is sent, nowhere else. */
  reveal(): string {
    return this.#value;
  }

  /** SHA-256 of the value in base64url: tells two secrets apart without showing either. Not to be logged. */
  fingerprint(): string {
    this.#fingerprint ??= createHash("sha256").update(this.#value).digest("base64url");
    return this.#fingerprint;
  }

  /** Compares digests, so that neither content nor length shows in the time it takes. */
  equals(other: Secret): boolean {
    return timingSafeEqual(Buffer.from(this.fingerprint()), Buffer.from(other.fingerprint()));
  }

  /** Whether it is this text; as `equals`. */
  matches(text: string): boolean {
    return this.equals(new Secret(text));
  }

  toString(): string {
    return "[redacted]";
  }

  toJSON(): string {
    return "[redacted]";
  }

  [inspect](): string {
    return "[redacted]";
  }
}
