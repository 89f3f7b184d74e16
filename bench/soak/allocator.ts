/** As the image sets them (`Dockerfile`): what is freed goes back to the system instead of staying with glibc. */
export const ALLOCATOR_ENVIRONMENT = {
  MALLOC_ARENA_MAX: "1",
  MALLOC_TRIM_THRESHOLD_: "131072",
  MALLOC_MMAP_THRESHOLD_: "131072",
};
