/** What one measurement found. */
export interface Finding {
  readonly ok: boolean;
  /** One line, with the figures and the limits they are held to. */
  readonly text: string;
}

/** How far a measurement is scaled down, 1 for the full figure. */
export interface Scale {
  readonly scale: number;
}

export function scaled(full: number, { scale }: Scale): number {
  return Math.max(1, Math.round(full * scale));
}
