export type AppointmentStatus = "pending_booking" | "confirmed" | "cancelled" | "rescheduled";

export interface Appointment {
  readonly id: string;
  status: AppointmentStatus;
  /** As the caller wrote it. */
  startTime: string;
  startMs: number;
  readonly providerLocationId: string;
  readonly visitReasonId: string;
  readonly developerPatientId: string | undefined;
  readonly notes: string | undefined;
  readonly createdMs: number;
  modifiedMs: number;
  attachments: number;
}

/** One client's appointments; they live as long as the process. */
export interface AppointmentBook {
  /** Latest start time first. */
  list(): Appointment[];
  find(id: unknown): Appointment | undefined;
  add(appointment: Appointment): void;
  /** Whether an appointment that is not cancelled holds the slot. */
  isTaken(providerLocationId: string, startMs: number): boolean;
}

/** Zocdoc lists no more than a thousand; the oldest ones beyond are forgotten. */
const MAX_APPOINTMENTS = 1_000;

export function createAppointmentBook(): AppointmentBook {
  const appointments = new Map<string, Appointment>();
  return {
    list: () => [...appointments.values()].sort((a, b) => b.startMs - a.startMs),
    find: (id) => (typeof id === "string" ? appointments.get(id) : undefined),
    add(appointment) {
      const oldest = appointments.keys().next();
      if (appointments.size >= MAX_APPOINTMENTS && !oldest.done) appointments.delete(oldest.value);
      appointments.set(appointment.id, appointment);
    },
    isTaken: (providerLocationId, startMs) =>
      appointments
        .values()
        .some(
          (appointment) =>
            appointment.status !== "cancelled" &&
            appointment.providerLocationId === providerLocationId &&
            appointment.startMs === startMs,
        ),
  };
}
