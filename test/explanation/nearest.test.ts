import { describe, expect, it } from "vitest";
import { nearestRoute } from "../../src/explanation/nearest.ts";
import { aRoute } from "../support/proxy-harness.ts";

const upstream = new URL("https://up.example/");
const routes = ["/zocdoc/", "/qmatic/{tenant}/", "/v1/billing"].map((path) => aRoute({ path, upstream }));

describe("the route that an unmatched path most likely meant", () => {
  it.each([
    ["/zodoc/v1/x", 0, "/zocdoc/v1/x"],
    ["/Zocdoc/x", 0, "/zocdoc/x"],
    ["/zocdoc", 0, "/zocdoc/"],
    ["/qmatc/isb/x", 1, "/qmatic/isb/x"],
    ["/qmatic", 1, "/qmatic/TENANT/"],
    ["/v1/biling/a/b", 2, "/v1/billing/a/b"],
  ])("%s", (path, index, suggestion) => {
    expect(nearestRoute(routes, path)).toEqual({ index, suggestion });
  });

  it.each(["/", "/v1/providers", "/a", `/${"z".repeat(200)}`])("none for %s", (path) => {
    expect(nearestRoute(routes, path)).toBeUndefined();
  });
});
