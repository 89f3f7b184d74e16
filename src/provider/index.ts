import type { ProviderDefinition } from "../config/provider-definition.ts";
import { oauth2 } from "./oauth2.ts";
import { oauth2User } from "./oauth2-user.ts";
import { qmatic } from "./qmatic.ts";
import { fixedHeader } from "./static.ts";
import { zocdoc } from "./zocdoc.ts";
import { zocdocAnonymous } from "./zocdoc-anonymous.ts";
import { zocdocUser } from "./zocdoc-user.ts";

/** Every provider there is, grant by grant. A further one is a file beside these and a line here. */
export const providers: readonly ProviderDefinition[] = [
  zocdoc,
  zocdocUser,
  zocdocAnonymous,
  qmatic,
  oauth2,
  oauth2User,
  fixedHeader,
];
