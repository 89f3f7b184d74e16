/**
 * What options of the command line choose from. Apart from the commands themselves, so that the command line is read
 * without loading what only one of them needs.
 */

/** Of `init --provider`. */
export const PROVIDERS = ["zocdoc", "qmatic", "oauth2", "static"] as const;
export type Provider = (typeof PROVIDERS)[number];

/** Of `completion`. */
export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];
