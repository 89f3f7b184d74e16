import type { TokenSource } from "./token-source.ts";
import type { TokenState } from "./token-state.ts";

/** A machine's token source as the engine itself sees it. */
export interface MachineTokenSource extends TokenSource {
  readonly credential: string;
  readonly tenant: string | undefined;
  /** Kept fresh without being asked for, from now on or no longer. */
  setPrefetch(prefetch: boolean): void;
  /** Resolves when it has been tried once. Never rejects. */
  ready(): Promise<void>;
  state(): TokenState;
}
