import type { VisitorSpec } from "../config/config.ts";
import type { CredentialObserver } from "../token/observer.ts";
import { isSameGrant, type VisitorToken } from "./record.ts";
import type { SessionEntry } from "./session-cache.ts";
import type { TokenSlot } from "./token-slot.ts";

/** One session's token for one credential: what is renewed. */
export interface RenewalSubject {
  readonly entry: SessionEntry;
  readonly slot: TokenSlot;
  readonly credential: string;
  readonly spec: VisitorSpec;
  readonly observer: CredentialObserver;
}

/** Whether the record has another token than the one that was to be renewed. */
export function hasMovedOn({ entry, credential }: RenewalSubject, before: VisitorToken | undefined): boolean {
  const present = entry.record.tokens.get(credential);
  if (before === undefined || present === undefined) return before !== present;
  return !isSameGrant(before, present);
}
