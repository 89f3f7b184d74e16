/** One Qmatic tenant's made-up set-up. Offices, services and customers exist nowhere. */
export interface QmaticTenantData {
  readonly services: readonly QmaticService[];
  readonly branches: readonly QmaticBranch[];
}

export interface QmaticService {
  readonly id: string;
  readonly name: string;
  readonly duration: number;
  readonly config: { readonly maxNumberOfReservations: number };
}

export interface QmaticBranch {
  readonly id: string;
  readonly name: string;
  readonly timeZone: string;
}

const TENANTS: Readonly<Record<string, { services: readonly string[]; branches: readonly string[] }>> = {
  isb: {
    services: ["Open an account", "Loan advice", "Card pick-up"],
    branches: ["Example Branch North", "Example Branch South"],
  },
  riverside: {
    services: ["Passport application", "Driving licence", "Residence permit", "Civil marriage"],
    branches: ["Example Town Hall"],
  },
  harbor: { services: ["Eye examination", "Contact lens fitting"], branches: ["Example Optician"] },
};

/** A fixed GUID, readable enough to tell apart: kind 1 services, 2 branches, 3 appointments. */
export function fixedGuid(tenantId: string, kind: 1 | 2 | 3, index: number): string {
  const tail = String(index + 1).padStart(12, "0");
  return `${tenantId.padStart(8, "0")}-000${kind}-4000-8000-${tail}`;
}

export function qmaticTenantData(account: string, tenantId: string): QmaticTenantData {
  const tenant = TENANTS[account] ?? { services: [], branches: [] };
  return {
    services: tenant.services.map((name, index) => ({
      id: fixedGuid(tenantId, 1, index),
      name,
      duration: 15 * (index + 1),
      config: { maxNumberOfReservations: 1 },
    })),
    branches: tenant.branches.map((name, index) => ({
      id: fixedGuid(tenantId, 2, index),
      name,
      timeZone: "UTC",
    })),
  };
}

const HOURS = [9, 10, 11, 13, 14, 15];
const DAYS_AHEAD = 5;
const DAY_MS = 86_400_000;

export interface TimeSlot {
  readonly startTime: string;
  readonly endTime: string;
}

/** Whole hours of the next days, in UTC, as long as the service takes. */
export function timeSlots(service: QmaticService, nowMs: number): TimeSlot[] {
  const midnightMs = Math.floor(nowMs / DAY_MS) * DAY_MS;
  const slots: TimeSlot[] = [];
  for (let day = 1; day <= DAYS_AHEAD; day += 1) {
    for (const hour of HOURS) {
      const startMs = midnightMs + day * DAY_MS + hour * 3_600_000;
      slots.push({ startTime: isoTime(startMs), endTime: isoTime(startMs + service.duration * 60_000) });
    }
  }
  return slots;
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "+00:00");
}
