import { describe, expect, it } from "vitest";
import { isPageVisit } from "../../src/proxy/navigation.ts";
import type { RequestHead } from "../../src/proxy/request-head.ts";

const headOf = (fields: Partial<RequestHead>, ...accept: readonly string[]): RequestHead =>
  ({
    method: "GET",
    fields: accept.flatMap((value) => ["accept", "Accept", value]),
    ...fields,
  }) as RequestHead;

describe("a page is visited by", () => {
  it.each([
    ["a navigation", { secFetchMode: "navigate", secFetchDest: "document" }, []],
    [
      "a navigation that would take anything",
      { secFetchMode: "navigate", secFetchDest: "document" },
      ["*/*"],
    ],
    ["a browser of old", {}, ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"]],
    ["one in two fields", {}, ["image/png", "TEXT/HTML"]],
    ["one that takes JSON at a pinch", {}, ["application/json;q=0.5, text/html"]],
  ] as const)("%s", (_what, fields, accept) => {
    expect(isPageVisit(headOf(fields, ...accept))).toBe(true);
  });

  it.each([
    ["a program", {}, []],
    ["a program that takes anything", {}, ["*/*"]],
    ["a program that takes JSON", {}, ["application/json"]],
    ["one that takes either", {}, ["text/html, application/problem+json"]],
    ["one that takes no HTML", {}, ["text/html;q=0"]],
    ["one with a weight that is none", {}, ["text/html;q=many"]],
    ["a script of the page", { secFetchMode: "cors", secFetchDest: "empty" }, ["text/html"]],
    ["a frame", { secFetchMode: "navigate", secFetchDest: "iframe" }, ["text/html"]],
    ["a form", { method: "POST", secFetchMode: "navigate", secFetchDest: "document" }, ["text/html"]],
    ["half the metadata", { secFetchMode: "navigate" }, ["text/html"]],
  ] as const)("not by %s", (_what, fields, accept) => {
    expect(isPageVisit(headOf(fields, ...accept))).toBe(false);
  });
});
