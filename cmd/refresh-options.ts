import type { EmulatorOptions } from "../src/emulator/emulator.ts";

/** The flags of the emulator's refresh tokens. */
export interface RefreshFlags {
  /** `--no-refresh-rotation` makes it false. */
  readonly refreshRotation: boolean;
  readonly refreshIdle?: number;
  readonly refreshLifetime?: number;
}

/** What is left out has the provider's own lifetimes. */
export function refreshOptions({
  refreshRotation,
  refreshIdle,
  refreshLifetime,
}: RefreshFlags): EmulatorOptions {
  return {
    refreshRotation,
    ...(refreshIdle === undefined ? {} : { refreshIdleSeconds: refreshIdle }),
    ...(refreshLifetime === undefined ? {} : { refreshLifetimeSeconds: refreshLifetime }),
  };
}
