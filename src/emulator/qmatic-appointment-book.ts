import {
  fixedGuid,
  type QmaticBranch,
  type QmaticService,
  qmaticTenantData,
  type TimeSlot,
  timeSlots,
} from "./qmatic-data.ts";

export interface QmaticAppointment {
  readonly appointmentId: string;
  status: "RESERVED" | "CONFIRMED";
  readonly timeSlot: TimeSlot;
  customer: Readonly<Record<string, unknown>>;
  readonly service: Pick<QmaticService, "id" | "name" | "config">;
  readonly branch: Pick<QmaticBranch, "id" | "name">;
  readonly numberOfReservations: number;
  /** Unix milliseconds; a reservation that nobody confirms lapses. */
  lapsesAtMs: number;
}

/** One tenant's services and appointments; they live as long as the process. */
export interface QmaticAppointmentBook {
  readonly services: readonly QmaticService[];
  readonly branches: readonly QmaticBranch[];
  /** Appointments and reservations that have not lapsed. */
  list(): QmaticAppointment[];
  find(appointmentId: string): QmaticAppointment | undefined;
  freeSlots(service: QmaticService, branchId: string): TimeSlot[];
  reserve(
    appointmentId: string,
    service: QmaticService,
    branch: QmaticBranch,
    timeSlot: TimeSlot,
  ): QmaticAppointment;
  remove(appointmentId: string): void;
}

const RESERVATION_MS = 5 * 60_000;
const MAX_APPOINTMENTS = 1_000;

export function createQmaticAppointmentBook(
  account: string,
  tenantId: string,
  now: () => number,
): QmaticAppointmentBook {
  const { services, branches } = qmaticTenantData(account, tenantId);
  const appointments = new Map<string, QmaticAppointment>();

  const book: QmaticAppointmentBook = {
    services,
    branches,
    list() {
      for (const [id, appointment] of appointments) {
        if (appointment.lapsesAtMs <= now()) appointments.delete(id);
      }
      return [...appointments.values()];
    },
    find: (appointmentId) => book.list().find((appointment) => appointment.appointmentId === appointmentId),
    freeSlots(service, branchId) {
      const taken = new Set(
        book
          .list()
          .filter(
            (appointment) => appointment.branch.id === branchId && appointment.service.id === service.id,
          )
          .map((appointment) => appointment.timeSlot.startTime),
      );
      return timeSlots(service, now()).filter((slot) => !taken.has(slot.startTime));
    },
    reserve(appointmentId, { id, name, config }, branch, timeSlot) {
      const oldest = appointments.keys().next();
      if (appointments.size >= MAX_APPOINTMENTS && !oldest.done) appointments.delete(oldest.value);
      const appointment: QmaticAppointment = {
        appointmentId,
        status: "RESERVED",
        timeSlot,
        customer: {},
        service: { id, name, config },
        branch: { id: branch.id, name: branch.name },
        numberOfReservations: 1,
        lapsesAtMs: now() + RESERVATION_MS,
      };
      appointments.set(appointmentId, appointment);
      return appointment;
    },
    remove: (appointmentId) => void appointments.delete(appointmentId),
  };

  // One appointment is there from the start, so that a search finds something.
  const [service] = services;
  const [branch] = branches;
  if (service !== undefined && branch !== undefined) {
    const [slot] = timeSlots(service, now());
    if (slot !== undefined) {
      const seeded = book.reserve(fixedGuid(tenantId, 3, 0), service, branch, slot);
      seeded.status = "CONFIRMED";
      seeded.lapsesAtMs = Number.POSITIVE_INFINITY;
      seeded.customer = {
        personalIdentifier: `SAMPLE${tenantId}CUSTOMER`,
        firstName: "Sample",
        lastName: "Customer",
        email: `customer@${account}.example`,
      };
    }
  }
  return book;
}

/** What callers see of an appointment. */
export function publicAppointment({ lapsesAtMs: _lapsesAtMs, ...appointment }: QmaticAppointment) {
  return appointment;
}
