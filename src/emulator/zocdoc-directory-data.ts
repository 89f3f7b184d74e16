/**
 * A made-up directory. No provider, practice, plan or number in it exists: providers bear the names of birds, and
 * their NPIs start with 9, which real ones never do.
 */

export interface Specialty {
  readonly id: string;
  readonly name: string;
  readonly care_category: "health" | "dental" | "vision";
  readonly default_visit_reason_id: string;
  readonly default_visit_reason_name: string;
}

export interface VisitReason {
  readonly id: string;
  readonly name: string;
  readonly specialty_id: string;
}

const SPECIALTY_ROWS = [
  ["sp_901", "Example Family Medicine", "health", ["Annual check-up", "Cough and cold", "Vaccination"]],
  ["sp_902", "Example Skin Care", "health", ["Skin examination", "Rash"]],
  ["sp_903", "Example Dentistry", "dental", ["Cleaning", "Toothache"]],
  ["sp_904", "Example Eye Care", "vision", ["Eye examination"]],
] as const;

const reasonId = (specialtyId: string, index: number) => `pc_emulator-${specialtyId.slice(3)}-${index + 1}`;

export const SPECIALTIES: readonly Specialty[] = SPECIALTY_ROWS.map(([id, name, careCategory, reasons]) => ({
  id,
  name,
  care_category: careCategory,
  default_visit_reason_id: reasonId(id, 0),
  default_visit_reason_name: reasons[0],
}));

export const VISIT_REASONS: readonly VisitReason[] = SPECIALTY_ROWS.flatMap(([specialtyId, , , reasons]) =>
  reasons.map((name, index) => ({ id: reasonId(specialtyId, index), name, specialty_id: specialtyId })),
);

const REFERENCE_TIME = "2024-01-02T09:00:00Z";

export const INSURANCE_PLANS = ["Harbour", "Meadow", "Summit"].flatMap((carrier, carrierIndex) =>
  (["hmo", "ppo", "epo", "pos"] as const).map((networkType, index) => ({
    id: `ip_90${carrierIndex}${index}`,
    name: `Example ${carrier} ${networkType.toUpperCase()}`,
    carrier: { id: `ic_90${carrierIndex}`, name: `Example ${carrier} Insurance` },
    network_type: networkType,
    program_type: "commercial",
    status: "active",
    care_categories: ["health"],
    coverage_area: { is_national: false, states: ["NY", "NJ"] },
    ref_metadata: { created_timestamp_utc: REFERENCE_TIME, last_updated_timestamp_utc: REFERENCE_TIME },
  })),
);

const BIRDS =
  "Avocet Bunting Curlew Dunlin Egret Fulmar Goldcrest Heron Ibis Jackdaw Kestrel Lapwing Martin Nuthatch Osprey " +
  "Plover Quail Redstart Siskin Tern Umbrellabird Vireo Wagtail Yellowhammer";

export interface DirectoryEntry {
  readonly providerLocationId: string;
  readonly specialtyId: string;
  readonly practice: { readonly practice_id: string; readonly practice_name: string };
  /** Zocdoc API, BaseProvider. */
  readonly provider: Readonly<Record<string, unknown>> & {
    readonly provider_id: string;
    readonly npi: string;
  };
  /** Zocdoc API, BaseLocation, with the distance that a search shows. */
  readonly location: Readonly<Record<string, unknown>>;
}

export const DIRECTORY: readonly DirectoryEntry[] = BIRDS.split(" ").map((bird, index) => {
  const number = String(index + 1).padStart(3, "0");
  const specialty = SPECIALTIES[index % 3] as Specialty;
  const providerId = `pr_emu${number}-sample_${bird.toLowerCase()}`;
  const practice = {
    practice_id: `pt_emu${(index % 4) + 1}-practice`,
    practice_name: `Example Practice ${(index % 4) + 1}`,
  };
  return {
    // Real ids hold a bar too, which a client has to send as %7C.
    providerLocationId: `${providerId}|lo_emu${number}-office_${(index % 4) + 1}`,
    specialtyId: specialty.id,
    practice,
    provider: {
      provider_id: providerId,
      npi: `9000000${number}`,
      first_name: "Sample",
      last_name: bird,
      title: "MD",
      full_name: `Dr. Sample ${bird}, MD`,
      specialties: [specialty.name],
      specialty_ids: [specialty.id],
      default_visit_reason_id: specialty.default_visit_reason_id,
      visit_reason_ids: VISIT_REASONS.filter((reason) => reason.specialty_id === specialty.id).map(
        (reason) => reason.id,
      ),
      statement: "A made-up provider of the emulator.",
      languages: index % 2 === 0 ? ["English", "Spanish"] : ["English"],
    },
    location: {
      address1: `${index + 1} Example Street`,
      city: "New York",
      state: "NY",
      zip_code: "10001",
      latitude: 40.75,
      longitude: -73.99,
      location_name: practice.practice_name,
      phone_number: `2125550${number}`,
      time_zone: "America/New_York",
      distance_to_patient_mi: Number((0.3 * (index + 1)).toFixed(1)),
    },
  };
});

export function findProviderLocation(providerLocationId: string): DirectoryEntry | undefined {
  return DIRECTORY.find((entry) => entry.providerLocationId === providerLocationId);
}
