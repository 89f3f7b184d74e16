import type { Records } from "./records.ts";

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

/** The appointments of one client, or of one user: nobody else sees them. */
export interface AppointmentBook {
  /** Latest start time first. */
  list(): Appointment[];
  find(id: unknown): Appointment | undefined;
  /** A new one, or one that has changed. */
  keep(appointment: Appointment): void;
  /** Whether an appointment that is not cancelled, whosoever it is, holds the slot. */
  isTaken(providerLocationId: string, startMs: number): boolean;
}

/** All books of one service. */
export interface AppointmentBooks {
  ofClient(clientId: string): AppointmentBook;
  ofUser(user: string): AppointmentBook;
}

/** Zocdoc lists no more than a thousand; the oldest ones beyond are forgotten. */
const MAX_APPOINTMENTS = 1_000;

/** Clients' appointments live as long as the process, users' as long as the records under `prefix` do. */
export function createAppointmentBooks(records: Records, prefix: string): AppointmentBooks {
  const books = new Map<string, Map<string, Appointment>>();

  function isTaken(providerLocationId: string, startMs: number): boolean {
    const holds = (appointment: Appointment) =>
      appointment.status !== "cancelled" &&
      appointment.providerLocationId === providerLocationId &&
      appointment.startMs === startMs;
    return books.values().some((appointments) => appointments.values().some(holds));
  }

  function open(name: string): Map<string, Appointment> {
    const opened = books.get(name) ?? new Map<string, Appointment>();
    books.set(name, opened);
    return opened;
  }

  function bookOf(name: string, kept: boolean): AppointmentBook {
    const appointments = open(name);
    const recordName = (id: string) => `${prefix}${name}/${id}`;
    return {
      list: () => [...appointments.values()].sort((a, b) => b.startMs - a.startMs),
      find: (id) => (typeof id === "string" ? appointments.get(id) : undefined),
      keep(appointment) {
        const [oldest] = appointments.keys();
        if (
          appointments.size >= MAX_APPOINTMENTS &&
          oldest !== undefined &&
          !appointments.has(appointment.id)
        ) {
          appointments.delete(oldest);
          if (kept) records.remove(recordName(oldest));
        }
        appointments.set(appointment.id, appointment);
        if (kept) records.put(recordName(appointment.id), { user: name, appointment });
      },
      isTaken,
    };
  }

  for (const { user, appointment } of records.list(prefix) as { user: string; appointment: Appointment }[]) {
    open(user).set(appointment.id, appointment);
  }
  return {
    ofClient: (clientId) => bookOf(`client ${clientId}`, false),
    ofUser: (user) => bookOf(user, true),
  };
}
